"""Measures Connect: how many orders a second, how soon, for how much CPU. `python -m benchmarks --help`."""
