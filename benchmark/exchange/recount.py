"""Verification of imported predictions: they cannot be run again, but their label maps can be counted again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark.core.run_record import RunRecord
from benchmark.exchange.count_labels import ImageObserver, count_source
from benchmark.exchange.evaluation_targets import EvaluationTargets, open_targets
from benchmark.exchange.import_request import open_labels
from benchmark.exchange.imported_files import ImportedFiles
from benchmark.exchange.imported_labels import restore_ids
from benchmark.exchange.label_files import find_labels_folder
from benchmark.planning.resolve import load_split_of
from benchmark.planning.run_code import describe_code
from benchmark.store.environment import find_commit
from benchmark.store.run_folder import RunFolder
from benchmark.utils.atomic_files import read_value
from benchmark.utils.exit_codes import ExitCode

MAX_SHOWN = 4


@dataclass(frozen=True)
class Recount:
    """Result of counting imported label maps again.

    Attributes:
        path: Folder or file that was read.
        original: Record of the import.
        repeated: The record with the counts and the code of now.
        changed_files: Names of files that were changed, added or removed since the import.
    """

    path: Path
    original: RunRecord
    repeated: RunRecord
    changed_files: tuple[str, ...]

    @property
    def is_identical(self) -> bool:
        """Whether all pixel counts are equal."""
        return self.original.counts_digest == self.repeated.counts_digest

    @property
    def exit_code(self) -> ExitCode:
        """Exit code of a command that ends with this result."""
        return ExitCode.SUCCESS if self.is_identical else ExitCode.DIFFERENT

    def format_lines(self) -> list[str]:
        """Format the result as lines of text."""
        run_id = self.original.spec.id
        source = f"counted again from {self.path}; imported predictions cannot be run again"
        some = ", ".join(self.changed_files[:MAX_SHOWN]) + (" …" if len(self.changed_files) > MAX_SHOWN else "")
        changed = f"files that changed since the import: {len(self.changed_files)} ({some})" if some else ""
        if self.is_identical:
            lines = [f"identical: all pixel counts of {run_id} are equal ({source})"]
            return lines + ([f"  {changed}"] if changed else [])
        return [
            f"different: pixel counts of {run_id} differ ({source})",
            f"  {changed or 'no file changed since the import, so the code that counts did'}",
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "id": self.original.spec.id,
            "identical": self.is_identical,
            "counted_from": str(self.path),
            "counts_digest": [self.original.counts_digest, self.repeated.counts_digest],
            "changed_files": list(self.changed_files),
        }


def recount(
    run: RunFolder, *, path: Path | None = None, observe: ImageObserver = lambda _done, _total: None
) -> Recount:
    """Count the label maps of an imported run again.

    Args:
        run: Folder of the run.
        path: Folder or file of the label maps; None for that of the import.
        observe: Function that is called after every image.

    Raises:
        ValueError: The label maps are not there, or cannot be read as they were; split or dataset changed.
    """
    record = run.read_record()
    assert record.imported is not None
    path = find_labels_folder(path or Path(record.imported.folder))
    if not path.exists():
        raise ValueError(
            f"{run.id} was imported and cannot be run again, and its label maps are not in {path}: give their folder "
            "with --predictions"
        )
    listed = read_value(ImportedFiles, run.predictions_path)
    targets = _open_targets(record)
    ids = restore_ids(listed, text=record.imported.ids, classes=targets.split.classes)
    checked = open_labels(path, record.spec, targets=targets, ids=ids)
    counted = count_source(checked.source, checked.targets, observe=observe)
    files = checked.source.digest_files(checked.targets.image_ids)
    changes = {
        "counts_digest": counted.counts.digest(),
        "code": describe_code(record.spec),
        "environment": record.environment.model_copy(update={"commit": find_commit()}),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return Recount(path, record, record.model_copy(update=changes), _list_changed(listed.files, files))


def _open_targets(record: RunRecord) -> EvaluationTargets:
    spec = record.spec
    split = load_split_of(spec)
    targets = open_targets(split, max_images=spec.max_images)
    if targets.dataset.fingerprint(split.train, split.evaluate) != spec.dataset_fingerprint:
        raise ValueError(f"{spec.id} cannot be counted again: dataset {split.dataset!r} changed since the import")
    return targets


def _list_changed(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in sorted({*before, *after}) if before.get(name) != after.get(name))
