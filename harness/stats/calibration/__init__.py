"""Simulation proof of the statistics: coverage, type-I error, and what goes wrong with the tempting alternatives.

``python -m harness.stats.calibration`` writes ``docs/calibration.md`` with its figures and the table of every cell.
"""
