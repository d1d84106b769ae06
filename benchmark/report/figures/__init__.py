"""Figures of a study, drawn from its run records."""
