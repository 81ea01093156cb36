"""Models of real cells for napari-mito-predict, which finds them in the folder `models` beside this file."""
