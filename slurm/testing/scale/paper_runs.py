"""Invented results of a paper's table on its real splits, to time the table: images, classes and pixels are as many.

`python -m slurm.testing.scale.paper_runs SOURCE TARGET --table chimera-seg/main`
needs no data. The scores mean nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import typer
from scipy import sparse

from benchmark.core.paper_tables import load_table
from benchmark.core.plan import Plan, PlanRow
from benchmark.core.run_spec import RunSpec
from benchmark.core.split import Split, load_split
from benchmark.evaluation.counts import GAMMAS, Counts
from benchmark.store.store import Store
from slurm.testing.scale.copied_runs import SEEDS, read_firsts

CLASSES_PER_IMAGE = 8
"""Number of labeled classes in an image, about that of COCO-Stuff."""
IMAGES = {"voc12": 1449, "coco_stuff164k": 5000, "pascal_context59": 5105}
"""Number of evaluation images by split; others have 1000."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill a store with command line arguments and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m slurm.testing.scale.paper_runs", description=__doc__)
    parser.add_argument("source", type=Path, help="folder of finished runs, whose records are changed")
    parser.add_argument("target", type=Path, help="folder of the invented runs")
    parser.add_argument("--table", default="chimera-seg/main", help="table of a paper (%(default)s)")
    options = parser.parse_args(arguments)
    plan = invent_runs(Store(options.source), Store(options.target), options.table)
    typer.echo(f"{len(plan.ids)} runs of plan {plan.study!r} in {options.target}")
    return 0


def invent_runs(source: Store, target: Store, table: str) -> Plan:
    """Invent the runs of a paper's table from the records of other runs, and return their plan, which is saved."""
    named, records = load_table(table), cycle(read_firsts(source))
    rows, generator = [], np.random.default_rng(0)
    for name in dict.fromkeys(place for dataset in named.table.datasets for place in dataset.splits):
        split = load_split(name)
        for row, record in zip(named.table.own_rows, records, strict=False):
            method, _, variant = row.method.partition("/")
            changes: dict[str, object] = {"method": method, "variant": variant, "overrides": {}, "weights": None}
            changes |= {"split": name, "split_digest": split.digest(), "unseen": split.unseen}
            ids = {}
            for seed in range(SEEDS):
                old = {field: getattr(record.spec, field) for field in RunSpec.model_fields}
                spec = RunSpec.model_validate(old | changes | {"seed": seed})
                counts = invent_counts(split, images=IMAGES.get(name, 1000), generator=generator)
                changed = record.model_copy(update={"spec": spec, "counts_digest": counts.digest()})
                target.run(spec.id).save_result(changed, counts)
                ids[seed] = spec.id
            rows.append(PlanRow(label=row.label, method=method, split=name, ids=ids))
    plan = Plan(study=named.name.plan, title=named.title, rows=tuple(rows), baseline=named.table.baseline)
    target.write_plan(plan)
    return plan


def invent_counts(split: Split, *, images: int, generator: np.random.Generator) -> Counts:
    """Return the counts of a method that is right in half of the pixels and else names any class of the split.

    Args:
        split: Split, which decides the labels.
        images: Number of images.
        generator: Generator of the predictions.
    """
    size, labels = len(split.classes), np.random.default_rng(0)
    image = np.repeat(np.arange(images), CLASSES_PER_IMAGE)
    label = labels.integers(size, size=len(image))
    other = (label + generator.integers(1, size, size=len(image))) % size
    pixels = labels.integers(1, 20_000, size=len(image))
    right = (pixels * generator.random(len(image))).astype(np.int64)
    intersection = sparse.csr_array((right, (image, label)), shape=(images, size))
    wrong = sparse.csr_array((pixels - right, (image, other)), shape=(images, size))
    confused = sparse.csr_array((pixels - right, (label, other)), shape=(size, size))
    margin = generator.integers(1, 10**6, size=(size, len(GAMMAS) + 1))
    unseen = set(split.unseen)
    return Counts(
        image_ids=tuple(f"image_{number:012d}" for number in range(images)),
        classes=tuple(split.classes),
        seen=tuple(name not in unseen for name in split.classes),
        intersection=intersection,
        prediction=intersection + wrong,
        target=sparse.csr_array((pixels, (image, label)), shape=(images, size)),
        margin_intersection=margin // 2,
        margin_prediction=margin,
        confusion=confused + sparse.diags_array(intersection.sum(axis=0), dtype=np.int64),
    )


if __name__ == "__main__":
    sys.exit(main())
