"""A run on files under a protocol of the field, from split to counts, on a hand-made VOC of a few pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmark.core.method import Supervision
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.core.split import load_split
from benchmark.engine.base import Progress
from benchmark.execution.runner import execute
from benchmark.planning.resolve import resolve
from benchmark.store.store import Store
from tests.data.trees import save_mask, save_picture, write

IDS = (0, 1, 3, 8, 15, 16, 19, 20, 255)
"""Background, seen and unseen classes, void."""
SIZES = {"train_aug": 5, "val": 3}
SMALL = {
    "clip": {"model": "toy-ViT-16", "weights": "random"},
    "body": {"encoder": "tu-test_resnet", "weights": "toy", "depth": 3, "channels": 96, "rates": [1, 2, 3]},
    "budget.iterations": 6,
    "budget.batch_size": 2,
    "protocol.train.crop": 32,
    "protocol.train.resize": {"kind": "ratio", "short_side": 32, "long_side": 128, "low": 0.5, "high": 2.0},
    "protocol.test": {"short_side": 40, "window": 32, "stride": 24},
}

Spec = Callable[..., RunSpec]


def mask_of(name: str) -> np.ndarray:
    blocks = np.random.default_rng(list(name.encode())).choice(IDS, (5, 6))
    return blocks.repeat(10, axis=0).repeat(10, axis=1)


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """Resolves a run on the pictures."""
    root = tmp_path / "data" / "VOC2012"
    for subset, listed in (("train_aug", "train.txt"), ("val", "val.txt")):
        names = [f"{subset}{at}" for at in range(SIZES[subset])]
        write(root / listed, "\n".join(names).encode())
        for name in names:
            save_picture(root / "JPEGImages" / f"{name}.jpg", size=(50, 60))
            save_mask(root / "SegmentationClassAug" / f"{name}.png", mask_of(name), palette=True)
    split = load_split("voc12").model_dump(mode="json") | {"images": SIZES}
    write(tmp_path / "mine.yaml", yaml.safe_dump(split).encode())
    monkeypatch.setenv("CHIMERA_BENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path / "cache"))

    def resolved(method: str = "spnet", *, protocol: str = "", **overrides: Any) -> RunSpec:
        given = {key.replace("__", "."): value for key, value in overrides.items()}
        return resolve(method, split=str(tmp_path / "mine.yaml"), protocol=protocol, seed=0, overrides=SMALL | given)

    return resolved


def test_every_labelled_pixel_of_the_files_is_counted_once(spec: Spec, tmp_path: Path) -> None:
    record = execute(spec(), store=Store(tmp_path / "runs"))
    assert record.failure is None and record.supervision == Supervision.SEEN_MASKS
    masks = np.stack([mask_of(f"val{at}") for at in range(SIZES["val"])])
    truth = Store(tmp_path / "runs").run(record.spec.id).read_counts().totals.target
    assert truth.tolist() == [int((masks == value).sum()) for value in range(1, 21)]


def test_counts_are_taken_at_the_gamma_of_the_protocol(spec: Spec, tmp_path: Path) -> None:
    store, run = Store(tmp_path / "runs"), spec()
    execute(run, store=store)
    counts = store.run(run.id).read_counts()
    assert run.protocol.gamma == 0.1
    assert counts.totals.prediction.tolist() == counts.count_at_gamma(0.1).prediction.tolist()


@pytest.mark.parametrize("protocol", ["zegclip", "zegclip-transductive", "zsseg"])
def test_interrupted_and_resumed_is_uninterrupted(spec: Spec, tmp_path: Path, protocol: str) -> None:
    run = spec(protocol=protocol)
    whole, subsets = Store(tmp_path / "whole"), Store(tmp_path / "subsets")

    def stop(progress: Progress) -> None:
        if progress.stage == "train" and progress.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(run, store=subsets, on_progress=stop, checkpoint_every=1)
    resumed, uninterrupted = execute(run, store=subsets), execute(run, store=whole)
    assert (resumed.state, resumed.attempts, uninterrupted.attempts) == (RunState.DONE, 2, 1)
    assert resumed.counts_digest == uninterrupted.counts_digest


def test_a_transductive_row_says_what_it_knew(spec: Spec, tmp_path: Path) -> None:
    record = execute(spec(protocol="zegclip-transductive"), store=Store(tmp_path / "runs"))
    assert record.supervision == Supervision.SEEN_MASKS_UNSEEN_NAMES
    assert "zegclip-transductive" in record.spec.id


def test_the_protocol_decides_schedule_and_words_and_overrides_decide_last(spec: Spec) -> None:
    run = spec(budget__iterations=7, protocol__prompts__templates="vild14")
    assert run.budget.iterations == 7 and run.budget.batch_size == 2
    assert run.protocol.prompts is not None and len(run.protocol.prompts.templates) == 14
    free = {key: value for key, value in SMALL.items() if not key.startswith(("budget", "protocol"))}
    whole = resolve("spnet", split=run.split, seed=0, overrides=free)
    assert (whole.budget.iterations, whole.budget.batch_size) == (20_000, 16)


def test_what_is_never_trained_gets_no_schedule(spec: Spec) -> None:
    changes = {"clip": SMALL["clip"]}
    run = resolve("maskclip", split=spec().split, seed=0, overrides=changes)
    assert run.budget.iterations == 0


def test_a_picture_that_broke_after_planning_fails_the_run_in_one_line(spec: Spec, tmp_path: Path) -> None:
    run = spec()
    (tmp_path / "data" / "VOC2012" / "JPEGImages" / "val1.jpg").write_bytes(b"\xff\xd8\xff")
    failure = execute(run, store=Store(tmp_path / "runs")).failure
    assert failure is not None and "val1.jpg" in failure.message and "data check voc12" in failure.message
