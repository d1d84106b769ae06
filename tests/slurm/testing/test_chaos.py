"""Tests of the chaos experiment: its comparison and its plan of faults. The experiment itself is run by hand."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from benchmark.core.run_record import Failure
from benchmark.core.run_state import RunState
from benchmark.store.attempts import Attempt
from benchmark.store.store import Store
from benchmark.utils.lock import JOB_VARIABLE, Job, Owner
from slurm.requests.profile import SlurmProfile, load_profile
from slurm.testing.chaos import experiment
from slurm.testing.chaos.command_runner import write_study
from slurm.testing.chaos.comparison import (
    ClusterOutcome,
    RunComparison,
    are_identical,
    compare_outcomes,
    format_report,
    read_outcome,
)
from slurm.testing.chaos.faults import FAULTS, FIRST_FAULT, draw_faults
from slurm.testing.scale import large_grid
from tests.report.world import even, save, spec_of

ON_CLUSTER = Job(id="slurm lab 12_0")


def attempt(number: int, *, checkpoint: str = "", job: Job | None = ON_CLUSTER) -> Attempt:
    owner = Owner(pid=1, host="here", job=job)
    return Attempt(number=number, started="2026-01-01T00:00:00+00:00", owner=owner, checkpoint=checkpoint)


UNDISTURBED = ClusterOutcome(RunState.DONE, "a" * 64, (attempt(1, job=None),))
DISTURBED = ClusterOutcome(RunState.DONE, "a" * 64, (attempt(1), attempt(2, checkpoint="7-7")), ON_CLUSTER.id)


def find_difference(undisturbed: ClusterOutcome, disturbed: ClusterOutcome) -> str:
    [comparison] = compare_outcomes({"run": undisturbed}, {"run": disturbed})
    return comparison.difference


def test_runs_with_the_same_counts_are_identical() -> None:
    assert find_difference(UNDISTURBED, DISTURBED) == ""


@pytest.mark.parametrize(
    ("undisturbed", "disturbed", "reason"),
    [
        (UNDISTURBED, replace(DISTURBED, digest="b" * 64), "different counts"),
        (UNDISTURBED, ClusterOutcome(RunState.INTERRUPTED, "", DISTURBED.attempts), "disturbed: interrupted"),
        (
            UNDISTURBED,
            ClusterOutcome(RunState.FAILED, "", DISTURBED.attempts, message="OSError: full"),
            "disturbed: failed OSError: full",
        ),
        (ClusterOutcome(RunState.FAILED, message="no"), DISTURBED, "undisturbed: failed no"),
        (UNDISTURBED, replace(DISTURBED, job=""), "not computed by a job"),
        (DISTURBED, DISTURBED, "expected one attempt outside of jobs, found 2"),
        (UNDISTURBED, UNDISTURBED, "not computed by a job"),
    ],
)
def test_differences_and_incomparable_outcomes_are_described(
    undisturbed: ClusterOutcome, disturbed: ClusterOutcome, reason: str
) -> None:
    assert reason in find_difference(undisturbed, disturbed)


def test_no_run_is_left_out() -> None:
    comparisons = compare_outcomes({"one": UNDISTURBED, "two": UNDISTURBED}, {"two": DISTURBED, "three": DISTURBED})
    assert {comparison.id: bool(comparison.difference) for comparison in comparisons} == {
        "one": True,
        "two": False,
        "three": True,
    }


def test_no_runs_are_no_success() -> None:
    assert not are_identical([])
    assert are_identical(compare_outcomes({"run": UNDISTURBED}, {"run": DISTURBED}))


def test_a_report_counts_faults_attempts_and_runs() -> None:
    comparisons = [RunComparison(str(index), UNDISTURBED, DISTURBED, "") for index in range(3)]
    comparisons += [RunComparison("bad", UNDISTURBED, UNDISTURBED, "no job")]
    lines = format_report(comparisons, {"node killed": 4})
    assert {"     4  node killed", "     1  runs had 1", "     3  runs had 2"} <= {*lines}
    assert any("   3  runs resumed from a checkpoint" in line for line in lines)
    assert lines[-1] == "4 of 4 done, 3 of 4 identical to undisturbed"


def test_an_outcome_includes_the_job_that_computed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, spec = Store(tmp_path), spec_of()
    monkeypatch.setenv(JOB_VARIABLE, ON_CLUSTER.canonical())
    store.run(spec.id).begin_attempt(spec)
    save(store, spec, even(80, 60))
    outcome = read_outcome(store, spec.id)
    assert (outcome.state, outcome.digest, outcome.job) == (RunState.DONE, even(80, 60).digest(), ON_CLUSTER.id)


def test_counts_that_do_not_match_the_record_are_broken(tmp_path: Path) -> None:
    store, spec = Store(tmp_path), spec_of()
    store.run(spec.id).begin_attempt(spec)
    save(store, spec, even(80, 60))
    even(70, 60).save(store.run(spec.id).counts_path)
    assert (read_outcome(store, spec.id).state, read_outcome(store, spec.id).digest) == (RunState.BROKEN, "")


def test_the_outcome_of_a_failed_run_has_a_message(tmp_path: Path) -> None:
    store, spec = Store(tmp_path), spec_of()
    store.run(spec.id).begin_attempt(spec)
    save(store, spec, Failure(kind="OSError", message="full"))
    assert (read_outcome(store, spec.id).state, read_outcome(store, spec.id).message) == (
        RunState.FAILED,
        "OSError: full",
    )


@pytest.mark.parametrize("count", [5, len(FAULTS), 60])
def test_faults_are_planned_equally_often(count: int) -> None:
    plan = draw_faults(count, random.Random(3))
    occurrences = Counter(dict.fromkeys(FAULTS, 0)) + Counter(plan)
    assert len(plan) == count and set(occurrences) <= set(FAULTS)
    assert max(occurrences.values()) - min(occurrences[name] for name in FAULTS) <= 1


def test_the_seed_decides_the_plan() -> None:
    assert draw_faults(60, random.Random(1)) == draw_faults(60, random.Random(1)) != draw_faults(60, random.Random(2))
    assert FIRST_FAULT in FAULTS


@pytest.mark.parametrize(("runs", "seeds"), [(60, 20), (6, 2), (4, 2)])
def test_a_study_has_at_least_the_requested_number_of_runs(tmp_path: Path, runs: int, seeds: int) -> None:
    path = write_study(experiment.STUDY, tmp_path / "chaos.yaml", runs=runs, title="Other")
    study = yaml.safe_load(path.read_text())
    assert (len(study["rows"]), study["seeds"], study["title"]) == (3, list(range(seeds)), "Other")


def test_disturbed_runs_have_the_threads_of_undisturbed_runs_and_can_be_preempted() -> None:
    disturbed, undisturbed = load_profile(str(experiment.DISTURBED)), load_profile(str(experiment.UNDISTURBED))
    assert isinstance(disturbed, SlurmProfile)
    assert (undisturbed.executor, undisturbed.jobs) == ("local", experiment.CONCURRENT_RUNS)
    rows = [("chimera_seg", "Chimera-Seg"), ("chimera_seg", "no CSH"), ("spnet", "SPNet")]
    resources = [disturbed.get_resources(study="chaos", method=method, variant=variant) for method, variant in rows]
    assert {request.per_run.threads for request in resources} == {undisturbed.threads}
    assert [request.partition for request in resources] == ["lowg", "lowc", "low"]


@pytest.mark.parametrize("path", [large_grid.ALONE, large_grid.PACKED])
def test_profiles_of_the_large_grid_are_valid(path: Path) -> None:
    assert load_profile(str(path)).executor == "slurm"
