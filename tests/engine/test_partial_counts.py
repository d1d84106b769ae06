"""An evaluation that was killed goes on where it was, and its counts are those of an uninterrupted one."""

from __future__ import annotations

import math
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.core.run_spec import RunSpec
from benchmark.engine import interrupts, partial_counts
from benchmark.engine.base import Progress
from benchmark.engine.checkpoint import digest_state
from benchmark.engine.distributed import Rank
from benchmark.engine.partial_counts import PartialCounts, PartialFolder
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import load
from benchmark.execution.runner import execute
from benchmark.planning.resolve import build
from benchmark.store.store import Store
from tests.engine.runs import small_spec
from tests.engine.several_processes import run_processes

KILLED = -signal.SIGKILL


def spec_of_images(count: int, **overrides: Any) -> RunSpec:
    return small_spec(budget__iterations=2, **overrides).model_copy(update={"max_images": count})


def list_evaluated(spec: RunSpec, store: Store) -> list[int]:
    """Run a spec and return the numbers of the images that were evaluated."""
    reports: list[Progress] = []
    execute(spec, store=store, observe=reports.append)
    return [report.done for report in reports if report.stage == "evaluate"]


def test_a_killed_evaluation_goes_on_where_it_was(tmp_path: Path) -> None:
    spec, killed, whole = spec_of_images(7), Store(tmp_path / "killed"), Store(tmp_path / "whole")
    run = killed.run(spec.id)
    assert run_processes(spec, killed.root, size=1, evaluated=4) == [KILLED]
    (file,) = run.partial_path.iterdir()
    assert len(load(file).image_ids) == 4
    assert (list_evaluated(spec, killed), list_evaluated(spec, whole)) == ([5, 6, 7], list(range(1, 8)))
    assert run.counts_path.read_bytes() == whole.run(spec.id).counts_path.read_bytes()
    assert not run.partial_path.exists()


@pytest.mark.slow
def test_processes_that_share_a_killed_evaluation_go_on_each_where_it_was(tmp_path: Path) -> None:
    spec = spec_of_images(7, budget__micro_batches=2, budget__batch_size=4)
    killed, whole = Store(tmp_path / "killed"), Store(tmp_path / "whole")
    run = killed.run(spec.id)
    assert run_processes(spec, killed.root, evaluated=2) == [KILLED, KILLED]
    assert [len(load(file).image_ids) for file in run.partial_path.iterdir()] == [2, 2]
    assert run_processes(spec, killed.root) == [0, 0]
    execute(spec, store=whole)
    assert run.counts_path.read_bytes() == whole.run(spec.id).counts_path.read_bytes()
    assert not run.partial_path.exists()


def test_a_stop_request_saves_after_the_image(tmp_path: Path) -> None:
    spec, store = spec_of_images(5), Store(tmp_path)

    def stop(progress: Progress) -> None:
        if (progress.stage, progress.done) == ("evaluate", 2):
            interrupts.request_stop()

    with pytest.raises(KeyboardInterrupt):
        execute(spec, store=store, observe=stop)
    assert list_evaluated(spec, store) == [3, 4, 5]


@pytest.mark.parametrize("change", ["code", "state"])
def test_counts_of_other_code_or_of_another_state_are_deleted(tmp_path: Path, change: str) -> None:
    method, folder = build(spec_of_images(1)), PartialFolder(tmp_path, "code 1")
    first = folder.open(method, Rank())
    keep_every_image(first, make_counter())
    (before,) = tmp_path.iterdir()
    with torch.no_grad():
        next(method.parameters()).requires_grad_(True).add_(change == "state")
    other = PartialFolder(tmp_path, "code 2" if change == "code" else "code 1")
    assert other.open(method, Rank()).restore(make_counter(0)) == 0
    assert not before.exists()


def make_counter(images: int = 3) -> Counter:
    """Return a counter of a few images of three classes, two of them seen."""
    counter, draws = Counter(("a", "b", "c"), (True, True, False)), torch.Generator().manual_seed(1)
    for index in range(images):
        logits, target = torch.rand(3, 4, 5, generator=draws), torch.randint(3, (4, 5), generator=draws)
        counter.update({"sem_seg": logits}, target, image_id=f"image {index}")
    return counter


def keep_every_image(file: PartialCounts, counter: Counter, *, is_last: bool = False) -> None:
    """Save the counts now, unless they are complete."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partial_counts, "MIN_INTERVAL_S", -math.inf)
        patch.setattr(partial_counts, "MAX_COST_SHARE", math.inf)
        file.update(counter, is_last=is_last)


def test_a_restored_counter_has_the_counts_and_goes_on(tmp_path: Path) -> None:
    file, whole, restored = PartialCounts(tmp_path / "a.npz"), make_counter(), make_counter(0)
    keep_every_image(file, whole)
    assert file.restore(restored) == 3
    for counter in (whole, restored):
        counter.update({"sem_seg": torch.eye(3)[:, :, None]}, torch.zeros(3, 1, dtype=torch.long), image_id="last")
    assert restored.compute() == whole.compute()
    assert np.array_equal(restored.compute().margin_prediction, whole.compute().margin_prediction)


def test_an_image_of_restored_counts_is_not_counted_again() -> None:
    counter = make_counter(0)
    counter.restore(make_counter().compute())
    with pytest.raises(ValueError, match="'image 1' was counted before"):
        counter.update(torch.rand(3, 4, 5), torch.zeros(4, 5, dtype=torch.long), image_id="image 1")


def test_a_broken_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"half")
    counter = make_counter(0)
    assert PartialCounts(tmp_path / "a.npz").restore(counter) == 0
    assert counter.compute().image_ids == ()


def test_complete_counts_are_not_kept_and_a_full_disk_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    keep_every_image(PartialCounts(tmp_path / "a.npz"), make_counter(), is_last=True)
    monkeypatch.setattr("os.fsync", fail)
    keep_every_image(PartialCounts(tmp_path / "a.npz"), make_counter())
    assert list(tmp_path.iterdir()) == []


def test_saving_waits_until_it_costs_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 19.0, 21.0, 22.0, 24.0, 300.0, 425.0, 425.0, 425.0])
    monkeypatch.setattr("benchmark.engine.partial_counts.time.monotonic", lambda: next(clock))
    file, counter, saved = PartialCounts(tmp_path / "a.npz"), make_counter(), list[bool]()
    for _ in range(4):  # looks at 19 s, 21 s (saves from 22 s to 24 s), 300 s, and 425 s: 2 s are 0.5 % of 400 s
        file.update(counter, is_last=False)
        saved.append((tmp_path / "a.npz").exists())
        (tmp_path / "a.npz").unlink(missing_ok=True)
    assert saved == [False, True, False, True]


def test_a_state_with_entries_that_are_no_tensors_has_a_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    method = build(spec_of_images(1))
    before = digest_state(method)
    monkeypatch.setattr(type(method), "get_extra_state", lambda self: {"steps": 3})
    assert digest_state(method) != before
