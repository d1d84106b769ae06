"""Makers of small stores: runs without training, with counts whose scores can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from benchmark.core.budget import Budget
from benchmark.core.plan import Plan, PlanRow
from benchmark.core.protocol import Protocol
from benchmark.core.protocol_class import ProtocolClass
from benchmark.core.run_record import Cost, Failure, RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.evaluation.counts import GAMMAS, Counts
from benchmark.report.comparison import MethodComparison, compare_runs
from benchmark.store.store import Store
from tests.core.machines import make_environment

CLASSES = ("grass", "water", "cup", "fish")
SEEN = (True, True, False, False)
SEEN_BY_SPLIT = ((True, True, False, False), (True, False, True, False), (False, True, True, False))
"""Classes that are seen on each of three splits, two of four."""
BUDGET = Budget(
    iterations=600,
    batch_size=16,
    learning_rate=1e-3,
    weight_decay=1e-2,
    warmup=0.05,
    clip_norm=1.0,
    init_images=0,
    precision="32-true",
)
COST = Cost(
    trainable_parameters=250_000,
    total_parameters=14_000_000,
    inference_flops=2_500_000_000,
    training_flops=9_000_000_000,
    latency_ms=12.5,
    train_seconds=240.0,
    peak_memory_mb=800.0,
    image_size=(64, 64),
)


def hand_counts(right: Sequence[Sequence[int]], *, seen: Sequence[bool] = SEEN) -> Counts:
    """Return counts of images with 100 pixels of each class.

    `right[image][class]` of them are predicted correctly. The others of grass are predicted as water and vice versa,
    the others of cup as fish and vice versa. So an IoU is right / (200 - right of the other class of the pair), summed
    over images.
    """
    intersection = np.array(right, dtype=np.int64)
    wrong = (100 - intersection).sum(axis=0)
    prediction = intersection + (100 - intersection)[:, [1, 0, 3, 2]]
    margin = np.zeros((len(CLASSES), len(GAMMAS) + 1), dtype=np.int64)
    margin[:, 100] = intersection.sum(axis=0)
    return Counts(
        image_ids=tuple(f"image{index:02d}" for index in range(len(right))),
        classes=CLASSES,
        seen=tuple(seen),
        intersection=sparse.csr_array(intersection),
        prediction=sparse.csr_array(prediction),
        target=sparse.csr_array(np.full_like(intersection, 100)),
        margin_intersection=margin,
        margin_prediction=margin,
        confusion=sparse.csr_array(np.diag(intersection.sum(axis=0)) + np.diag(wrong)[:, [1, 0, 3, 2]]),
    )


def spec_of(variant: str = "paper", *, seed: int = 0, **changes: Any) -> RunSpec:
    """Return a spec of the method `demo`."""
    fields: dict[str, Any] = {
        "method": "demo",
        "variant": variant,
        "config": {},
        "split": "toybox",
        "split_digest": "5",
        "protocol": Protocol(),
        "dataset_fingerprint": "f",
        "seed": seed,
        "budget": BUDGET,
    }
    return RunSpec(**fields | changes)


def save(store: Store, spec: RunSpec, counts: Counts | Failure, **changes: Any) -> str:
    """Save a run and return its id."""
    fields: dict[str, Any] = {
        "spec": spec,
        "environment": make_environment(),
        "title": "Demo",
        "supervision": "seen_masks",
        "traits": ProtocolClass(backbone="CLIP ViT-B/16"),
        "attempts": 1,
        "started": "2030-01-01T00:00:00+00:00",
        "finished": "2030-01-01T00:10:00+00:00",
    }
    if isinstance(counts, Failure):
        store.run(spec.id).save_failure(RunRecord(**fields | {"state": RunState.FAILED, "failure": counts} | changes))
    else:
        done = {"state": RunState.DONE, "counts_digest": counts.digest(), "cost": COST}
        store.run(spec.id).save_result(RunRecord(**fields | done | changes), counts)
    return spec.id


def plan_of(rows: Mapping[str, Mapping[int, str]]) -> Plan:
    """Return a plan of rows, given as label to id by seed."""
    plan_rows = tuple(PlanRow(label=label, method="demo", split="toybox", ids=dict(ids)) for label, ids in rows.items())
    return Plan(study="demo", title="Demo study", rows=plan_rows)


def even(seen: int, unseen: int, *, images: int = 4) -> Counts:
    """Return counts of equal images with these numbers of correct pixels of each seen and each unseen class."""
    return hand_counts([[seen, seen, unseen, unseen]] * images)


def two_rows(store: Store) -> Plan:
    """Save the rows "paper" and "no SGD", which is worse on every image, with three seeds each; return their plan."""
    ids: dict[str, dict[int, str]] = {"paper": {}, "no SGD": {}}
    for seed in range(3):
        for label, lost in (("paper", 0), ("no SGD", 20)):
            right = [[80 + seed, 80, 60 + image - lost, 60 - lost] for image in range(4)]
            ids[label][seed] = save(store, spec_of(label, seed=seed), hand_counts(right))
    return plan_of(ids)


def compare_ids(store: Store, a: Mapping[int, str], b: Mapping[int, str], **options: Any) -> MethodComparison:
    """Compare runs on one split, given as id by seed."""
    return compare_runs(store, {"toybox": a}, {"toybox": b}, **options)


def save_splits(
    store: Store,
    label: str,
    lost: Mapping[int, int],
    *,
    seeds: int = 3,
    record: Mapping[str, Any] | None = None,
    **changes: Any,
) -> tuple[PlanRow, ...]:
    """Save a row on some of the three splits `SEEN_BY_SPLIT`; its unseen classes lose pixels of each image.

    Args:
        store: Store.
        label: Label of the row.
        lost: Lost pixels by number of the split.
        seeds: Number of runs on a split.
        record: Changes of the records.
        changes: Changes of the specs.
    """
    rows = []
    for number, less in lost.items():
        seen, ids = SEEN_BY_SPLIT[number], {}
        place: dict[str, Any] = {"split": f"toybox@2-s0-{number:02d}", "split_digest": str(number)}
        for seed in range(seeds):
            right = [[80 + seed + image - less * (not is_seen) for is_seen in seen] for image in range(4)]
            spec = spec_of(label, seed=seed, **place | changes)
            ids[seed] = save(store, spec, hand_counts(right, seen=seen), **record or {})
        rows.append(PlanRow(label=label, method="demo", split=spec.split, ids=ids))
    return tuple(rows)


def plan_splits(*rows: Sequence[PlanRow]) -> Plan:
    """Return a plan of rows on several splits, split by split."""
    planned = sorted((row for some in rows for row in some), key=lambda row: row.split)
    return Plan(study="demo", title="Demo study", rows=tuple(planned))
