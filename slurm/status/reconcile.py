"""Runs whose job ended for good without a record get one: a failure, the scheduler's word and the end of the log."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmark.core.run_record import Failure
from benchmark.store.failures import LOG_LINES, log_tail, record_failure
from benchmark.store.store import Store
from benchmark.utils.atomic_files import last_lines
from benchmark.utils.lock import Busy, holding
from slurm.requests.manifest import Place
from slurm.requests.sbatch import AGAIN
from slurm.scheduler.states import remedy, word_of
from slurm.status.run_status import Stand

FAILURES = ("OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE")
"""Ends of a job that the next one would come to as well. After the others a run can go on where it was."""


def settle(store: Store, stands: Iterable[Stand]) -> list[str]:
    """Write what is missing; returns the ids of the runs that have failed by it.

    Jobs that were cancelled, preempted or lost with their node leave a run that can go on, which is no failure.

    Raises:
        OSError: a record cannot be kept.
    """
    settled = []
    for stand in stands:
        failure = _failure(store, stand)
        if failure is None:
            continue
        try:
            with holding(store.folder(stand.id)):
                record_failure(store.spec(stand.id), failure, store=store)
        except (Busy, FileExistsError):
            continue  # it lives after all, or has just said itself how it ended
        settled.append(stand.id)
    return settled


def _failure(store: Store, stand: Stand) -> Failure | None:
    if stand.view is None or stand.place is None or stand.state not in ("interrupted", "missing"):
        return None
    state, code = word_of(stand.view.state), stand.view.exit_code
    is_broken = state == "FAILED" and code in range(1, 128) and code != AGAIN and not stand.view.signal
    if state not in FAILURES and not is_broken:
        return None
    ending = f" with exit code {code}" if is_broken else ""
    tail = log_tail(store, stand.id) or last_lines(job_log(stand.place), LOG_LINES)
    return Failure(kind=state, message=f"its job ended{ending}: {remedy(state)}", log_tail=tail)


def job_log(place: Place) -> Path:
    """What the processes of a job printed outside of its runs; no file where it is not known to have been sent."""
    sent = place.submission.sent
    return place.submission.folder / (f"{sent.job}_{place.task}_0_log.out" if sent else "unknown")
