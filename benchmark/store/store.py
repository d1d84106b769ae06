"""Runs as files: one folder a run, one JSON as its truth.

    ROOT/<id>/spec.json         what to run
    ROOT/<id>/record.json       what came of it; written once, draft and rename
    ROOT/<id>/counts.npz        pixel counts per image, where the run is done
    ROOT/<id>/history.jsonl     losses, one line a report
    ROOT/<id>/heartbeat.json    where it stands
    ROOT/<id>/checkpoint.pt     where it goes on
    ROOT/<id>/metrics.json      and events.out.tfevents.*: what Detectron2's writers keep, under that engine
    ROOT/<id>/lock              who works on it, see `benchmark.utils.lock`
    ROOT/<id>/attempts/NN/      attempt.json, log.txt, and the record of a failure that was tried again
    ROOT/plans/<study>.json     which runs a study consists of
    ROOT/plans/<study>.memo     how that was made, see `benchmark.planning.plan_cache`; may vanish

Reading changes nothing, not even the existence of ROOT, and needs no torch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmark.core.run_record import RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.store.attempts import Attempt, Superseded, attempt_folder, is_latest, mark_of, read_attempts, stalls
from benchmark.store.progress import append_losses, read_heartbeat, read_losses, write_heartbeat
from benchmark.utils.atomic_files import draft_of, read_value, write_new, write_text, written
from benchmark.utils.did_you_mean import unknown_name
from benchmark.utils.lock import owner, this_process

if TYPE_CHECKING:
    from benchmark.core.study import Plan
    from benchmark.evaluation.counts import Counts

State = Literal["done", "failed", "broken", "running", "interrupted", "missing"]
"""done and failed have a record, a broken one cannot be read; interrupted was begun and nobody works on it."""

_ID = re.compile(r".+-s\d+-[0-9a-f]{16}")


@dataclass(frozen=True)
class BrokenRecord:
    """A record that cannot be read; it hides no other.

    Attributes:
        path: the file.
        reason: one line.
    """

    path: Path
    reason: str


class Store:
    """The runs below one folder. Holds no state of its own: what it answers is what lies on disk."""

    def __init__(self, root: Path | str = "runs") -> None:
        self.root = Path(root)

    def folder(self, run_id: str) -> Path:
        """Where everything of a run lies."""
        return self.root / run_id

    def checkpoint(self, run_id: str) -> Path:
        """Where a run's training goes on."""
        return self.folder(run_id) / "checkpoint.pt"

    def ids(self) -> list[str]:
        """Every run that has a folder, sorted."""
        if not self.root.is_dir():
            return []
        with os.scandir(self.root) as entries:
            return sorted(entry.name for entry in entries if _ID.fullmatch(entry.name) and entry.is_dir())

    def find(self, text: str) -> str:
        """The id that is, begins with, or contains `text`.

        Raises:
            KeyError: no run does, or more than one.
        """
        ids = self.ids()
        lowered = text.lower().strip().rstrip("/")
        for fits in (str.__eq__, str.startswith, str.__contains__):
            found = [run_id for run_id in ids if fits(run_id.lower(), lowered)]
            if len(found) == 1:
                return found[0]
            if found:
                some = ", ".join(found[:4]) + (", …" if len(found) > 4 else "")
                raise KeyError(f"{text!r} fits {len(found)} runs in {self.root}: {some}; give more of the id")
        if not ids:
            raise KeyError(f"no run {text!r}: there are no runs in {self.root}; give another folder with --runs")
        raise KeyError(_no_run(text, ids, self.root))

    # What is to be run

    def write_spec(self, spec: RunSpec) -> Path:
        """Lay down what to run, once.

        Raises:
            ValueError: the folder holds another spec.
        """
        path = self.folder(spec.id) / "spec.json"
        if not path.is_file():
            write_text(path, written(spec))
        elif self.spec(spec.id) != spec:
            raise ValueError(f"{path} holds another spec than the one named by its folder: move the folder away")
        return path

    def spec(self, run_id: str) -> RunSpec:
        """What to run. Raises ValueError naming the file where it is missing or broken."""
        return read_value(RunSpec, self.folder(run_id) / "spec.json")

    def write_plan(self, plan: Plan) -> Path:
        """Keep which runs a study consists of."""
        path = self.root / "plans" / f"{plan.study}.json"
        write_text(path, written(plan))
        return path

    def plan(self, name: str) -> Plan:
        """The runs of a study as last planned here.

        Raises:
            KeyError: it was never planned here; names the nearest.
            ValueError: the file is broken.
        """
        from benchmark.core.study import Plan, study_names

        path = self.root / "plans" / f"{name}.json"
        if path.is_file():
            return read_value(Plan, path)
        if name in study_names():
            raise KeyError(f"study {name!r} was never planned in {self.root}; begin with: chimera-bench run {name}")
        raise KeyError(f"{unknown_name('plan', name, self.plan_names())} in {self.root}")

    def plan_names(self) -> list[str]:
        """The studies that were planned here, sorted."""
        return sorted(path.stem for path in (self.root / "plans").glob("*.json") if not path.name.startswith("."))

    # While it runs

    def upcoming(self, run_id: str) -> Path:
        """The folder that the next attempt will get; where its log may already be opened."""
        return attempt_folder(self.folder(run_id), len(self.attempts(run_id)) + 1)

    def begin_attempt(self, spec: RunSpec, *, code: str = "") -> Attempt:
        """Start another attempt. A failure before it moves into that attempt's folder.

        Args:
            code: digest of the present source. A checkpoint made by other code is put aside, so that no run is
                trained half by one version and half by another.

        Raises:
            FileExistsError: the run is already done, or another process just began the same attempt.
        """
        self.write_spec(spec)
        folder, before = self.folder(spec.id), self.attempts(spec.id)
        if self.state(spec.id) == "done":
            raise FileExistsError(f"{spec.id} is already done: a record is never edited")
        self._put_aside(spec.id, before, code=code)
        attempt = Attempt(
            number=len(before) + 1,
            started=_now(),
            owner=this_process(),
            code=code,
            checkpoint=mark_of(self.checkpoint(spec.id)),
        )
        write_new(attempt_folder(folder, attempt.number) / "attempt.json", written(attempt))
        return attempt

    def attempts(self, run_id: str) -> list[Attempt]:
        """Every attempt, the first first."""
        return read_attempts(self.folder(run_id))

    def stalls(self, run_id: str, *, after: int = 0) -> int:
        """How many of the latest attempts in a row brought the run no further; the first `after` do not count."""
        return stalls(self.attempts(run_id)[after:], checkpoint=mark_of(self.checkpoint(run_id)))

    def check_latest(self, run_id: str, number: int) -> None:
        """Raises Superseded where an attempt later than `number` has begun."""
        if not is_latest(self.folder(run_id), number):
            raise Superseded(f"attempt {number} of {run_id} was given up and {number + 1} has begun: it writes no more")

    def log(self, run_id: str, number: int | None = None) -> Path:
        """The log of an attempt; of the latest that has one where no number is given.

        Raises:
            KeyError: there is none; says which there are.
        """
        logs = {int(path.parent.name): path for path in self.folder(run_id).glob("attempts/*/log.txt")}
        wanted = max(logs, default=0) if number is None else number
        if wanted not in logs:
            raise KeyError(f"no log of attempt {wanted or 1} of {run_id}; there are logs of: {sorted(logs) or 'none'}")
        return logs[wanted]

    def heartbeat(self, run_id: str, progress: Mapping[str, Any]) -> None:
        """Say where a run stands: stage, done, total and whatever else there is to say.

        See `benchmark.store.progress.write_heartbeat` for what is kept beside it.
        """
        write_heartbeat(self.folder(run_id), progress)

    def last_heartbeat(self, run_id: str) -> dict[str, Any] | None:
        """What `heartbeat` last wrote; None where there is nothing that can be read."""
        return read_heartbeat(self.folder(run_id))

    def log_losses(self, run_id: str, iteration: int, losses: Mapping[str, float]) -> None:
        """Append one report of the losses by name."""
        append_losses(self.folder(run_id), iteration, losses)

    def history(self, run_id: str) -> list[dict[str, Any]]:
        """The losses of the run: dicts of "iteration" and "losses", iterations ascending."""
        return read_losses(self.folder(run_id))

    # What came of it

    def state(self, run_id: str) -> State:
        """Where a run stands."""
        return self.look(run_id)[0]

    def look(self, run_id: str) -> tuple[State, RunRecord | None]:
        """Where a run stands, and its record where it has one that can be read: both from one reading."""
        folder = self.folder(run_id)
        path = folder / "record.json"
        if owner(folder) is not None and not path.is_file():
            return "running", None
        if not path.is_file():
            return ("interrupted" if any(folder.glob("attempts/*")) else "missing"), None
        try:
            record = self.record(run_id)
        except ValueError:
            return "broken", None
        return record.state, record

    def save_result(self, record: RunRecord, counts: Counts) -> None:
        """Keep the counts, then the record, which is what makes the run done.

        Raises:
            ValueError: the record does not name these counts.
            FileExistsError: the run already has a record.
            Superseded: a later attempt at it has begun.
            OSError: they cannot be written; what was there before is intact.
        """
        digest = counts.digest()
        if record.state != "done" or record.counts_digest != digest:
            raise ValueError(f"the record of {record.spec.id} is not of these counts: it needs counts_digest={digest}")
        self._refuse_second(record)
        with draft_of(self.folder(record.spec.id) / "counts.npz") as draft:
            counts.save(draft)
        self._write_record(record)

    def save_failure(self, record: RunRecord) -> None:
        """Keep why a run has no result. Raises like `save_result`."""
        if record.state != "failed" or record.failure is None:
            raise ValueError(
                f"the record of {record.spec.id} is not that of a failure: give state='failed' and a failure"
            )
        self._refuse_second(record)
        self._write_record(record)

    def record(self, run_id: str) -> RunRecord:
        """What came of a run. Raises ValueError naming the file where it is missing, broken, or of another run."""
        path = self.folder(run_id) / "record.json"
        record = read_value(RunRecord, path)
        if record.spec.id != run_id:
            raise ValueError(f"{path} is the record of another run, {record.spec.id}: put it back into its folder")
        return record

    def records(self) -> tuple[list[RunRecord], list[BrokenRecord]]:
        """Every record that can be read, by id, and those that cannot."""
        good: list[RunRecord] = []
        broken: list[BrokenRecord] = []
        for run_id in self.ids():
            path = self.folder(run_id) / "record.json"
            if path.is_file():
                try:
                    good.append(self.record(run_id))
                except ValueError as error:
                    broken.append(BrokenRecord(path, str(error)))
        return good, broken

    def counts(self, run_id: str) -> Counts:
        """The pixel counts of a done run.

        Raises:
            ValueError: there are none, or not those that the record was written with.
        """
        from benchmark.evaluation.counts import load

        record, path = self.record(run_id), self.folder(run_id) / "counts.npz"
        if record.state != "done":
            raise ValueError(f"{run_id} has no counts: it failed")
        if not path.is_file():
            raise ValueError(f"{path} is missing: copy it again from where the run took place")
        counts = load(path)
        if counts.digest() != record.counts_digest:
            raise ValueError(f"{path} does not hold the counts its record was written with: copy the folder again")
        return counts

    def _refuse_second(self, record: RunRecord) -> None:
        path = self.folder(record.spec.id) / "record.json"
        if path.exists():
            raise FileExistsError(f"{path} exists, and a record is never edited: move its folder away to run it again")
        self.check_latest(record.spec.id, record.attempts)

    def _write_record(self, record: RunRecord) -> None:
        self.check_latest(record.spec.id, record.attempts)
        write_new(self.folder(record.spec.id) / "record.json", written(record))

    def _put_aside(self, run_id: str, before: Sequence[Attempt], *, code: str) -> None:
        """Move what must not stand in the way of another attempt into the folder of the last one."""
        known = [attempt.code for attempt in before if attempt.code]
        is_other_code = bool(known and code and known[-1] != code)
        old = attempt_folder(self.folder(run_id), len(before))
        for name in ["record.json"] + ["checkpoint.pt"] * is_other_code:
            if (self.folder(run_id) / name).exists():
                old.mkdir(parents=True, exist_ok=True)
                os.replace(self.folder(run_id) / name, old / name)


def _no_run(text: str, ids: list[str], root: Path) -> str:
    line = unknown_name("run", text, ids)
    if len(ids) <= 5:
        return line
    return f"{line.partition(' There are')[0]} {root} holds {len(ids)} runs; see: chimera-bench status"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
