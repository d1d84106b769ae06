"""Predictions of other programs in, predictions of runs out, and stores of several machines in one."""
