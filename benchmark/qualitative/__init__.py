"""Predictions of trained methods as images."""
