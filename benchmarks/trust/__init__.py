"""Is the traffic light right? See `trust.conditions`, `trust.criteria` and `run.py`."""
