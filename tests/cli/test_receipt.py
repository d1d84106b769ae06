"""What is printed about a submission: why runs were not sent, and what to do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmark.cli.receipt import print_receipt
from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from slurm.scheduler.job_info import JobInfo
from slurm.status.grid_queue import GridQueue
from slurm.status.run_status import GridStatus, RunStatus
from slurm.submit import Receipt


def _print(capsys: pytest.CaptureFixture[str], *runs: RunStatus) -> Any:
    selection = cast(Any, SimpleNamespace(named_plan=object(), name="demo"))
    print_receipt(Store(Path("runs")), selection, Receipt((), GridStatus(runs, GridQueue())), retry_failed=False)
    return capsys.readouterr()


def test_a_run_whose_job_is_ending_is_named_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    job = JobInfo(job="7", task=0, name="cb-s-0123abcd", state="COMPLETING")
    printed = _print(capsys, RunStatus("a", RunState.RUNNING, job=job))
    expected = "1 run in jobs that are ending (COMPLETING), not submitted: submit again in a minute"
    assert expected in printed.err and "Watch the progress" in printed.out


def test_there_is_nothing_to_watch_if_all_runs_are_done(capsys: pytest.CaptureFixture[str]) -> None:
    printed = _print(capsys, RunStatus("a", RunState.DONE))
    assert printed.out == "1 run: 1 done\n0 runs submitted\n" and printed.err == ""


def test_a_run_that_cannot_be_read_is_no_failure_to_retry(capsys: pytest.CaptureFixture[str]) -> None:
    run = RunStatus("a", RunState.BROKEN, "x/record.json cannot be read", is_unreadable=True)
    printed = _print(capsys, run)
    assert "not submitted: x/record.json cannot be read" in printed.err and "--retry-failed" not in printed.err
