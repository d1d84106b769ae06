"""Batches that a thread of this process reads ahead, while the caller works with earlier ones.

Decoding and resizing release Python's lock, so that they happen while a method computes. The batches, their order and
the error of a sample that cannot be read are those of reading in turn; at most `AHEAD` batches wait in memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from queue import SimpleQueue

from torch.utils.data import Dataset as TorchDataset

from benchmark.core.types import Batch, Sample
from benchmark.data.samplers import SampleKey
from benchmark.utils.watchdog import Watchdog

AHEAD = 2
"""Batches that are read before they are asked for."""
JOIN_S = 2.0
"""Seconds for which a thread that still reads is waited for."""


def read_ahead(
    samples: TorchDataset[Sample], keys: Iterable[list[SampleKey]], *, describe: Callable[[SampleKey], str]
) -> Iterator[Batch]:
    """Yield a batch for each list of keys, in order.

    Args:
        samples: Samples by key; no other thread may read them meanwhile.
        keys: Keys of the samples in each batch.
        describe: Function that returns the name of a sample's image.

    Raises:
        StalledError: A read made no progress for too long.
        Exception: A sample cannot be read; raised after the batches before it.
    """
    watchdog, reader = Watchdog(time.process_time), _Reader(samples, keys)
    with watchdog.open():
        try:
            while True:
                with watchdog.watch(lambda: f"reading {', '.join(map(describe, reader.current))}"):
                    batch = reader.get()
                if batch is None:
                    return
                yield batch
        finally:
            reader.stop()


class _Reader:
    """Thread that reads batches into a queue.

    Args:
        samples: Samples by key.
        keys: Keys of the samples in each batch.

    Attributes:
        current: Key of the sample that is read now, or was read last; empty before the first.
    """

    def __init__(self, samples: TorchDataset[Sample], keys: Iterable[list[SampleKey]]) -> None:
        self._samples, self._keys = samples, keys
        self.current: list[SampleKey] = []
        self._queue: SimpleQueue[Batch | BaseException | None] = SimpleQueue()
        self._room, self._is_stopped = threading.Semaphore(AHEAD), False
        # a daemon, as a read that never ends must not keep the process from ending; in the context of the caller, to
        # whose run the files belong that are read
        self._thread = threading.Thread(target=copy_context().run, args=(self._read,), name="reader", daemon=True)
        self._thread.start()

    def get(self) -> Batch | None:
        """Wait for the next batch; None after the last.

        Raises:
            Exception: A sample of the batch cannot be read.
        """
        item = self._queue.get()
        self._room.release()
        if isinstance(item, BaseException):
            raise item
        return item

    def stop(self) -> None:
        """Let the thread end after the sample that it reads."""
        self._is_stopped = True
        self._room.release()
        self._thread.join(JOIN_S)

    def _read(self) -> None:
        try:
            for keys in self._keys:
                self._room.acquire()
                if self._is_stopped:
                    return
                self._queue.put([self._read_sample(key) for key in keys])
        except BaseException as error:  # the caller raises it
            self._queue.put(error)
        else:
            self._queue.put(None)

    def _read_sample(self, key: SampleKey) -> Sample:
        self.current = [key]
        return self._samples[key]
