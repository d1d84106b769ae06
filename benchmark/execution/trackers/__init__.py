"""Trackers: losses, learning rate and scores of a run in TensorBoard, Weights & Biases or MLflow.

They run in a process of their own that only listens, so that no tracker can slow, change or fail a run.
"""
