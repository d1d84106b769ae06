"""Datasets that are read from folders on disk."""
