"""The dock "Compare with truth": prediction beside truth, numbers, report."""
