"""Trainable segmentation bodies."""
