"""The dock "Measure": objects of layers, recorded or predicted, as labels, tables and plots."""
