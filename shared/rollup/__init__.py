"""What metrics, sparklines and baselines know of the past, derived from the database by one roller.

    transitions, arrivals, rejections ──▶ stretch ──▶ totals, minutes      (roller: one at a time over all processes)
    records ──▶ chunks                                                      (counted again where something changed)
    totals + what came since ──▶ figures ──▶ /metrics of the Journal that holds the lock

Others read `inputs`. How it works and why: ADR 30.
"""
