"""Reads images and prints the outcome: `python -m tests.data.stuck WORKERS HAZARD FIFO`; WORKERS may be "ahead"."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from benchmark.core.types import Sample
from benchmark.data.batches import load_batches
from benchmark.data.read_ahead import read_ahead
from benchmark.data.samplers import SampleKey

BATCHES = 12


class Images(Dataset[Sample]):
    """Twelve batches of two images; the hazard happens at the second image.

    Args:
        hazard: "none", "pipe" (a read that never ends), "mutex" (one that no signal interrupts), "kill" (the process
            that reads is killed) or "error".
        fifo: Path of a named pipe without a writer.
    """

    def __init__(self, hazard: str, fifo: Path) -> None:
        self.hazard, self.fifo = hazard, fifo

    def __getitem__(self, key: SampleKey) -> Any:
        if key.image == 1:
            self._meet_hazard()
        return {"image": torch.full((3, 200, 300), key.image, dtype=torch.uint8), "image_id": str(key.image)}

    def _meet_hazard(self) -> None:
        if self.hazard == "pipe":
            self.fifo.read_bytes()
        elif self.hazard == "mutex":
            mutex = ctypes.create_string_buffer(64)
            for _ in range(2):
                ctypes.CDLL(None).pthread_mutex_lock(mutex)
        elif self.hazard == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.hazard == "error":
            raise ValueError("a.png is broken")


def main(workers: str, images: Images) -> None:
    """Print the number of batches that arrived and the error that ended the reading."""
    keys = [[SampleKey(0, i, 2 * i), SampleKey(0, i, 2 * i + 1)] for i in range(BATCHES)]
    kept = []

    def describe(key: SampleKey) -> str:
        return f"image {key.image}"

    try:
        for batch in (
            read_ahead(images, keys, describe=describe)
            if workers == "ahead"
            else load_batches(images, keys, workers=int(workers), describe=describe)
        ):
            assert all((sample["image"] == int(sample["image_id"])).all() for sample in batch)
            kept.append(batch)
    except Exception as error:
        sys.stdout.write(f"{len(kept)} {type(error).__name__}: {error}")
    else:
        sys.stdout.write(f"{len(kept)} done")


if __name__ == "__main__":
    main(sys.argv[1], Images(sys.argv[2], Path(sys.argv[3])))
