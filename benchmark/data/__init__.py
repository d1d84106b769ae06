"""Datasets: images with labels, catalog and loaders: batches for training and evaluation."""
