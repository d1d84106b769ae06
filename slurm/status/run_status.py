"""Where every run of a grid stands: its record first, then the scheduler, then its own signs of life. Reads only.

What nobody knows stays unknown: no run is called failed because a scheduler is slow, forgetful or down.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from benchmark.core.run_record import RunRecord
from benchmark.store.store import State, Store
from slurm.requests.manifest import Place, places
from slurm.scheduler.job_info import JobView
from slurm.scheduler.queue import Sight, look
from slurm.scheduler.states import MEANINGS, alive, phase_of

GRACE_S = 60.0
"""So long a job that was just sent may be missing in the scheduler's answers."""
FRESH_S = 60.0
"""A heartbeat no older than this is believed even where the scheduler has given the job up."""

Standing = Literal["done", "failed", "broken", "running", "waiting", "interrupted", "lost", "unknown", "missing"]
ALIVE = ("running", "waiting", "unknown")
"""Runs that a submitter leaves alone."""


@dataclass(frozen=True)
class Stand:
    """Where one run stands.

    Attributes:
        id: of the run.
        state: "waiting" is in the queue, "interrupted" was begun and can go on, "lost" was sent and never began,
            "missing" was never sent, "unknown" cannot be told at present.
        reason: one line; empty where there is nothing to say.
        place: where it was last submitted to; None for a run that never was.
        view: what the scheduler says of its job, None where it says nothing.
        record: what came of it, where that can be read.
    """

    id: str
    state: Standing
    reason: str = ""
    place: Place | None = None
    view: JobView | None = None
    record: RunRecord | None = None

    @property
    def is_alive(self) -> bool:
        """Whether it may still come to an end by itself."""
        return self.state in ALIVE


@dataclass(frozen=True)
class Overview:
    """Where runs stand, and what was seen of the scheduler, which is nothing where nothing had to be asked."""

    stands: tuple[Stand, ...]
    sight: Sight


def overview(store: Store, ids: Sequence[str]) -> Overview:
    """Look at runs; asks the scheduler once, and only where a run without an end was submitted to it.

    Raises:
        ValueError: a submission's file is broken.
    """
    found, looks = places(store), {run_id: store.look(run_id) for run_id in ids}
    asked = {
        run_id: found[run_id]
        for run_id, (state, record) in looks.items()
        if run_id in found and not _has_ended(state, record, found[run_id])
    }
    sent = [place for place in asked.values() if place.submission.sent]
    since = min((place.submission.manifest.created for place in sent), default=time.time())
    sight = look({target for place in sent if (target := place.target)}, since=since)
    stands = [
        replace(_stand(store, run_id, state, place=asked.get(run_id), sight=sight), record=record)
        for run_id, (state, record) in looks.items()
    ]
    return Overview(tuple(stands), sight)


def judge(
    state: State, place: Place, *, view: JobView | None, reachable: bool, silent_s: float, now: float
) -> tuple[Standing, str]:
    """Where a run stands that was submitted and has no end of its own.

    Args:
        state: what its files say.
        place: where it was submitted to.
        view: what the scheduler says of that job; None where it says nothing.
        reachable: whether the scheduler answers.
        silent_s: seconds since its last sign of life; infinite where there was none.
        now: seconds since 1970.

    Returns:
        The standing, and one line on it.
    """
    begun: Standing = "interrupted" if state in ("interrupted", "running") else "missing"
    if view is None:
        return _unseen(state, place, begun=begun, reachable=reachable, now=now)
    phase = phase_of(view.state)
    if phase != "ended" and view.source == "sacct" and reachable:
        return _unseen(state, place, begun=begun, reachable=reachable, now=now)  # the controller has lost it
    if phase == "ended" and alive(view.state, requeue=not reachable):
        return "unknown", f"{view.state}: the controller cannot say whether it comes back"
    if phase == "waiting":
        again = f", start {view.restarts + 1}" if view.restarts else ""
        return "waiting", f"{view.state}{f' ({view.reason})' if view.reason else ''}{again}"
    if phase in ("running", "ending"):
        return "running", "" if view.state == "RUNNING" else view.state
    if phase == "unknown":
        return "unknown", f"the scheduler calls its job {view.state}, which is not known here"
    if state == "running" and silent_s < FRESH_S:
        return "running", f"its job has ended ({view.state}), the process lives on"
    meaning = MEANINGS.get(view.state, "")
    return begun, f"its job ended: {view.state}{f', {meaning}' if meaning else ''}"


def _unseen(state: State, place: Place, *, begun: Standing, reachable: bool, now: float) -> tuple[Standing, str]:
    sent = place.submission.sent
    if state == "running":
        return "running", "" if reachable else "the scheduler does not answer"
    if sent is None:
        return "unknown", "its submitter ended in the middle; the next submit looks for the job"
    if not reachable:
        return "unknown", "the scheduler does not answer"
    if now - sent.time < GRACE_S:
        return "waiting", "just sent; the scheduler does not show it yet"
    if begun == "missing":
        return "lost", f"the scheduler does not know job {sent.job} any more, and the run never began"
    return begun, f"the scheduler does not know job {sent.job} any more"


def _has_ended(state: State, record: RunRecord | None, place: Place) -> bool:
    """Whether its own record says how it ended; a failure that was sent again afterwards is not the end."""
    if state != "failed" or record is None:
        return state in ("done", "broken")
    return record.attempts > place.submission.manifest.attempts.get(record.spec.id, 0)


def _stand(store: Store, run_id: str, state: State, *, place: Place | None, sight: Sight) -> Stand:
    if place is None:
        return Stand(run_id, state)
    sent, name = place.submission.sent, place.submission.manifest.name
    # by name too: a scheduler that lost its state gives the same number to another job
    view = sight.seen(sent.job, place.task, name=name) if sent else None
    silent_s = _silent_s(store, run_id)
    # an end that was tried again says nothing of the present job
    present: State = "interrupted" if state == "failed" else state
    standing, reason = judge(present, place, view=view, reachable=sight.reachable, silent_s=silent_s, now=time.time())
    if state == "failed" and standing in ("interrupted", "lost", "missing"):
        standing = "failed"
    return Stand(run_id, standing, reason, place, view)


def _silent_s(store: Store, run_id: str) -> float:
    beat = store.last_heartbeat(run_id)
    return time.time() - float(beat["time"]) if beat and "time" in beat else float("inf")
