"""What napari takes from us: the dock that joins two others, reader, sample, and the window of the demo."""
