"""A thread reads the next images while the caller works; order, errors and interruptions are as in reading in turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.core.types import Batch
from benchmark.data.read_ahead import AHEAD, read_ahead
from benchmark.data.samplers import SampleKey
from benchmark.utils.input_files import collect_inputs, record_digest
from tests.data.test_batches import read


class Images:
    """Ten images, of which one may be broken; knows which were read."""

    def __init__(self, broken: int = -1) -> None:
        self.broken, self.keys, self.has_read = broken, list[int](), threading.Semaphore(0)

    def __getitem__(self, key: SampleKey) -> Any:
        self.keys.append(key.image)
        self.has_read.release()
        record_digest(f"image: {key.image}", "digest")
        if key.image == self.broken:
            raise ValueError("a.png is broken")
        return {"image": torch.full((3, 2, 2), key.image), "image_id": str(key.image)}


def read_all(images: Images) -> Iterator[Batch]:
    keys = ([SampleKey(0, 0, index)] for index in range(10))
    return read_ahead(images, keys, describe=lambda key: f"image {key.image}")  # type: ignore[arg-type]


def list_readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "reader"]


def test_all_batches_come_in_order() -> None:
    batches = list(read_all(Images()))
    assert [[sample["image_id"] for sample in batch] for batch in batches] == [[str(index)] for index in range(10)]
    assert not list_readers()


def test_a_few_batches_are_read_while_the_caller_works_with_the_first() -> None:
    images = Images()
    batches = read_all(images)
    next(batches)
    for _ in range(1 + AHEAD):
        assert images.has_read.acquire(timeout=10)
    assert not images.has_read.acquire(timeout=0.05) and images.keys == [0, 1, 2]


def test_a_broken_image_is_an_error_after_those_before_it() -> None:
    seen = list[str]()
    with pytest.raises(ValueError, match=r"a\.png is broken"):
        seen.extend(batch[0]["image_id"] for batch in read_all(Images(broken=3)))
    assert seen == ["0", "1", "2"] and not list_readers()


def test_an_interruption_ends_the_thread() -> None:
    images = Images()

    def work() -> None:
        for batch in read_all(images):
            if batch[0]["image_id"] == "1":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not list_readers() and len(images.keys) <= 2 + AHEAD


def test_files_that_the_thread_reads_are_inputs_of_the_run() -> None:
    with collect_inputs() as inputs:
        list(read_all(Images()))
    assert len(inputs) == 10


@pytest.mark.parametrize("hazard", ["pipe", "mutex"])
def test_a_read_that_never_ends_is_given_up_with_the_file(tmp_path: Path, hazard: str) -> None:
    outcome = read(tmp_path, workers="ahead", hazard=hazard)
    assert outcome.code == 0 and outcome.out.startswith("0 StalledError: no progress for 1 s while reading image 1:")
