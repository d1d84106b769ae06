"""Verification of a result: the spec is run again in another store, and the pixel counts are compared."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.core.run_record import Environment, RunRecord
from benchmark.core.run_state import RunState
from benchmark.execution.local_pool import PoolObserver, run_all
from benchmark.store.store import Store

if TYPE_CHECKING:
    from benchmark.evaluation.counts import Counts


@dataclass(frozen=True)
class Verification:
    """Result of running a spec again.

    Attributes:
        original: Record of the original run.
        repeated: Record of the repeated run.
        environment_changes: Environment entries that differ, as (original, repeated) by name.
        changed_images: Number of images whose counts differ.
        hiou: hIoU of the original and the repeated run, convention d2-main; None if the repeated run failed.
    """

    original: RunRecord
    repeated: RunRecord
    environment_changes: dict[str, tuple[str, str]]
    changed_images: int = 0
    hiou: tuple[float, float] | None = None

    @property
    def is_identical(self) -> bool:
        """Whether all pixel counts are equal."""
        return self.repeated.state is RunState.DONE and self.original.counts_digest == self.repeated.counts_digest

    def format_lines(self) -> list[str]:
        """Format the result as lines of text."""
        lines: list[str] = []
        if self.is_identical:
            lines.append(f"identical: all pixel counts of {self.original.spec.id} are equal")
            lines.append(f"  counts {self.original.counts_digest}")
        elif self.repeated.failure is not None:
            lines.append(f"not verified: the repeated run failed: {self.repeated.failure.message}")
            lines += [f"  | {line}" for line in self.repeated.failure.log_tail.splitlines()]
        elif self.hiou is not None:
            lines.append(f"different: the counts of {self.changed_images} images differ")
            lines.append(f"  hIoU {self.hiou[0]:.4f} in the original run, {self.hiou[1]:.4f} repeated (d2-main)")
        lines += [
            f"  {name}: {original} in the original run, {repeated} repeated"
            for name, (original, repeated) in self.environment_changes.items()
        ]
        if not self.is_identical and not self.environment_changes:
            lines.append("  the environments are equal: the method draws random numbers that its seed does not control")
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "id": self.original.spec.id,
            "identical": self.is_identical,
            "counts_digest": [self.original.counts_digest, self.repeated.counts_digest],
            "failure": self.repeated.failure.model_dump() if self.repeated.failure else None,
            "images_differing": self.changed_images,
            "hiou": self.hiou,
            "environment": self.environment_changes,
        }


def verify_run(run_id: str, store: Store, *, observe: PoolObserver | None = None) -> Verification:
    """Run the spec of a finished run again in a temporary store and compare the pixel counts.

    Args:
        run_id: Id of the run.
        store: Store that holds the run.
        observe: Function that is called with the state of the pool several times a second.

    Raises:
        ValueError: The run is not done, so there is nothing to compare with.
    """
    run = store.run(run_id)
    snapshot = run.read_snapshot()
    original = snapshot.record
    if snapshot.state is not RunState.DONE or original is None:
        raise ValueError(f"{run_id} is {snapshot.state}: only a run that is done can be verified")
    counts = run.read_counts(original)
    with tempfile.TemporaryDirectory(prefix="chimera-bench-verify-") as folder:
        scratch = Store(Path(folder))
        run_all([original.spec], store=scratch, jobs=1, observe=observe)
        repeated = scratch.run(run_id).read_record()
        changes = compare_environments(original.environment, repeated.environment)
        if repeated.state is not RunState.DONE:
            return Verification(original, repeated, changes)
        repeated_counts = scratch.run(run_id).read_counts(repeated)
    changed_images, hiou = _compare_counts(counts, repeated_counts)
    return Verification(original, repeated, changes, changed_images, hiou)


def compare_environments(original: Environment, repeated: Environment) -> dict[str, tuple[str, str]]:
    """Return the entries in which two environments differ, with one entry per package."""
    originals, repeats = _flatten(original), _flatten(repeated)
    return {
        name: (originals.get(name, "absent"), repeats.get(name, "absent"))
        for name in sorted({*originals, *repeats})
        if originals.get(name) != repeats.get(name)
    }


def _compare_counts(original: Counts, repeated: Counts) -> tuple[int, tuple[float, float]]:
    """Return the number of images whose counts differ, and the hIoU of both."""
    from benchmark.evaluation.scores import score

    hiou = (score(original, "d2-main").hiou, score(repeated, "d2-main").hiou)
    return _count_changed_images(original, repeated), hiou


def _count_changed_images(original: Counts, repeated: Counts) -> int:
    if original.image_ids != repeated.image_ids:
        return len({*original.image_ids} ^ {*repeated.image_ids})
    changed: set[int] = set()
    for name in ("intersection", "prediction"):
        changed |= set((getattr(original, name) != getattr(repeated, name)).nonzero()[0].tolist())
    return len(changed)


def _flatten(environment: Environment) -> dict[str, str]:
    entries = environment.model_dump(exclude={"packages"})
    return {name: str(value) for name, value in entries.items()} | environment.packages
