"""Pages for people, of numbers that others have computed."""
