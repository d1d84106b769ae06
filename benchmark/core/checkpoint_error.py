"""The error for a checkpoint from which a run cannot go on."""

from __future__ import annotations


class CheckpointError(ValueError):
    """A checkpoint is damaged, of another run or version, or does not fit its method; the message names the file."""
