"""Timing of large grids."""
