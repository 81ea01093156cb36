"""Which measures may be taken from predictions? See `run.py`."""
