"""A short training on tiny data, for checks of what a method learns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor

from benchmark.contract.hidden_facts import TrainingData
from benchmark.core import split as split_module
from benchmark.core.budget import Budget
from benchmark.core.method import Method, Supervision
from benchmark.core.protocol import Protocol
from benchmark.core.seeding import seed_globals
from benchmark.core.split import Split
from benchmark.data.loader import TrainLoader
from benchmark.engine.fabric import FabricEngine
from benchmark.utils.atomic_files import format_json

ITERATIONS = 2


@dataclass(frozen=True)
class Learned:
    """What a short training gave.

    Attributes:
        losses: Losses of each iteration by name.
        scores: Predictions for the seen classes after training, (K, height, width) each.
    """

    losses: list[dict[str, float]]
    scores: list[Tensor]


def train_briefly(
    build: Callable[[Split], Method],
    data: TrainingData,
    *,
    budget: Budget,
    is_withheld: bool = True,
    supervision: Supervision = Supervision.NONE,
    protocol: Protocol | None = None,
) -> Learned:
    """Train a method for two iterations on tiny data.

    Args:
        build: Function that returns the method, built for a split, before its vocabulary is set.
        data: Split and dataset; `load_split` finds this split under its name meanwhile.
        budget: Budget of the method, of which only a little is used.
        is_withheld: Whether unseen labels are withheld, as they should be; for tests of the leak checks.
        supervision: Supervision of the method.
        protocol: Protocol of the training samples; None for the default one, which is inductive.
    """
    shown = data.split if is_withheld else Split.model_validate(data.split.model_dump() | {"unseen": ()})
    loader = TrainLoader(
        data.dataset, shown, protocol=protocol or Protocol(), batch_size=2, seed=0, supervision=supervision
    )
    brief = Budget(iterations=min(ITERATIONS, budget.iterations), batch_size=2, init_images=min(2, budget.init_images))
    losses = list[dict[str, float]]()
    with tempfile.TemporaryDirectory() as folder, _replace_split_file(data.split):
        method = build(data.split)
        seed_globals("brief training")  # whatever building has drawn: a method may be a copy that was built before
        method.set_classes(data.split.seen)
        FabricEngine(accelerator="cpu").fit(
            method,
            loader,
            budget=brief,
            seed=0,
            checkpoint=Path(folder) / "checkpoint.pt",
            observe=lambda progress: losses.append(dict(progress.losses)),
        )
        with torch.no_grad():
            predictions = method.eval().predict(next(loader.init_batches(2)))
    return Learned(losses, [prediction["sem_seg"] for prediction in predictions])


@contextmanager
def _replace_split_file(split: Split) -> Iterator[None]:
    """Let `load_split` find a split of another content under its name."""
    with tempfile.TemporaryDirectory() as folder:
        for path in split_module.SPLITS.iterdir():
            if path.name != f"{split.name}.yaml":
                (Path(folder) / path.name).symlink_to(path)
        text = format_json(split.model_copy(update={"name": ""}))
        (Path(folder) / f"{split.name}.yaml").write_text(text, encoding="utf-8")
        with patch.object(split_module, "SPLITS", Path(folder)):
            yield
