"""The report of an evaluation: predictions beside their truth."""
