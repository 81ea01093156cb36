"""What napari shows of us: the docks, and what they share. The only code that knows Qt and napari."""
