"""Data sets that are read from folders on disk."""
