"""The verdict on a storm is honest, and its plan is the same for the same seed. The storm itself is run by hand."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from benchmark.core.run_record import Failure
from benchmark.store.attempts import Attempt
from benchmark.store.store import Store
from benchmark.utils.lock import JOB, Job, Owner
from slurm.requests.profile import SlurmProfile, load_profile
from slurm.testing.chaos import __main__ as chaos
from slurm.testing.chaos.command_runner import write_study
from slurm.testing.chaos.comparison import Cell, Result, compare, in_words, is_good, result_of
from slurm.testing.chaos.faults import DISTURBANCES, OPENING, dealt
from slurm.testing.scale import large_grid
from tests.report.world import even, save, spec_of

ON_CLUSTER = Job(id="slurm lab 12_0")


def attempt(number: int, *, checkpoint: str = "", job: Job | None = ON_CLUSTER) -> Attempt:
    owner = Owner(pid=1, host="here", job=job)
    return Attempt(number=number, started="2026-01-01T00:00:00+00:00", owner=owner, checkpoint=checkpoint)


PEACEFUL = Result("done", "a" * 64, (attempt(1, job=None),))
DISTURBED = Result("done", "a" * 64, (attempt(1), attempt(2, checkpoint="7-7")), ON_CLUSTER.id)


def complaint(undisturbed: Result, disturbed: Result) -> str:
    [cell] = compare({"run": undisturbed}, {"run": disturbed})
    return cell.complaint


def test_the_same_counts_are_the_same() -> None:
    assert complaint(PEACEFUL, DISTURBED) == ""


@pytest.mark.parametrize(
    ("undisturbed", "disturbed", "why"),
    [
        (PEACEFUL, replace(DISTURBED, digest="b" * 64), "other counts"),
        (PEACEFUL, Result("interrupted", "", DISTURBED.attempts), "disturbed: interrupted"),
        (
            PEACEFUL,
            Result("failed", "", DISTURBED.attempts, message="OSError: full"),
            "disturbed: failed OSError: full",
        ),
        (Result("failed", message="no"), DISTURBED, "undisturbed: failed no"),
        (PEACEFUL, replace(DISTURBED, job=""), "not made by a job"),
        (DISTURBED, DISTURBED, "not made by one process"),
        (PEACEFUL, PEACEFUL, "not made by a job"),
    ],
)
def test_what_differs_or_cannot_be_compared_is_said(undisturbed: Result, disturbed: Result, why: str) -> None:
    assert why in complaint(undisturbed, disturbed)


def test_no_run_is_left_out() -> None:
    cells = compare({"one": PEACEFUL, "two": PEACEFUL}, {"two": DISTURBED, "three": DISTURBED})
    assert {cell.id: bool(cell.complaint) for cell in cells} == {"one": True, "two": False, "three": True}


def test_nothing_is_no_success() -> None:
    assert not is_good([])
    assert is_good(compare({"run": PEACEFUL}, {"run": DISTURBED}))


def test_a_report_counts_mishaps_attempts_and_runs() -> None:
    cells = [Cell(str(at), PEACEFUL, DISTURBED, "") for at in range(3)] + [Cell("bad", PEACEFUL, PEACEFUL, "no job")]
    lines = in_words(cells, {"node killed": 4})
    assert {"     4  node killed", "     1  runs had 1", "     3  runs had 2"} <= {*lines}
    assert any("   3  went on from a checkpoint" in line for line in lines)
    assert lines[-1] == "4 of 4 done, 3 of 4 the same as undisturbed"


def test_a_result_is_read_with_the_job_that_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, spec = Store(tmp_path), spec_of()
    monkeypatch.setenv(JOB, ON_CLUSTER.canonical())
    store.begin_attempt(spec)
    save(store, spec, even(80, 60))
    found = result_of(store, spec.id)
    assert (found.state, found.digest, found.job) == ("done", even(80, 60).digest(), ON_CLUSTER.id)


def test_counts_that_do_not_fit_the_record_are_no_result(tmp_path: Path) -> None:
    store, spec = Store(tmp_path), spec_of()
    store.begin_attempt(spec)
    save(store, spec, even(80, 60))
    even(70, 60).save(store.folder(spec.id) / "counts.npz")
    assert (result_of(store, spec.id).state, result_of(store, spec.id).digest) == ("broken", "")


def test_a_failure_says_why(tmp_path: Path) -> None:
    store, spec = Store(tmp_path), spec_of()
    store.begin_attempt(spec)
    save(store, spec, Failure(kind="OSError", message="full"))
    assert (result_of(store, spec.id).state, result_of(store, spec.id).message) == ("failed", "OSError: full")


@pytest.mark.parametrize("count", [5, len(DISTURBANCES), 60])
def test_every_disturbance_comes_as_often_as_any_other(count: int) -> None:
    plan = dealt(count, random.Random(3))
    often = Counter(dict.fromkeys(DISTURBANCES, 0)) + Counter(plan)
    assert len(plan) == count and set(often) <= set(DISTURBANCES)
    assert max(often.values()) - min(often[name] for name in DISTURBANCES) <= 1


def test_a_seed_decides_the_plan() -> None:
    assert dealt(60, random.Random(1)) == dealt(60, random.Random(1)) != dealt(60, random.Random(2))
    assert OPENING in DISTURBANCES


@pytest.mark.parametrize(("runs", "seeds"), [(60, 20), (6, 2), (4, 2)])
def test_a_study_has_at_least_so_many_runs(tmp_path: Path, runs: int, seeds: int) -> None:
    path = write_study(chaos.STUDY, tmp_path / "chaos.yaml", runs=runs, title="Other")
    study = yaml.safe_load(path.read_text())
    assert (len(study["rows"]), study["seeds"], study["title"]) == (3, list(range(seeds)), "Other")


def test_disturbed_runs_have_the_threads_of_undisturbed_ones_and_give_way_to_others() -> None:
    there, here = load_profile(str(chaos.DISTURBED)), load_profile(str(chaos.UNDISTURBED))
    assert isinstance(there, SlurmProfile) and here.executor == "local" and here.jobs == chaos.AT_ONCE
    rows = [("chimera_seg", "Chimera-Seg"), ("chimera_seg", "no CSH"), ("spnet", "SPNet")]
    asked = [there.resources(study="chaos", method=method, variant=variant) for method, variant in rows]
    assert {one.each.threads for one in asked} == {here.threads}
    assert [one.partition for one in asked] == ["lowg", "lowc", "low"]


@pytest.mark.parametrize("path", [large_grid.ALONE, large_grid.PACKED])
def test_profiles_for_a_thousand_runs_are_profiles(path: Path) -> None:
    assert load_profile(str(path)).executor == "slurm"
