"""Verification of a result: the spec is run again in another store, and the pixel counts are compared."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from benchmark.core.environment import Environment, describe_arithmetic, list_differences
from benchmark.core.run_record import RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.execution.devices import NO_GPU
from benchmark.execution.local_pool import PoolObserver, run_all
from benchmark.execution.recorded_inputs import list_input_problems
from benchmark.execution.worker_process import WorkerResources
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode

if TYPE_CHECKING:
    from benchmark.evaluation.counts import Counts


class NotVerifiableError(ValueError):
    """A run cannot be repeated as it was: a file that it depends on changed or is missing."""


class RunFacts(Protocol):
    """Facts of a run that can explain its result; a `RunRecord` has them."""

    @property
    def environment(self) -> Environment:
        """Packages and machine."""

    @property
    def code(self) -> dict[str, str]:
        """Digest of each file of the package that can change the result."""

    @property
    def inputs(self) -> dict[str, str]:
        """SHA-256 of each weight, embedding and prompt file that was read."""


@dataclass(frozen=True)
class CountsDifference:
    """Differences between two results of one spec.

    Attributes:
        images: Number of images whose counts differ, or that only one of the results has.
        total_images: Number of images of the original result.
        hiou: hIoU of the original and of the other result, convention d2-main.
    """

    images: int
    total_images: int
    hiou: tuple[float, float]


@dataclass(frozen=True)
class Verification:
    """Result of running a spec again.

    Attributes:
        original: Record of the original run.
        repeated: Record of the repeated run.
        changes: Recorded facts that differ, as (original, repeated) by name.
        difference: Differences of the counts; None if the counts are equal or the repeated run failed.
        input_problems: Inputs that are not what the original run read, one line each; only if the repeated run failed.
    """

    original: RunRecord
    repeated: RunRecord
    changes: dict[str, tuple[str, str]]
    difference: CountsDifference | None = None
    input_problems: tuple[str, ...] = ()

    @property
    def is_identical(self) -> bool:
        """Whether all pixel counts are equal."""
        return self.repeated.state is RunState.DONE and self.original.counts_digest == self.repeated.counts_digest

    @property
    def exit_code(self) -> ExitCode:
        """Exit code of a command that ends with this result."""
        if self.repeated.state is not RunState.DONE:
            return ExitCode.FINISHED_WITH_FAILURES
        return ExitCode.SUCCESS if self.is_identical else ExitCode.DIFFERENT

    def format_lines(self) -> list[str]:
        """Format the result as lines of text."""
        changes = format_changes(self.changes)
        if self.repeated.failure is not None:
            lines = [f"not verified: the repeated run failed: {self.repeated.failure.summary}"]
            lines += [f"  {problem}" for problem in self.input_problems]
            return lines + (["  facts that differed when it failed:", *changes] if changes else [])
        if self.is_identical:
            lines = [f"identical: all pixel counts of {self.original.spec.id} are equal"]
            lines.append(f"  counts {self.original.counts_digest}")
            return lines + (["  although these recorded facts differ:", *changes] if changes else [])
        lines = _describe_difference(self.difference) if self.difference is not None else []
        if self.original.attempts > 1:
            lines.append(
                f"  the original run was interrupted and went on in attempt {self.original.attempts}: a method that "
                "keeps something outside its checkpoint differs (chimera-bench test looks for it in a few iterations)"
            )
        if changes:
            return [*lines, "  these recorded differences may explain it:", *changes]
        if self.original.attempts > 1:
            return lines
        return [*lines, f"  no recorded difference explains it; compared were {describe_compared()}"]

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "id": self.original.spec.id,
            "identical": self.is_identical,
            "counts_digest": [self.original.counts_digest, self.repeated.counts_digest],
            "failure": self.repeated.failure.model_dump() if self.repeated.failure else None,
            "images_differing": self.difference.images if self.difference else 0,
            "hiou": self.difference.hiou if self.difference else None,
            "changes": self.changes,
            "attempts": [self.original.attempts, self.repeated.attempts],
            "input_problems": self.input_problems,
            "arithmetic": [
                describe_arithmetic(self.original.environment),
                describe_arithmetic(self.repeated.environment),
            ],
        }


def verify_run(
    run_id: str,
    store: Store,
    *,
    keep: Path | None = None,
    uses_present_source: bool = False,
    begin: Callable[[], None] | None = None,
    observe: PoolObserver | None = None,
) -> Verification:
    """Run the spec of a finished run again in a temporary store and compare the pixel counts.

    The run is repeated with the threads of the original one, and its cost is not measured.

    Args:
        run_id: Id of the run.
        store: Store that holds the run.
        keep: Folder that keeps the repeated run; None for a temporary folder.
        uses_present_source: Whether an external method is run as it is now, if it has changed since.
        begin: Function that is called after the checks, when the repeated run starts.
        observe: Function that is called with the state of the pool several times a second.

    Raises:
        ValueError: The run is not done, so there is nothing to compare with, or `keep` holds it already.
        NotVerifiableError: The method file, the split, the dataset or a file of the config changed or is missing.
    """
    run = store.run(run_id)
    original = _read_finished(run)
    counts = run.read_counts(original)
    present = _take_present_source(original.spec)
    if present != original.spec and not uses_present_source:
        advice = "--accept repeats it with the method as it is now"
        raise NotVerifiableError(f"{run_id} cannot be verified: {original.spec.method} changed since the run; {advice}")
    spec = present
    _check_original(original, spec)
    resources = _choose_resources(original.environment)
    with _open_scratch(keep, run_id) as scratch:
        if begin is not None:
            begin()
        run_all([spec], store=scratch, jobs=1, resources=resources, observe=observe)
        repeated = scratch.run(spec.id).read_record()
        if repeated.state is not RunState.DONE:
            return _describe_failed(original, repeated)
        changes = compare_records(original, repeated) | _compare_sources(original.spec, spec)
        if repeated.counts_digest == original.counts_digest:
            return Verification(original, repeated, changes)
        difference = compare_counts(counts, scratch.run(spec.id).read_counts(repeated))
    return Verification(original, repeated, changes, difference)


def _choose_resources(environment: Environment) -> WorkerResources:
    """Return the resources to repeat a run with: its threads, and no GPU if it used none."""
    devices = () if environment.machine.gpu is not None else (NO_GPU,)
    return WorkerResources(threads=environment.threads, measures_cost=False, devices=devices)


def check_repeatable(spec: RunSpec) -> None:
    """Check that method file, split, dataset and files of the config are what they were when the spec was made.

    Raises:
        NotVerifiableError: One of them changed or is missing.
    """
    from benchmark.data.catalog import open_dataset
    from benchmark.planning.resolve import load_recipe_of, load_split_of, restore_setup

    try:
        recipe, split = load_recipe_of(spec), load_split_of(spec)
        restore_setup(spec, recipe=recipe, split=split)
        fingerprint = open_dataset(split.dataset).fingerprint(split.train, split.evaluate)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        raise NotVerifiableError(f"{spec.id} cannot be verified: {reason}") from error
    if fingerprint != spec.dataset_fingerprint:
        raise NotVerifiableError(f"{spec.id} cannot be verified: dataset {split.dataset!r} changed since the run")


def compare_records(original: RunFacts, other: RunFacts) -> dict[str, tuple[str, str]]:
    """Return the recorded facts in which two results differ, as (original, other) by name.

    Code is compared by the files that the run used; the commit is left out, since it says nothing more.
    """
    changes = list_differences(original.environment, other.environment)
    changes = {name: values for name, values in changes.items() if name != "commit"}
    for kind in ("code", "inputs"):
        originals, others = getattr(original, kind), getattr(other, kind)
        changes |= {
            f"{kind}.{name}": (originals.get(name, "absent")[:12], others.get(name, "absent")[:12])
            for name in sorted({*originals, *others})
            if originals.get(name) != others.get(name)
        }
    return changes


def compare_counts(original: Counts, other: Counts) -> CountsDifference:
    """Compare the counts of two results of one spec."""
    from benchmark.evaluation.scores import score

    hiou = (score(original, "d2-main").hiou, score(other, "d2-main").hiou)
    return CountsDifference(_count_changed_images(original, other), len(original.image_ids), hiou)


def describe_compared() -> str:
    """Name the recorded facts that a comparison looks at."""
    return "code, inputs, Python, packages, C library, processor, instruction sets, threads, switches of torch and GPU"


def format_changes(changes: dict[str, tuple[str, str]]) -> list[str]:
    """Return a line for each recorded fact that differs."""
    return [f"    {name}: {original} -> {other}" for name, (original, other) in changes.items()]


@contextmanager
def _open_scratch(keep: Path | None, run_id: str) -> Iterator[Store]:
    """Yield the store of the repeated run."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="chimera-bench-verify-") as folder:
            yield Store(Path(folder))
        return
    if (keep / run_id).exists():
        raise ValueError(f"{keep} holds {run_id} already: give another folder")
    yield Store(keep)


