"""What is asked of the scheduler, and what is made of its answers and of its silence."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm.scheduler import slurm_command
from slurm.scheduler.cluster_config import Unreachable, settings
from slurm.scheduler.queue import cancel, find, history, look, queued
from tests.slurm.scheduler.test_job_info import read

SINCE = 1795640600.0

# as SLURM 22.05.8 says it
UNKNOWN = "slurm_load_jobs error: Invalid job id specified"
NO_CONTROLLER = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
NO_ACCOUNTS = "Slurm accounting storage is disabled"
NO_DATABASE = "sacct: error: Sending PersistInit msg: Connection refused\nsacct: error: Problem talking to the database: Connection refused"  # noqa: E501
NO_MUNGE = 'squeue: error: Munge encode failed: Failed to access "/run/munge/munge.socket.2": No such file or directory (Did you start munged?)\nslurm_load_jobs error: Protocol authentication error'  # noqa: E501

Pretend = Callable[..., Path]


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Puts a program of this name on the path that prints a text, or complains; its calls go into a file."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin:/bin")

    def make(name: str, text: str = "", *, complaint: str = "", code: int = 0) -> Path:
        program, out, err, calls = (tmp_path / f"{name}{suffix}" for suffix in ("", ".out", ".err", ".calls"))
        out.write_text(text, encoding="utf-8")
        err.write_text(complaint)
        program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\ncat {out}\ncat {err} >&2\nexit {code}\n')
        program.chmod(0o755)
        return calls

    return make


def count(calls: Path) -> int:
    """How often a program was called."""
    return len(calls.read_text().splitlines()) if calls.exists() else 0


def test_one_question_is_enough_where_squeue_knows_all(pretend: Pretend) -> None:
    squeue, sacct = pretend("squeue", read("squeue.txt")), pretend("sacct", read("sacct.txt"))
    sight = look(["88024", ("88023", 1), ("88023", 5)], since=SINCE)
    assert (count(squeue), count(sacct)) == (1, 0)
    assert (sight.reachable, sight.accounting, sight.notes) == (True, "not asked", ())
    assert "--jobs 88023,88024" in squeue.read_text()


def test_nothing_is_asked_for_nothing(pretend: Pretend) -> None:
    squeue = pretend("squeue", read("squeue.txt"))
    assert look([], since=SINCE).reachable
    assert cancel([]) == ()
    assert history([], since=SINCE).attempts == ()
    assert count(squeue) == 0


def test_sacct_is_asked_once_for_what_squeue_has_forgotten(pretend: Pretend) -> None:
    pretend("squeue", read("squeue_requeued.txt"))
    sacct = pretend("sacct", read("sacct.txt"))
    sight = look([("88025", 0), ("88023", 0), ("88026", 5)], since=SINCE)
    assert count(sacct) == 1
    assert "--jobs 88023,88026" in sacct.read_text()
    assert (sight.jobs["88023", 0].source, sight.jobs["88026", 5].state) == ("sacct", "CANCELLED")


def test_what_squeue_says_goes_before_what_sacct_says(pretend: Pretend) -> None:
    pretend("squeue", read("squeue_requeued.txt"))
    pretend("sacct", read("sacct.txt"))
    sight = look([("88025", 0), ("88023", 0)], since=SINCE)
    assert sight.jobs["88025", 0].state == "COMPLETING"


def test_of_several_starts_in_the_accounts_the_last_one_counts(pretend: Pretend) -> None:
    pretend("squeue")
    pretend("sacct", read("sacct.txt"))
    assert look(["88025"], since=SINCE).jobs["88025", 0].state == "COMPLETED"


def test_a_number_that_was_given_to_another_job_is_not_ours(pretend: Pretend) -> None:
    pretend("squeue", read("squeue.txt"))
    sight = look([("88023", 1)], since=SINCE)
    assert sight.seen("88023", 1, name="cb-night-0a1b2c3d") is not None
    assert sight.seen("88023", 1, name="cb-night-ffffffff") is None


def test_an_id_that_squeue_does_not_know_is_no_silence(pretend: Pretend) -> None:
    pretend("squeue", complaint=UNKNOWN, code=1)
    pretend("sacct")
    sight = look(["4"], since=SINCE)
    assert (sight.jobs, sight.reachable, sight.accounting, sight.notes) == ({}, True, "on", ())


def test_accounts_that_are_switched_off_are_told_in_one_line(pretend: Pretend) -> None:
    pretend("squeue", complaint=UNKNOWN, code=1)
    pretend("sacct", complaint=NO_ACCOUNTS, code=1)
    sight = look(["4"], since=SINCE)
    assert (sight.reachable, sight.accounting, len(sight.notes)) == (True, "off", 1)


@pytest.mark.parametrize(
    ("complaint", "words"),
    [(NO_CONTROLLER, "Unable to contact slurm controller (connect failure)"), (NO_MUNGE, "authentication error")],
)
def test_a_scheduler_that_is_down_is_told_in_its_own_words(pretend: Pretend, complaint: str, words: str) -> None:
    pretend("squeue", complaint=complaint, code=1)
    pretend("sacct", read("sacct.txt"))
    sight = look([("88023", 1)], since=SINCE)
    assert (sight.reachable, sight.accounting) == (False, "on")
    assert sight.notes[0].endswith(words)
    assert sight.jobs["88023", 1].state == "RUNNING"  # the last that is known of it


def test_a_database_that_is_down_is_told_in_its_own_words(pretend: Pretend) -> None:
    pretend("squeue", read("squeue.txt"))
    pretend("sacct", complaint=NO_DATABASE, code=1)
    sight = look(["88023", "4"], since=SINCE)
    assert (sight.reachable, sight.accounting) == (True, "unreachable")
    assert sight.notes[0].endswith("Problem talking to the database: Connection refused")


def test_a_machine_without_slurm_is_no_error(tmp_path: Path) -> None:
    sight = look(["4"], since=SINCE, environment={"PATH": str(tmp_path)})
    assert (sight.reachable, sight.accounting) == (False, "unreachable")
    assert "there is no squeue on this machine" in sight.notes[0]


def test_a_command_that_hangs_is_given_up(pretend: Pretend, tmp_path: Path) -> None:
    pretend("squeue")
    (tmp_path / "squeue").write_text("#!/bin/sh\necho 'squeue: error: retrying' >&2\nexec sleep 60\n")
    began = time.monotonic()
    answer = slurm_command.ask("squeue", timeout_s=0.3)
    assert time.monotonic() - began < 5
    assert answer.last_words == "squeue gave no answer within 0.3 s; it said: retrying"


def test_own_filters_and_formats_of_the_user_hide_no_jobs(pretend: Pretend, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend("env")
    for name in ("SQUEUE_PARTITION", "SQUEUE_USERS", "SACCT_FORMAT", "SCANCEL_INTERACTIVE"):
        monkeypatch.setenv(name, "other")
    monkeypatch.setenv("SLURM_TIME_FORMAT", "relative")
    text = slurm_command.ask("/usr/bin/env", environment={"SLURM_CONF": "/etc/here.conf"}).text.splitlines()
    assert not [line for line in text if line.startswith(("SQUEUE_", "SACCT_", "SCANCEL_"))]
    assert {"SLURM_TIME_FORMAT=%s", "SLURM_CONF=/etc/here.conf"} <= set(text)


def test_jobs_are_found_by_how_their_name_begins(pretend: Pretend) -> None:
    pretend("squeue", read("squeue_requeued.txt"))
    pretend("sacct", read("sacct.txt"))
    sight = find("cb-moved-", since=SINCE)
    assert {view.job for view in sight.jobs.values()} == {"88025"}
    assert {view.name for view in find("cb-", since=SINCE).jobs.values()} == {
        "cb-moved-44444444",
        "cb-night-0a1b2c3d",
        "cb-gone-55555555",
    }


def test_the_history_has_every_start_of_what_was_asked_for(pretend: Pretend) -> None:
    sacct = pretend("sacct", read("sacct_steps.txt"))
    attempts = history([("88025", 0)], since=SINCE).attempts
    assert [view.state for view in attempts] == ["REQUEUED", "COMPLETED"]
    assert "--allocations" not in sacct.read_text()


def test_the_time_asked_for_is_counted_back_from_now(pretend: Pretend) -> None:
    sacct = pretend("sacct")
    history(["4"], since=time.time() - 1000)
    seconds = int(sacct.read_text().split("--starttime=now-")[1].split()[0])
    assert 1300 <= seconds <= 1305


def test_elements_are_cancelled_in_one_word_a_job(pretend: Pretend) -> None:
    scancel = pretend("scancel")
    assert cancel([("12", task) for task in (0, 1, 2, 7)] + ["9", ("9", 3)]) == ()
    assert scancel.read_text() == "9 12_[0-2,7]\n"


def test_many_jobs_are_cancelled_in_several_commands(pretend: Pretend) -> None:
    scancel = pretend("scancel")
    cancel([str(number) for number in range(100_000, 120_000)])
    words = scancel.read_text().split()
    assert (count(scancel), len(words)) == (3, 20_000)


def test_only_what_could_not_be_cancelled_is_objected(pretend: Pretend) -> None:
    gone = "scancel: error: Kill job error on job id 4: Invalid job id specified"
    foreign = "scancel: error: Kill job error on job id 5: Access/permission denied"
    pretend("scancel", complaint=f"{gone}\n{foreign}\n", code=1)
    assert cancel(["4", "5"]) == (foreign,)


def test_what_is_in_the_queue_is_counted_by_elements(pretend: Pretend) -> None:
    pretend("squeue", "88024\n88023_4\n88023_5\n")
    assert queued() == 3


def test_settings_of_a_cluster_that_is_down_are_an_error_in_its_own_words(pretend: Pretend) -> None:
    pretend("scontrol", complaint=NO_CONTROLLER.replace("load_jobs", "load_ctl_conf"), code=1)
    with pytest.raises(Unreachable, match=r"^Unable to contact slurm controller"):
        settings()
