"""Conversion of published datasets into layouts that the suite reads; originals are never written to."""
