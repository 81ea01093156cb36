"""The dock "Mito Predict": from an image to predictions, painted live."""
