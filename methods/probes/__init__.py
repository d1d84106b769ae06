"""Diagnostics of trained methods that explain their scores."""
