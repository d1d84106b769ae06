"""Reading and writing the files of one run; record.json is the single source of truth for its result.

Reading changes nothing and needs no torch.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.core.run_record import RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.store.attempts import (
    Attempt,
    SupersededError,
    count_stalls,
    fingerprint_progress,
    get_attempt_folder,
    has_attempt,
    is_latest,
    list_attempt_numbers,
    read_attempts,
)
from benchmark.store.counts_file import check_counts_file
from benchmark.store.progress import append_losses, read_heartbeat, read_losses, write_heartbeat
from benchmark.store.run_paths import RunPaths
from benchmark.store.run_snapshot import RunSnapshot
from benchmark.store.set_aside import is_checkpoint_refused, set_aside
from benchmark.utils.atomic_files import (
    UnreadableError,
    describe_unreadable,
    format_json,
    has_content,
    open_draft,
    read_last_lines,
    read_value,
    write_new,
    write_text,
)
from benchmark.utils.drafts import sweep_drafts
from benchmark.utils.lock import find_owner, identify_this_process

if TYPE_CHECKING:
    from benchmark.evaluation.counts import Counts

LOG_LINES = 30
"""Lines of the log that a failure keeps."""


@dataclass(frozen=True)
class RunFolder(RunPaths):
    """Files of one run. The object holds no state: every method reads from or writes to disk."""

    @property
    def next_attempt_path(self) -> Path:
        """Folder of the next attempt; its log may be opened before the attempt begins."""
        return get_attempt_folder(self.path, len(self.read_attempts()) + 1)

    # Spec

    def write_spec(self, spec: RunSpec) -> Path:
        """Write the spec and return its path; one that is there already is replaced if it was given in other words.

        Raises:
            ValueError: The folder holds another spec.
        """
        existing = self.read_spec() if self.spec_path.is_file() else None
        if existing is not None and existing.id != spec.id:
            raise ValueError(f"{self.spec_path} holds another spec than its folder's name says: move the folder away")
        if existing != spec:
            write_text(self.spec_path, format_json(spec))
        return self.spec_path

    def read_spec(self) -> RunSpec:
        """Read the spec.

        Raises:
            ValueError: The file is missing or broken; the message names it.
        """
        return read_value(RunSpec, self.spec_path)

    # Attempts

    def begin_attempt(self, spec: RunSpec, *, code: str = "") -> Attempt:
        """Begin another attempt; the record of an earlier failure moves into the folder of the attempt that left it.

        So does a checkpoint that the latest attempt refused, since this one would fail in the same way. Drafts that
        killed processes left behind are deleted.

        Args:
            spec: Spec of this run; it is written if it is not there yet.
            code: Digest of the current source. A checkpoint from another version of the code is set aside, so that no
                run is trained half by one version and half by another.

        Raises:
            FileExistsError: The run is done, or another process has just begun the same attempt.
            UnreadableError: Files of the run exist and cannot be read; they may hold a result.
        """
        self.write_spec(spec)
        earlier, snapshot = self.read_attempts(), self.read_snapshot()
        if snapshot.state is RunState.DONE:
            raise FileExistsError(f"{self.id} is already done: a record is never edited")
        if snapshot.is_unreadable:
            raise UnreadableError(snapshot.problem)
        set_aside(self, snapshot, earlier, code=code)
        sweep_drafts(self.path)
        attempt = Attempt(
            number=len(earlier) + 1,
            started=_format_time(),
            owner=identify_this_process(),
            code=code,
            checkpoint=fingerprint_progress(self.checkpoint_path, self.partial_path),
        )
        write_new(get_attempt_folder(self.path, attempt.number) / "attempt.json", format_json(attempt))
        return attempt

    def read_attempts(self) -> list[Attempt]:
        """Read all attempts, oldest first.

        Raises:
            ValueError: A file is broken; the message names it.
        """
        return read_attempts(self.path)

    def count_stalls(self, *, after: int = 0) -> int:
        """Count the latest attempts in a row that saved nothing new.

        Args:
            after: Number of oldest attempts that do not count.
        """
        saved = fingerprint_progress(self.checkpoint_path, self.partial_path)
        return count_stalls(self.read_attempts()[after:], checkpoint=saved)

    def has_refused_checkpoint(self) -> bool:
        """Return whether the latest attempt failed because of its checkpoint, and the same file is still there."""
        try:
            return is_checkpoint_refused(self, self.read_snapshot().record, self.read_attempts())
        except (OSError, ValueError):  # another attempt cannot begin, and says why
            return False

    def check_latest(self, number: int) -> None:
        """Check that an attempt may still write.

        Raises:
            SupersededError: A later attempt than `number` has begun.
        """
        if not is_latest(self.path, number):
            raise SupersededError(
                f"attempt {number} of {self.id} was given up and {number + 1} has begun: it writes no more"
            )

    def find_log(self, number: int | None = None) -> Path:
        """Return the path of an attempt's log.

        Args:
            number: Number of the attempt; None for the latest one that has a log.

        Raises:
            KeyError: The attempt has no log; the message lists those that have one.
        """
        numbers = list_attempt_numbers(self.path)
        paths = {number: get_attempt_folder(self.path, number) / "log.txt" for number in numbers}
        logs = {number: path for number, path in paths.items() if path.is_file()}
        wanted = max(logs, default=0) if number is None else number
        if wanted not in logs:
            raise KeyError(f"no log of attempt {wanted or 1} of {self.id}; there are logs of: {sorted(logs) or 'none'}")
        return logs[wanted]

    def read_log_tail(self) -> str:
        """Read the last lines of the latest log; empty if there is no log."""
        try:
            return read_last_lines(self.find_log(), LOG_LINES)
        except KeyError:
            return ""

    # Progress

    def write_heartbeat(self, progress: Mapping[str, Any]) -> None:
        """Replace the heartbeat, see `benchmark.store.progress.write_heartbeat`."""
        write_heartbeat(self.heartbeat_path, progress)

    def read_heartbeat(self) -> dict[str, Any] | None:
        """Read the heartbeat; None if there is no readable one."""
        return read_heartbeat(self.heartbeat_path)

    def append_losses(self, iteration: int, losses: Mapping[str, float]) -> None:
        """Append the losses of one iteration, by name."""
        append_losses(self.history_path, iteration, losses)

    def read_losses(self) -> list[dict[str, Any]]:
        """Read the losses: dicts of "iteration" and "losses", iterations ascending."""
        return read_losses(self.history_path)

    # Result

    def read_state(self) -> RunState:
        """Read the state of the run."""
        return self.read_snapshot().state

    def read_snapshot(self) -> RunSnapshot:
        """Read the state and the record of the run at once; a run that cannot be read is broken."""
        try:
            if not has_content(self.record_path):
                return RunSnapshot(self._read_unfinished_state())
            record = self.read_record()
            if record.state is RunState.DONE:
                check_counts_file(self.counts_path)
        except FileNotFoundError:
            return RunSnapshot(RunState.BROKEN, problem=self._describe_missing_counts())
        except ValueError as error:
            return RunSnapshot(RunState.BROKEN, problem=str(error), is_unreadable=isinstance(error, UnreadableError))
        except OSError as error:
            return RunSnapshot(RunState.BROKEN, problem=describe_unreadable(self.path, error), is_unreadable=True)
        return RunSnapshot(record.state, record)

    def _describe_missing_counts(self) -> str:
        return f"{self.counts_path} is missing: copy it again from the machine that ran it"

    def _read_unfinished_state(self) -> RunState:
        if find_owner(self.path) is not None:
            return RunState.RUNNING
        return RunState.INTERRUPTED if has_attempt(self.path) else RunState.MISSING

    def read_record(self) -> RunRecord:
        """Read the record.

        Raises:
            ValueError: The file is missing, broken, or belongs to another run; the message names it.
        """
        record = read_value(RunRecord, self.record_path)
        if record.spec.id != self.id:
            raise ValueError(f"{self.record_path} is the record of another run, {record.spec.id}: move it there")
        return record

    def read_counts(self, record: RunRecord | None = None) -> Counts:
        """Read the pixel counts and check them against the record.

        Args:
            record: Record of this run; None to read it.

        Raises:
            ValueError: There are no counts, they cannot be read, or they are others than those that the record names.
        """
        from benchmark.evaluation.counts import load

        record = record or self.read_record()
        if record.state is not RunState.DONE:
            raise ValueError(f"{self.id} has no counts: it failed")
        if not self.counts_path.is_file():
            raise ValueError(self._describe_missing_counts())
        try:
            counts = load(self.counts_path)
        except OSError as error:
            raise ValueError(describe_unreadable(self.counts_path, error)) from error
        if counts.digest() != record.counts_digest:
            raise ValueError(
                f"{self.counts_path} does not hold the counts that its record names: copy the folder again"
            )
        return counts

    def save_result(self, record: RunRecord, counts: Counts) -> None:
        """Write the counts, then the record, which makes the run done.

        Raises:
            ValueError: The record does not name these counts.
            FileExistsError: The run already has a record.
            SupersededError: A later attempt has begun.
            OSError: The files cannot be written; what was there before is intact.
        """
        digest = counts.digest()
        if record.state is not RunState.DONE or record.counts_digest != digest:
            raise ValueError(f"the record of {self.id} is not of these counts: it needs counts_digest={digest}")
        self._check_no_record(record)
        with open_draft(self.counts_path) as draft:
            counts.save(draft)
        self._write_record(record)
        shutil.rmtree(self.partial_path, ignore_errors=True)

    def save_failure(self, record: RunRecord) -> None:
        """Write the record of a failure.

        Raises:
            ValueError: The record is not that of a failure.
            FileExistsError: The run already has a record.
            SupersededError: A later attempt has begun.
            OSError: The file cannot be written; what was there before is intact.
        """
        if record.state is not RunState.FAILED or record.failure is None:
            raise ValueError(f"the record of {self.id} is not that of a failure: give state='failed' and a failure")
        self._check_no_record(record)
        self._write_record(record)

    def _check_no_record(self, record: RunRecord) -> None:
        if record.spec.id != self.id:
            raise ValueError(f"the record of {record.spec.id} does not belong into {self.path}")
        if self.record_path.exists():
            raise FileExistsError(
                f"{self.record_path} exists, and a record is never edited: move its folder away to run it again"
            )
        self.check_latest(record.attempts)

    def _write_record(self, record: RunRecord) -> None:
        self.check_latest(record.attempts)
        write_new(self.record_path, format_json(record))


def _format_time() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
