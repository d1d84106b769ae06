"""Fault injection on a running study."""
