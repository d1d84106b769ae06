"""Failures that are a node's fault, and nodes that the next submission avoids."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.core.run_record import Failure
from benchmark.core.run_state import RunState
from benchmark.store.store import Store
from benchmark.utils.lock import JOB_VARIABLE, Job
from slurm.scheduler.job_info import JobInfo
from slurm.status import node_faults
from slurm.status.node_faults import describe_failed_nodes, explain_node_fault, find_failed_nodes
from slurm.status.run_status import RunStatus
from tests.report.world import save, spec_of
from tests.slurm.status.test_run_status import _submit as submit_manifest

SPEC = spec_of()
JOB = JobInfo(job="7", task=0, name="cb-s-0123abcd", state="NODE_FAIL", node="n2", started=5.0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def _fail(store: Store, monkeypatch: pytest.MonkeyPatch, message: str) -> RunStatus:
    """Return the status of a run that failed on node n3."""
    monkeypatch.setenv(JOB_VARIABLE, Job(id="slurm lab 7_0", node="n3").canonical())
    store.run(SPEC.id).begin_attempt(SPEC)
    save(store, SPEC, Failure(kind="RuntimeError", message=message))
    return RunStatus(SPEC.id, RunState.FAILED, record=store.run(SPEC.id).read_record())


@pytest.mark.parametrize(
    ("message", "is_fault"),
    [
        ("CUDA error: uncorrectable ECC error encountered", True),
        ("CUDA driver initialization failed, you might not have a CUDA gpu.", True),
        ("[Errno 5] Input/output error: '/data/voc12/0.png'", True),
        ("[Errno 116] Stale file handle: 'spec.json'", True),
        ("CUDA error: device-side assert triggered", False),
        ("CUDA out of memory. Tried to allocate 2 GiB", False),
        ("shape mismatch", False),
    ],
)
def test_only_failures_that_the_run_cannot_cause_are_the_nodes(message: str, is_fault: bool) -> None:
    assert bool(explain_node_fault(Failure(kind="RuntimeError", message=message))) is is_fault


def test_a_failure_by_the_nodes_fault_names_the_node(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = _fail(store, monkeypatch, "CUDA error: uncorrectable ECC error encountered")
    assert find_failed_nodes(store, [run]) == {"n3": "uncorrectable memory error of a GPU"}


def test_a_failure_by_the_runs_own_fault_names_no_node(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_failed_nodes(store, [_fail(store, monkeypatch, "shape mismatch")]) == {}


def test_nodes_that_ended_jobs_are_counted_once_a_start_the_worst_first(store: Store) -> None:
    history = [JOB, replace(JOB, started=9.0), replace(JOB, task=1, node="n1"), replace(JOB, state="COMPLETED")]
    run = RunStatus(SPEC.id, RunState.INTERRUPTED, job=JOB)
    nodes = find_failed_nodes(store, [run], history=history)
    assert list(nodes) == ["n2", "n1"]
    assert nodes["n2"].startswith("NODE_FAIL: ") and nodes["n2"].endswith("2 times")


def test_a_node_that_could_not_start_a_job_failed(store: Store) -> None:
    job = replace(JOB, state="FAILED", reason="JobLaunchFailure")
    assert find_failed_nodes(store, [], history=[job]) == {"n2": "the node could not start a job"}
    assert find_failed_nodes(store, [], history=[replace(job, reason="")]) == {}


def test_later_submissions_avoid_a_node_for_some_days(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    submit_manifest(store, created=time.time() - 3600, avoided_nodes={"n4": "why"})
    assert describe_failed_nodes(store, []) == ["node n4 is avoided by the next submission: why"]
    monkeypatch.setattr(node_faults, "MEMORY_S", 60.0)
    assert describe_failed_nodes(store, []) == []
