"""Files of a run that another attempt must not find: they move into the folder of the attempt that left them."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from benchmark.core.checkpoint_error import CheckpointError
from benchmark.core.run_record import RunRecord
from benchmark.core.run_state import RunState
from benchmark.store.attempts import Attempt, count_stalls, fingerprint_progress, get_attempt_folder
from benchmark.store.run_paths import RunPaths
from benchmark.store.run_snapshot import RunSnapshot

_log = logging.getLogger(__name__)


def is_checkpoint_refused(run: RunPaths, record: RunRecord | None, attempts: Sequence[Attempt]) -> bool:
    """Return whether the latest attempt failed because of its checkpoint, and the same file is still there.

    Args:
        run: Paths of the run.
        record: Record of the run; None if there is none.
        attempts: All attempts, oldest first.
    """
    failure = None if record is None else record.failure
    if failure is None or failure.kind != CheckpointError.__name__ or not run.checkpoint_path.exists():
        return False
    return count_stalls(attempts, checkpoint=fingerprint_progress(run.checkpoint_path, run.partial_path)) > 0


def set_aside(run: RunPaths, snapshot: RunSnapshot, attempts: Sequence[Attempt], *, code: str) -> None:
    """Move files that another attempt must not find, or would replace, into the folder of the last one.

    Args:
        run: Paths of the run.
        snapshot: What its files show.
        attempts: All attempts, oldest first.
        code: Digest of the current source; empty if unknown.
    """
    known = [attempt.code for attempt in attempts if attempt.code]
    is_other_code = bool(known and code and known[-1] != code)
    is_unusable = is_other_code or is_checkpoint_refused(run, snapshot.record, attempts)
    is_broken = snapshot.state is RunState.BROKEN
    last = get_attempt_folder(run.path, len(attempts))
    for path in [run.record_path] + [run.checkpoint_path] * is_unusable + [run.counts_path] * is_broken:
        if path.exists():
            last.mkdir(parents=True, exist_ok=True)
            os.replace(path, last / path.name)
            _log.info("moved %s to %s", path.name, last)
