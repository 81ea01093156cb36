"""The dock "Many images": a list of files and fields that are predicted one after the other."""