def _read_finished(run: RunFolder) -> RunRecord:
    snapshot = run.read_snapshot()
    if snapshot.state is not RunState.DONE or snapshot.record is None:
        reason = f" ({snapshot.problem})" if snapshot.problem else ""
        raise ValueError(f"{run.id} is {snapshot.state}{reason}: only a run that is done can be verified")
    return snapshot.record


def _take_present_source(spec: RunSpec) -> RunSpec:
    """Return the spec of a run with its external method as it is now; an included method is never part of a spec."""
    from benchmark.planning.registry import compute_source_digest

    try:
        digest = compute_source_digest(spec.source or spec.method) if spec.source_digest else ""
    except (KeyError, ValueError):  # it is not here, which `check_repeatable` says
        digest = spec.source_digest
    fields = {name: getattr(spec, name) for name in RunSpec.model_fields}
    return RunSpec.model_validate(fields | {"source_digest": digest})


def _compare_sources(original: RunSpec, other: RunSpec) -> dict[str, tuple[str, str]]:
    digests = (original.source_digest[:12], other.source_digest[:12])
    return {"method file": digests} if digests[0] != digests[1] else {}


def _check_original(original: RunRecord, spec: RunSpec) -> None:
    """Check that a run can be repeated; if not, name the files that are not what the original run read."""
    try:
        check_repeatable(spec)
    except NotVerifiableError as error:
        problems = "; ".join(list_input_problems(original))
        if problems:
            raise NotVerifiableError(f"{original.spec.id} cannot be verified: {problems}") from error
        raise


def _describe_failed(original: RunRecord, repeated: RunRecord) -> Verification:
    """Return the result of a repeated run that failed: facts that only one of the two recorded are no differences."""
    changes = {
        name: values
        for name, values in compare_records(original, repeated).items()
        if "absent" not in values and not name.startswith("inputs.")
    }
    return Verification(original, repeated, changes, input_problems=tuple(list_input_problems(original)))


def _describe_difference(difference: CountsDifference) -> list[str]:
    """Return lines that say how the counts of two results differ."""
    original, repeated = difference.hiou
    scores = f"  hIoU {original:.4f} in the original run, {repeated:.4f} repeated (d2-main)"
    if not difference.images:
        equal = f"the counts of all {difference.total_images} images are equal"
        return [f"different: {equal}; only sums over all images differ (margins or confusions)", scores]
    return [f"different: the counts of {difference.images} of {difference.total_images} images differ", scores]


def _count_changed_images(original: Counts, other: Counts) -> int:
    if original.image_ids != other.image_ids:
        return len({*original.image_ids} ^ {*other.image_ids})
    changed: set[int] = set()
    for name in ("intersection", "prediction"):
        changed |= set((getattr(original, name) != getattr(other, name)).nonzero()[0].tolist())
    return len(changed)
