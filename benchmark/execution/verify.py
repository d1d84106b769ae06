"""Is a result what its spec gives? The same spec is run again elsewhere, and the pixel counts are compared."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.core.run_record import Environment, RunRecord
from benchmark.core.run_state import RunState
from benchmark.execution.local_pool import Watcher, run_all
from benchmark.store.store import Store

if TYPE_CHECKING:
    from benchmark.evaluation.counts import Counts


@dataclass(frozen=True)
class Verdict:
    """What came of running a spec again.

    Attributes:
        before, again: the two records.
        differing: environment entries that differ, as (before, again) by name.
        images: how many images have other counts.
        hiou: before and again, convention d2-main; None where the second run failed.
    """

    before: RunRecord
    again: RunRecord
    differing: dict[str, tuple[str, str]]
    images: int = 0
    hiou: tuple[float, float] | None = None

    @property
    def is_same(self) -> bool:
        """Whether every pixel was counted alike."""
        return self.again.state is RunState.DONE and self.before.counts_digest == self.again.counts_digest


def verify(run_id: str, store: Store, *, observe: Watcher | None = None) -> Verdict:
    """Run a done run's spec again in a scratch store, which is removed afterwards.

    Raises:
        ValueError: the run is not done, so there is nothing to compare with.
    """
    run = store.run(run_id)
    snapshot = run.read_snapshot()
    before = snapshot.record
    if snapshot.state is not RunState.DONE or before is None:
        raise ValueError(f"{run_id} is {snapshot.state}: only a run that is done can be verified")
    counts = run.read_counts(before)
    with tempfile.TemporaryDirectory(prefix="chimera-bench-verify-") as folder:
        scratch = Store(Path(folder))
        run_all([before.spec], store=scratch, jobs=1, observe=observe)
        again = scratch.run(run_id).read_record()
        differing = differences(before.environment, again.environment)
        if again.state is not RunState.DONE:
            return Verdict(before, again, differing)
        return _compared(before, again, differing=differing, counts=(counts, scratch.run(run_id).read_counts(again)))


def differences(before: Environment, again: Environment) -> dict[str, tuple[str, str]]:
    """Entries in which two environments differ, packages one by one."""
    one, other = _flat(before), _flat(again)
    return {
        name: (one.get(name, "absent"), other.get(name, "absent"))
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    }


def in_words(verdict: Verdict) -> list[str]:
    """The verdict as lines."""
    lines: list[str] = []
    if verdict.is_same:
        lines.append(f"identical: every pixel of {verdict.before.spec.id} was counted alike")
        lines.append(f"  counts {verdict.before.counts_digest}")
    elif verdict.again.failure is not None:
        lines.append(f"not verified: the second run failed: {verdict.again.failure.message}")
        lines += [f"  | {line}" for line in verdict.again.failure.log_tail.splitlines()]
    elif verdict.hiou is not None:
        lines.append(f"different: {verdict.images} images have other counts")
        lines.append(f"  hIoU {verdict.hiou[0]:.4f} before, {verdict.hiou[1]:.4f} again (d2-main)")
    lines += [f"  {name}: {one} before, {other} again" for name, (one, other) in verdict.differing.items()]
    if not verdict.is_same and not verdict.differing:
        lines.append("  the environments are alike: the method draws random numbers that its seed does not fix")
    return lines


def as_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as plain values."""
    return {
        "id": verdict.before.spec.id,
        "identical": verdict.is_same,
        "counts_digest": [verdict.before.counts_digest, verdict.again.counts_digest],
        "failure": verdict.again.failure.model_dump() if verdict.again.failure else None,
        "images_differing": verdict.images,
        "hiou": verdict.hiou,
        "environment": verdict.differing,
    }


def _compared(
    before: RunRecord, again: RunRecord, *, differing: dict[str, tuple[str, str]], counts: tuple[Counts, Counts]
) -> Verdict:
    from benchmark.evaluation.scores import score

    hiou = (score(counts[0], "d2-main").hiou, score(counts[1], "d2-main").hiou)
    return Verdict(before, again, differing, images=_images_that_differ(*counts), hiou=hiou)


def _images_that_differ(one: Counts, other: Counts) -> int:
    if one.image_ids != other.image_ids:
        return len({*one.image_ids} ^ {*other.image_ids})
    differ: set[int] = set()
    for name in ("intersection", "prediction"):
        differ |= set((getattr(one, name) != getattr(other, name)).nonzero()[0].tolist())
    return len(differ)


def _flat(environment: Environment) -> dict[str, str]:
    entries = environment.model_dump(exclude={"packages"})
    return {name: str(value) for name, value in entries.items()} | environment.packages
