"""What is sent and what is not, with a scheduler of paper; tests/slurm/scenarios has a real one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from benchmark.utils.lock import BusyError, holding
from slurm import submit as sending
from slurm.requests import manifest as files
from slurm.requests.profile import SlurmProfile
from slurm.requests.sbatch import Batch, QueueFullError, SubmissionRefusedError, SubmissionUncertainError
from slurm.scheduler.cluster_config import ClusterConfig
from slurm.scheduler.job_info import JobInfo
from slurm.scheduler.queue import QueueSnapshot
from slurm.status import run_status as looking
from slurm.submit import Grid, submit
from tests.report.world import even, save, spec_of

SPECS = {spec.id: spec for spec in map(lambda seed: spec_of(seed=seed), range(4))}
IDS = list(SPECS)


class Paper:
    """A scheduler that accepts everything and starts nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[Batch] = []
        self.error: Exception | None = None
        self.is_reachable, self.state = True, "PENDING"
        monkeypatch.setattr(sending, "send", self.send)
        monkeypatch.setattr(sending, "settings", lambda: ClusterConfig(max_array_size=2))
        monkeypatch.setattr(sending, "find", lambda _prefix, *, since: self.sight)
        monkeypatch.setattr(looking, "look", lambda _wanted, *, since: self.sight)
        monkeypatch.setattr(sending, "queued", lambda: len(self.sight.jobs))

    def send(self, batch: Batch) -> str:
        if self.error is not None and not isinstance(self.error, SubmissionUncertainError):
            raise self.error
        self.batches.append(batch)
        if self.error is not None:
            raise self.error
        return str(100 + len(self.batches))

    @property
    def sight(self) -> QueueSnapshot:
        views = [
            JobInfo(job=str(101 + at), task=task, name=batch.name, state=self.state, source="squeue")
            for at, batch in enumerate(self.batches)
            for task in range(batch.tasks)
        ]
        return QueueSnapshot({(view.job, view.task): view for view in views}, reachable=self.is_reachable)


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> Paper:
    return Paper(monkeypatch)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def _specs(ids: Sequence[str]) -> list[RunSpec]:
    return [SPECS[run_id] for run_id in ids]


def _grid(store: Store, *, retry: bool = False, max_submit: int = 0, **base: Any) -> Grid:
    fields = {"name": "p", "executor": "slurm", "base": base, "max_submit": max_submit}
    return Grid(IDS, _specs, store=store, study="s", profile=SlurmProfile.model_validate(fields), retry=retry)


def test_everything_is_laid_down_before_anything_is_sent(store: Store, paper: Paper) -> None:
    paper.error = SubmissionRefusedError("no such partition")
    with pytest.raises(SubmissionRefusedError):
        submit(_grid(store))
    assert store.run(IDS[0]).read_spec() == SPECS[IDS[0]]
    assert list(files.submissions(store)) == []


def test_what_was_sent_is_not_sent_again(store: Store, paper: Paper) -> None:
    assert submit(_grid(store)).runs == 4
    assert [batch.tasks for batch in paper.batches] == [2, 2]
    assert submit(_grid(store)).runs == 0
    assert [stand.state for stand in submit(_grid(store)).before.stands] == [RunState.WAITING] * 4


def test_runs_that_are_done_or_at_work_elsewhere_are_left_out(store: Store, paper: Paper) -> None:
    save(store, SPECS[IDS[0]], even(80, 60))
    with holding(store.run(IDS[1]).path):
        assert submit(_grid(store)).runs == 2


@pytest.mark.parametrize(("retry", "sent"), [(False, 3), (True, 4)])
def test_failed_runs_are_sent_again_only_when_asked(store: Store, paper: Paper, retry: bool, sent: int) -> None:
    store.run(SPECS[IDS[0]].id).begin_attempt(SPECS[IDS[0]])
    save(store, SPECS[IDS[0]], Failure(kind="ValueError", message="no"))
    receipt = submit(_grid(store, retry=retry))
    assert receipt.runs == sent
    assert any(one.manifest.attempts == {IDS[0]: 1} for one in receipt.sent) == retry


def test_a_job_whose_submitter_died_is_found_by_its_name(store: Store, paper: Paper) -> None:
    submit(_grid(store))
    for one in files.submissions(store):
        (one.folder / "job.json").unlink()
    receipt = submit(_grid(store))
    assert (receipt.adopted, receipt.runs) == (2, 0)


def test_a_submission_that_never_reached_the_scheduler_is_made_again(store: Store, paper: Paper) -> None:
    submit(_grid(store))
    for one in files.submissions(store):
        (one.folder / "job.json").unlink()
    paper.batches.clear()
    receipt = submit(_grid(store))
    assert (receipt.adopted, receipt.runs) == (0, 4)


def test_an_answer_that_got_lost_is_looked_up_the_next_time(store: Store, paper: Paper) -> None:
    paper.error = SubmissionUncertainError("sbatch did not answer")
    with pytest.raises(SubmissionUncertainError):
        submit(_grid(store))
    paper.error = None
    receipt = submit(_grid(store))
    assert (receipt.adopted, receipt.runs) == (1, 2)


def test_nothing_is_sent_while_nobody_knows_what_was(store: Store, paper: Paper) -> None:
    paper.error = SubmissionUncertainError("sbatch did not answer")
    with pytest.raises(SubmissionUncertainError):
        submit(_grid(store))
    paper.error, paper.is_reachable = None, False
    with pytest.raises(SubmissionUncertainError, match="does not answer"):
        submit(_grid(store))


def test_what_the_queue_has_no_room_for_is_sent_later(store: Store, paper: Paper) -> None:
    receipt = submit(_grid(store, max_submit=3))
    assert (receipt.runs, receipt.waiting) == (3, 1)
    assert submit(_grid(store, max_submit=4)).runs == 1


def test_a_limit_that_only_the_scheduler_knows_ends_nothing_badly(store: Store, paper: Paper) -> None:
    paper.error = QueueFullError("QOSMaxSubmitJobPerUserLimit")
    receipt = submit(_grid(store))
    assert (receipt.runs, receipt.waiting) == (0, 4)


def test_a_second_submitter_waits_and_then_says_so(store: Store, paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "WAIT_S", 0.3)
    with holding(store.root / files.FOLDER), pytest.raises(BusyError, match="another submitter"):
        submit(_grid(store))
    assert paper.batches == []


def test_the_lock_of_a_process_that_its_scheduler_gave_up_is_taken_away(store: Store, paper: Paper) -> None:
    submit(_grid(store))
    store.run(SPECS[IDS[0]].id).begin_attempt(SPECS[IDS[0]])
    lock = store.run(IDS[0]).path / "lock"
    lock.write_text('{"pid": 1, "host": "elsewhere"}')
    assert submit(_grid(store)).runs == 0 and lock.exists()
    paper.state = "NODE_FAIL"
    assert submit(_grid(store)).runs == 4 and not lock.exists()


@pytest.mark.parametrize(("base", "refused"), [({}, True), ({"python": "/opt/env/bin/python"}, False)])
def test_an_engine_that_jobs_would_not_find_is_refused_before_anything_is_sent(
    store: Store, paper: Paper, monkeypatch: pytest.MonkeyPatch, base: dict, refused: bool
) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    wanted = [spec.model_copy(update={"engine": "detectron2"}) for spec in SPECS.values()]
    grid = replace(_grid(store, **base), ids=[spec.id for spec in wanted], specs=lambda _: wanted)
    with pytest.raises(ValueError, match="Detectron2 is not installed") if refused else nullcontext():
        submit(grid)
    assert bool(paper.batches) is not refused
