"""What napari gets besides docks: reader, sample, the window of the demo."""
