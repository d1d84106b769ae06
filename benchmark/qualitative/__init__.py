"""Predictions of trained methods, drawn as images."""
