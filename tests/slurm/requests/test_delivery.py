"""Delivery of an array to a controller that is busy, slow or down; no job is sent twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from slurm.requests import delivery
from slurm.requests.delivery import deliver_array
from slurm.requests.resources import JobResources
from slurm.requests.sbatch import ArrayRequest
from slurm.requests.sbatch_output import (
    ControllerBusyError,
    QueuedArray,
    QueueFullError,
    SubmissionRefusedError,
    SubmissionUncertainError,
)
from slurm.scheduler.job_info import JobInfo
from slurm.scheduler.queue import QueueSnapshot

NAME = "cb-demo-0123abcd"
LOST, BUSY = SubmissionUncertainError("socket timed out"), ControllerBusyError("sbatch refused it: busy; advice")
TRIES = len(delivery.RETRY_PAUSES_S) + 1


class Scheduler:
    """Scheduler that gives one answer after the other to sbatch, and shows jobs in its queue."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[QueuedArray | Exception] = []
        self.jobs: dict[str, list[str]] = {}
        self.jobs_after_sending: dict[str, list[str]] = {}
        self.is_reachable, self.canceled = True, set[str]()
        for name in ("send_array", "find_jobs", "cancel_jobs"):
            monkeypatch.setattr(delivery, name, getattr(self, name))
        for name in ("RETRY_PAUSES_S", "SEARCH_PAUSES_S"):
            monkeypatch.setattr(delivery, name, (0.0,) * len(getattr(delivery, name)))

    def send_array(self, _request: ArrayRequest) -> QueuedArray:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.jobs |= self.jobs_after_sending
        return answer

    def find_jobs(self, name: str, *, since: float, cluster: str) -> QueueSnapshot:
        jobs = [JobInfo(job=job, task=0, name=name, state="PENDING") for job in self.jobs.get(cluster, [])]
        notes = () if self.is_reachable else ("down",)
        return QueueSnapshot({(job.job, 0): job for job in jobs}, reachable=self.is_reachable, notes=notes)

    def cancel_jobs(self, jobs: set[str], *, cluster: str) -> None:
        self.canceled |= jobs


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Scheduler:
    return Scheduler(monkeypatch)


Deliver = Callable[..., QueuedArray]


@pytest.fixture
def deliver(tmp_path: Path) -> Deliver:
    """Function that delivers an array, to the given clusters."""
    return lambda clusters="": deliver_array(ArrayRequest(NAME, "", (), 1, tmp_path, JobResources(), clusters=clusters))


def test_a_refusal_by_a_busy_controller_is_retried_and_reported_in_one_line(
    scheduler: Scheduler, deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    scheduler.answers = [BUSY, BUSY, QueuedArray("7")]
    assert deliver() == QueuedArray("7")
    assert [record.getMessage() for record in caplog.records] == ["sbatch refused it: busy; trying again for up to 0 s"]


@pytest.mark.parametrize("error", [BUSY, QueueFullError("no room")])
def test_retries_are_bounded(scheduler: Scheduler, deliver: Deliver, error: Exception) -> None:
    scheduler.answers = [error] * (TRIES + 5)
    with pytest.raises(type(error)):
        deliver()
    assert len(scheduler.answers) == 5


def test_a_refusal_for_good_is_not_retried(scheduler: Scheduler, deliver: Deliver) -> None:
    scheduler.answers = [SubmissionRefusedError("no such partition"), QueuedArray("7")]
    with pytest.raises(SubmissionRefusedError):
        deliver()
    assert scheduler.answers == [QueuedArray("7")]


def test_an_array_whose_answer_was_lost_is_found_by_its_name_and_not_sent_twice(
    scheduler: Scheduler, deliver: Deliver
) -> None:
    scheduler.answers, scheduler.jobs = [LOST], {"": ["41"]}
    assert deliver() == QueuedArray("41")


def test_an_array_that_slurm_does_not_know_is_sent_again(scheduler: Scheduler, deliver: Deliver) -> None:
    scheduler.answers = [LOST, QueuedArray("42")]
    assert deliver() == QueuedArray("42")
    assert scheduler.canceled == set()


def test_of_two_arrays_of_one_name_the_one_that_turned_up_late_is_canceled(
    scheduler: Scheduler, deliver: Deliver
) -> None:
    scheduler.answers, scheduler.jobs_after_sending = [LOST, QueuedArray("42")], {"": ["41", "42"]}
    assert deliver() == QueuedArray("42")
    assert scheduler.canceled == {"41"}


def test_nothing_is_sent_again_while_slurm_does_not_answer(scheduler: Scheduler, deliver: Deliver) -> None:
    scheduler.answers, scheduler.is_reachable = [LOST, QueuedArray("42")], False
    with pytest.raises(SubmissionUncertainError, match="run the same command again"):
        deliver()
    assert scheduler.answers == [QueuedArray("42")]


def test_a_wrapper_that_hides_the_cluster_does_not_lose_the_array(scheduler: Scheduler, deliver: Deliver) -> None:
    scheduler.answers, scheduler.jobs = [QueuedArray("7")] * 2, {"small": ["7"]}
    assert deliver("big") == QueuedArray("7", "big")
    assert deliver("big,small") == QueuedArray("7", "small")


class _Clock:
    """Stand-in for the module `time`, whose pauses take no time."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_an_array_that_is_never_found_is_given_up_after_half_a_minute(
    scheduler: Scheduler, deliver: Deliver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = _Clock()
    monkeypatch.setattr(delivery, "time", clock)
    monkeypatch.setattr(delivery, "SEARCH_PAUSES_S", (2.0, 5.0, 15.0))
    scheduler.answers = [LOST] * 9
    with pytest.raises(SubmissionUncertainError, match="run the same command again later"):
        deliver()
    assert 20.0 < clock.now <= delivery.GIVE_UP_S
    assert [record.getMessage().split("for up to ")[1] for record in caplog.records] == ["30 s", "8 s"]
