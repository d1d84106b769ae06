"""Evaluation: `counter` (torch) counts pixels, `counts` (numpy) stores them, `scores` and `stats` derive numbers.

The package imports nothing here, so that reading counts and rendering tables never loads torch.
"""
