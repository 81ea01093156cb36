"""Exact prediction strip by strip, beside other ways of predicting a volume: speed, memory and error, on the processor.

`run.py` is the programme, `programme` its parts, `ways` the ways that are compared. Every measurement is made in a
process of its own, so that none inherits memory or warm caches from another; the programme itself never loads torch.
"""
