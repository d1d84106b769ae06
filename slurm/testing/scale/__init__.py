"""Timing of the commands on large grids."""
