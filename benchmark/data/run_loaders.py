"""Loaders of a run."""

from __future__ import annotations

from benchmark.core.method import Supervision
from benchmark.core.run_spec import RunSpec
from benchmark.core.split import Split
from benchmark.data.base import Dataset
from benchmark.data.loader import TrainLoader


def make_train_loader(
    spec: RunSpec, dataset: Dataset, split: Split, *, supervision: Supervision, workers: int = 0
) -> TrainLoader:
    """Return the training batches of a run.

    Args:
        spec: Spec of the run.
        dataset: Dataset of the split.
        split: Split of the run.
        supervision: Supervision of its method.
        workers: Number of worker processes; 0 reads in this process.
    """
    return TrainLoader(
        dataset,
        split,
        protocol=spec.protocol,
        batch_size=spec.budget.batch_size,
        seed=spec.seed,
        workers=workers,
        supervision=supervision,
    )
