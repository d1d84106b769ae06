"""Trainers. Every engine runs the same method object with the same samples, optimizer groups and counter."""
