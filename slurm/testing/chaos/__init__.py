"""Fault injection into a running study."""
