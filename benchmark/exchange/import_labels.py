"""Import of predictions: label maps of another program become a run with counts and a record, like any other.

The name, split, protocol, data and seed identify an imported run; the predictions are its result. The same predictions
can be imported again without effect; others under the same name and seed are refused, as a record is never edited.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmark.core.run_record import ImportedLabels, RunRecord, digest_code
from benchmark.core.run_state import RunState
from benchmark.exchange.count_labels import ImageObserver, LabelCounts, count_source
from benchmark.exchange.import_request import (
    STATED_TRAITS,
    CheckedImport,
    ImportRequest,
    check_request,
    describe_traits,
)
from benchmark.exchange.imported_files import ImportedFiles
from benchmark.planning.run_code import describe_code
from benchmark.store.environment import describe_environment
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.atomic_files import format_json, write_text
from benchmark.utils.frozen_model import format_canonical_json
from benchmark.utils.lock import hold_lock


@dataclass(frozen=True)
class ImportResult:
    """Result of an import.

    Attributes:
        record: Record of the run.
        is_new: Whether the run was not there before.
        remarks: Facts that a user should know, one line each.
    """

    record: RunRecord
    is_new: bool
    remarks: tuple[str, ...]


def import_labels(
    request: ImportRequest, *, store: Store, observe: ImageObserver = lambda _done, _total: None
) -> ImportResult:
    """Import predictions; nothing is written before all of them are read and counted.

    Args:
        request: Predictions and what is known about them.
        store: Store that gets the run.
        observe: Function that is called after every image.

    Raises:
        FileNotFoundError: The folder or the dataset does not exist.
        KeyError: A name is unknown, see `check_request`.
        ValueError: The label maps cannot be read, do not fit the split, or others were imported under this name.
        BusyError: Another process imports the same.
    """
    checked = check_request(request)
    started = _format_time()
    counted = count_source(checked.source, checked.targets, observe=observe)
    remarks = (*checked.remarks, *_describe_no_class(counted))
    files = checked.source.digest_files(checked.targets.image_ids)
    origin = ImportedLabels(
        folder=str(checked.source.path.expanduser().absolute()),
        num_files=len(files),
        files_digest=hashlib.sha256(format_canonical_json(dict(files)).encode()).hexdigest(),
        labels_digest=counted.labels_digest,
        ids=checked.ids.text,
        program=request.program,
        note=request.note,
        no_class_pixels=counted.no_class_pixels,
    )
    folder = store.run(checked.spec.id)
    with hold_lock(folder.path):
        if folder.record_path.is_file():
            return ImportResult(_find_same(folder, request, origin), False, remarks)
        record = _save(folder, checked, request, started=started, origin=origin, counted=counted, files=files)
    return ImportResult(record, True, remarks)


def _save(
    folder: RunFolder,
    checked: CheckedImport,
    request: ImportRequest,
    *,
    started: str,
    origin: ImportedLabels,
    counted: LabelCounts,
    files: Mapping[str, str],
) -> RunRecord:
    """Write the run and return its record, which is written last and makes the run done."""
    code = describe_code(checked.spec)
    attempt = folder.begin_attempt(checked.spec, code=digest_code(code))
    record = RunRecord(
        spec=checked.spec,
        environment=describe_environment(),
        code=code,
        state=RunState.DONE,
        counts_digest=counted.counts.digest(),
        title=request.name,
        paper=request.paper,
        supervision=request.supervision,
        traits=describe_traits(request, checked.spec, checked.targets.split),
        imported=origin,
        attempts=attempt.number,
        started=started,
        finished=_format_time(),
    )
    write_text(folder.predictions_path, format_json(ImportedFiles(ids=checked.ids.list_names(), files=dict(files))))
    folder.save_result(record, counted.counts)
    return record


def _find_same(folder: RunFolder, request: ImportRequest, origin: ImportedLabels) -> RunRecord:
    """Return the record of an earlier import of the same predictions.

    Raises:
        ValueError: The earlier import was of other predictions, or described them in another way.
    """
    record = folder.read_record()
    if record.imported is None or record.imported.labels_digest != origin.labels_digest:
        before = record.imported.folder if record.imported else "a run"
        raise ValueError(
            f"other predictions are imported as {request.name!r} with seed {request.seed} already (from {before}): "
            f"give another --as or --seed, or move {folder.path} away"
        )
    texts: dict[str, tuple[object, object]] = {
        "supervision": (record.supervision, request.supervision),
        "paper": (record.paper, request.paper),
        "program": (record.imported.program, request.program),
        "note": (record.imported.note, request.note),
    }
    known = record.known_traits
    texts |= {name: (getattr(known, name), getattr(request, name)) for name in STATED_TRAITS}
    changed = [
        f"{name.replace('_', ' ')} {old!r} instead of {new!r}"
        for name, (old, new) in texts.items()
        if new and new != old
    ]
    if changed:
        raise ValueError(
            f"these predictions are imported as {request.name!r} already, with {', '.join(changed)}; a record is never "
            f"edited: move {folder.path} away to import them again"
        )
    return record


def _describe_no_class(counted: LabelCounts) -> list[str]:
    if not counted.no_class_pixels:
        return []
    labeled = int(counted.counts.totals.target.sum())
    share = f"{100 * counted.no_class_pixels / labeled:.2g} %"
    return [f"{counted.no_class_pixels} labeled pixels ({share}) are predicted as no class: they count as wrong"]


def _format_time() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
