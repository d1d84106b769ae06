"""Data sets as they are published, converted into the layouts that are read here; originals are never written to."""
