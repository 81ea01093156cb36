"""The page of what was measured."""
