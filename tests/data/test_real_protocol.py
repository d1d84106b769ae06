"""Runs on files under a published protocol, from split to counts, on a synthetic VOC of a few images."""

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
from tests.data.trees import save_image, save_mask, write

IDS = (0, 1, 3, 8, 15, 16, 19, 20, 255)
"""Mask values: background, seen and unseen classes, void."""
SIZES = {"train_aug": 5, "val": 3}
SMALL = {
    "clip": {"model": "toy-ViT-8", "weights": "random"},
    "body": {"encoder": "tu-test_resnet", "weights": "toy", "depth": 3, "channels": 96, "rates": [1, 2, 3]},
    "budget.iterations": 6,
    "budget.batch_size": 2,
    "protocol.train.crop": 32,
    "protocol.train.resize": {"kind": "ratio", "short_side": 32, "long_side": 128, "low": 0.5, "high": 2.0},
    "protocol.test": {"short_side": 40, "window": 32, "stride": 24},
}

Spec = Callable[..., RunSpec]


def draw_mask(name: str) -> np.ndarray:
    blocks = np.random.default_rng(list(name.encode())).choice(IDS, (5, 6))
    return blocks.repeat(10, axis=0).repeat(10, axis=1)


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """Return a function that resolves a run on the images."""
    root = tmp_path / "data" / "VOC2012"
    for subset, list_file in (("train_aug", "train.txt"), ("val", "val.txt")):
        names = [f"{subset}{at}" for at in range(SIZES[subset])]
        write(root / list_file, "\n".join(names).encode())
        for name in names:
            save_image(root / "JPEGImages" / f"{name}.jpg", size=(50, 60))
            save_mask(root / "SegmentationClassAug" / f"{name}.png", draw_mask(name), palette=True)
    split = load_split("voc12").model_dump(mode="json") | {"images": SIZES}
    write(tmp_path / "mine.yaml", yaml.safe_dump(split).encode())
    monkeypatch.setenv("CHIMERA_BENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path / "cache"))

    def resolve_run(method: str = "spnet", *, protocol: str = "", **overrides: Any) -> RunSpec:
        changes = {key.replace("__", "."): value for key, value in overrides.items()}
        return resolve(method, split=str(tmp_path / "mine.yaml"), protocol=protocol, seed=0, overrides=SMALL | changes)

    return resolve_run


def test_every_labeled_pixel_of_the_files_is_counted_once(spec: Spec, tmp_path: Path) -> None:
    record = execute(spec(), store=Store(tmp_path / "runs"))
    assert record.failure is None and record.supervision == Supervision.SEEN_MASKS
    masks = np.stack([draw_mask(f"val{at}") for at in range(SIZES["val"])])
    target = Store(tmp_path / "runs").run(record.spec.id).read_counts().totals.target
    assert target.tolist() == [int((masks == value).sum()) for value in range(1, 21)]


def test_counts_are_taken_at_the_gamma_of_the_protocol(spec: Spec, tmp_path: Path) -> None:
    store, run = Store(tmp_path / "runs"), spec()
    execute(run, store=store)
    counts = store.run(run.id).read_counts()
    assert run.protocol.gamma == 0.1
    assert counts.totals.prediction.tolist() == counts.count_at_gamma(0.1).prediction.tolist()


@pytest.mark.parametrize("protocol", ["zegclip", "zegclip-transductive", "zsseg"])
def test_a_resumed_run_equals_an_uninterrupted_one(spec: Spec, tmp_path: Path, protocol: str) -> None:
    run = spec(protocol=protocol)
    whole_store, resumed_store = Store(tmp_path / "whole"), Store(tmp_path / "resumed")

    def stop(progress: Progress) -> None:
        if progress.stage == "train" and progress.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(run, store=resumed_store, observe=stop, checkpoint_every=1)
    resumed, uninterrupted = execute(run, store=resumed_store), execute(run, store=whole_store)
    assert (resumed.state, resumed.attempts, uninterrupted.attempts) == (RunState.DONE, 2, 1)
    assert resumed.counts_digest == uninterrupted.counts_digest


def test_a_transductive_record_states_its_supervision(spec: Spec, tmp_path: Path) -> None:
    record = execute(spec(protocol="zegclip-transductive"), store=Store(tmp_path / "runs"))
    assert record.supervision == Supervision.SEEN_MASKS_UNSEEN_NAMES
    assert "zegclip-transductive" in record.spec.id


def test_the_protocol_sets_schedule_and_prompts_and_overrides_win(spec: Spec) -> None:
    run = spec(budget__iterations=7, protocol__prompts__templates="vild14")
    assert run.budget.iterations == 7 and run.budget.batch_size == 2
    assert run.protocol.prompts is not None and len(run.protocol.prompts.templates) == 14
    free = {key: value for key, value in SMALL.items() if not key.startswith(("budget", "protocol"))}
    whole = resolve("spnet", split=run.split_source, seed=0, overrides=free)
    assert (whole.budget.iterations, whole.budget.batch_size) == (20_000, 16)


def test_a_method_without_training_gets_no_schedule(spec: Spec) -> None:
    changes = {"clip": SMALL["clip"]}
    run = resolve("maskclip", split=spec().split_source, seed=0, overrides=changes)
    assert run.budget.iterations == 0


def test_an_image_that_broke_after_planning_fails_the_run_in_one_line(spec: Spec, tmp_path: Path) -> None:
    run = spec()
    (tmp_path / "data" / "VOC2012" / "JPEGImages" / "val1.jpg").write_bytes(b"\xff\xd8\xff")
    failure = execute(run, store=Store(tmp_path / "runs")).failure
    assert failure is not None and "val1.jpg" in failure.message and "data check voc12" in failure.message
