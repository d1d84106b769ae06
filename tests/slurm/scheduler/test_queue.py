"""Queries to the scheduler, and how its output and its failures are interpreted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm.scheduler import slurm_command
from slurm.scheduler.cluster_config import SlurmUnreachableError, query_cluster_config
from slurm.scheduler.queue import cancel_jobs, count_queued, find_jobs, query_history, query_jobs
from tests.slurm.scheduler.test_job_info import read

SINCE = 1795640600.0

# messages of SLURM 22.05.8
UNKNOWN = "slurm_load_jobs error: Invalid job id specified"
NO_CONTROLLER = "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"
NO_ACCOUNTING = "Slurm accounting storage is disabled"
NO_DATABASE = "sacct: error: Sending PersistInit msg: Connection refused\nsacct: error: Problem talking to the database: Connection refused"  # noqa: E501
NO_MUNGE = 'squeue: error: Munge encode failed: Failed to access "/run/munge/munge.socket.2": No such file or directory (Did you start munged?)\nslurm_load_jobs error: Protocol authentication error'  # noqa: E501

InstallProgram = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InstallProgram:
    """Function that puts a program on the path that prints a text or an error; returns the file of its calls."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin:/bin")
    monkeypatch.setattr(slurm_command, "RETRY_PAUSES_S", (0.0, 0.0))

    def make(name: str, text: str = "", *, error: str = "", code: int = 0) -> Path:
        program, out, err, calls = (tmp_path / f"{name}{suffix}" for suffix in ("", ".out", ".err", ".calls"))
        out.write_text(text, encoding="utf-8")
        err.write_text(error)
        program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\ncat {out}\ncat {err} >&2\nexit {code}\n')
        program.chmod(0o755)
        return calls

    return make


def count(calls: Path) -> int:
    """Return how often a program was called."""
    return len(calls.read_text().splitlines()) if calls.exists() else 0


def test_one_query_is_enough_if_squeue_knows_all_jobs(install: InstallProgram) -> None:
    squeue, sacct = install("squeue", read("squeue.txt")), install("sacct", read("sacct.txt"))
    snapshot = query_jobs(["88024", ("88023", 1), ("88023", 5)], since=SINCE)
    assert (count(squeue), count(sacct)) == (1, 0)
    assert (snapshot.reachable, snapshot.accounting, snapshot.notes) == (True, "not asked", ())
    assert "--jobs 88023,88024" in squeue.read_text()


def test_without_targets_nothing_is_queried(install: InstallProgram) -> None:
    squeue = install("squeue", read("squeue.txt"))
    assert query_jobs([], since=SINCE).reachable
    assert cancel_jobs([]) == ()
    assert query_history([], since=SINCE).starts == ()
    assert count(squeue) == 0


def test_sacct_is_queried_once_for_jobs_that_squeue_has_forgotten(install: InstallProgram) -> None:
    install("squeue", read("squeue_requeued.txt"))
    sacct = install("sacct", read("sacct.txt"))
    snapshot = query_jobs([("88025", 0), ("88023", 0), ("88026", 5)], since=SINCE)
    assert count(sacct) == 1
    assert "--jobs 88023,88026" in sacct.read_text()
    assert (snapshot.jobs["88023", 0].source, snapshot.jobs["88026", 5].state) == ("sacct", "CANCELLED")


def test_squeue_takes_precedence_over_sacct(install: InstallProgram) -> None:
    install("squeue", read("squeue_requeued.txt"))
    install("sacct", read("sacct.txt"))
    snapshot = query_jobs([("88025", 0), ("88023", 0)], since=SINCE)
    assert snapshot.jobs["88025", 0].state == "COMPLETING"


def test_of_several_starts_in_accounting_the_last_one_counts(install: InstallProgram) -> None:
    install("squeue")
    install("sacct", read("sacct.txt"))
    assert query_jobs(["88025"], since=SINCE).jobs["88025", 0].state == "COMPLETED"


def test_an_id_that_was_reused_by_another_job_is_not_ours(install: InstallProgram) -> None:
    install("squeue", read("squeue.txt"))
    snapshot = query_jobs([("88023", 1)], since=SINCE)
    assert snapshot.find_job("88023", 1, name="cb-night-0a1b2c3d") is not None
    assert snapshot.find_job("88023", 1, name="cb-night-ffffffff") is None


def test_an_unknown_id_does_not_mean_that_the_controller_is_down(install: InstallProgram) -> None:
    install("squeue", error=UNKNOWN, code=1)
    install("sacct")
    snapshot = query_jobs(["4"], since=SINCE)
    assert (snapshot.jobs, snapshot.reachable, snapshot.accounting, snapshot.notes) == ({}, True, "on", ())


def test_disabled_accounting_is_reported_in_one_line(install: InstallProgram) -> None:
    install("squeue", error=UNKNOWN, code=1)
    install("sacct", error=NO_ACCOUNTING, code=1)
    snapshot = query_jobs(["4"], since=SINCE)
    assert (snapshot.reachable, snapshot.accounting, len(snapshot.notes)) == (True, "off", 1)


@pytest.mark.parametrize(
    ("error", "words"),
    [(NO_CONTROLLER, "Unable to contact slurm controller (connect failure)"), (NO_MUNGE, "authentication error")],
)
def test_a_scheduler_that_is_down_is_reported_in_its_own_words(install: InstallProgram, error: str, words: str) -> None:
    install("squeue", error=error, code=1)
    install("sacct", read("sacct.txt"))
    snapshot = query_jobs([("88023", 1)], since=SINCE)
    assert (snapshot.reachable, snapshot.accounting) == (False, "on")
    assert snapshot.notes[0].endswith(words)
    assert snapshot.jobs["88023", 1].state == "RUNNING"  # its last known state


def test_a_database_that_is_down_is_reported_in_its_own_words(install: InstallProgram) -> None:
    install("squeue", read("squeue.txt"))
    install("sacct", error=NO_DATABASE, code=1)
    snapshot = query_jobs(["88023", "4"], since=SINCE)
    assert (snapshot.reachable, snapshot.accounting) == (True, "unreachable")
    assert snapshot.notes[0].endswith("Problem talking to the database: Connection refused")


def test_a_machine_without_slurm_is_not_an_error(tmp_path: Path) -> None:
    snapshot = query_jobs(["4"], since=SINCE, environment={"PATH": str(tmp_path)})
    assert (snapshot.reachable, snapshot.accounting) == (False, "unreachable")
    assert "squeue is not installed on this machine" in snapshot.notes[0]


def test_a_command_that_hangs_is_killed(install: InstallProgram, tmp_path: Path) -> None:
    install("squeue")
    (tmp_path / "squeue").write_text("#!/bin/sh\necho 'squeue: error: retrying' >&2\nexec sleep 60\n")
    began = time.monotonic()
    output = slurm_command.run_slurm("squeue", timeout_s=0.3)
    assert time.monotonic() - began < 5
    assert output.error == "squeue did not answer within 0.3 s; it printed: retrying"


def test_the_users_filters_and_formats_hide_no_jobs(install: InstallProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    install("env")
    for name in ("SQUEUE_PARTITION", "SQUEUE_USERS", "SACCT_FORMAT", "SCANCEL_INTERACTIVE"):
        monkeypatch.setenv(name, "other")
    monkeypatch.setenv("SLURM_TIME_FORMAT", "relative")
    text = slurm_command.run_slurm("/usr/bin/env", environment={"SLURM_CONF": "/etc/here.conf"}).stdout.splitlines()
    assert not [line for line in text if line.startswith(("SQUEUE_", "SACCT_", "SCANCEL_"))]
    assert {"SLURM_TIME_FORMAT=%s", "SLURM_CONF=/etc/here.conf"} <= set(text)


def test_a_command_reaches_the_cluster_of_its_jobs_whatever_the_shell_says(
    install: InstallProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CLUSTERS", "elsewhere")
    squeue, sacct, scancel = (install(name) for name in ("squeue", "sacct", "scancel"))
    _ = query_jobs(["4"], since=SINCE, cluster="big")
    assert cancel_jobs(["4"], cluster="big") == ()
    assert all(calls.read_text().startswith("--clusters=big ") for calls in (squeue, sacct, scancel))
    _ = query_jobs(["4"], since=SINCE)
    assert squeue.read_text().splitlines()[1].startswith("--noheader")
    assert "SLURM_CLUSTERS" not in slurm_command.run_slurm("/usr/bin/env").stdout


def test_an_array_that_was_canceled_before_its_start_answers_for_its_elements(install: InstallProgram) -> None:
    install("squeue", read("squeue_canceled.txt"))
    install("sacct")
    job = query_jobs([("70497", 2)], since=SINCE).find_job("70497", 2, name="cb-night-0a1b2c3d")
    assert job is not None and job.state == "CANCELLED"


def test_an_element_that_was_canceled_before_its_start_is_missing_in_its_array(install: InstallProgram) -> None:
    install("squeue", read("squeue_canceled.txt"))
    install("sacct")
    snapshot = query_jobs([("70498", 0), ("70498", 2)], since=SINCE)
    assert snapshot.has_forgotten("70498", 0, name="cb-part-0a1b2c3d")
    assert not snapshot.has_forgotten("70498", 2, name="cb-part-0a1b2c3d")
    assert not snapshot.has_forgotten("70498", 0, name="cb-another-0a1b2c3d")


TRANSIENT = [
    "slurm_load_jobs error: Socket timed out on send/recv operation",
    "slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
    "squeue: error: slurm_receive_msg: Zero Bytes were transmitted or received",
    "squeue: error: Resource temporarily unavailable",
]


@pytest.mark.parametrize("error", TRANSIENT)
def test_a_busy_controller_is_asked_again_and_reported_in_one_line(
    install: InstallProgram, error: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    calls = install("squeue", "88024\n")
    recovers = f'[ $(wc -l < {calls}) -ge 3 ] || {{ echo "{error}" >&2; exit 1; }}'
    (tmp_path / "squeue").write_text(f"#!/bin/sh\necho >> {calls}\n{recovers}\ncat {tmp_path}/squeue.out\n")
    assert count_queued() == 1
    assert count(calls) == 3
    assert len(caplog.records) == 1 and "trying again for up to" in caplog.records[0].getMessage()


@pytest.mark.parametrize(("error", "tries"), [(TRANSIENT[0], 3), (UNKNOWN, 1), (NO_MUNGE, 1)])
def test_retries_are_bounded_and_errors_for_good_are_not_retried(
    install: InstallProgram, error: str, tries: int
) -> None:
    calls = install("squeue", error=error, code=1)
    assert count_queued() == 0
    assert count(calls) == tries


def test_no_retry_begins_late(install: InstallProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = install("squeue", error=TRANSIENT[0], code=1)
    monkeypatch.setattr(slurm_command, "RETRY_UNTIL_S", 0.0)
    assert count_queued() == 0 and count(calls) == 1


def test_jobs_are_found_by_the_beginning_of_their_name(install: InstallProgram) -> None:
    install("squeue", read("squeue_requeued.txt"))
    install("sacct", read("sacct.txt"))
    snapshot = find_jobs("cb-moved-", since=SINCE)
    assert {info.job for info in snapshot.jobs.values()} == {"88025"}
    assert {info.name for info in find_jobs("cb-", since=SINCE).jobs.values()} == {
        "cb-moved-44444444",
        "cb-night-0a1b2c3d",
        "cb-gone-55555555",
    }


def test_the_history_has_every_start_of_the_given_jobs(install: InstallProgram) -> None:
    sacct = install("sacct", read("sacct_steps.txt"))
    starts = query_history([("88025", 0)], since=SINCE).starts
    assert [info.state for info in starts] == ["REQUEUED", "COMPLETED"]
    assert "--allocations" not in sacct.read_text()


def test_the_start_time_of_a_query_is_relative_to_now(install: InstallProgram) -> None:
    sacct = install("sacct")
    query_history(["4"], since=time.time() - 1000)
    seconds = int(sacct.read_text().split("--starttime=now-")[1].split()[0])
    assert 1300 <= seconds <= 1305


def test_elements_are_canceled_with_one_word_per_job(install: InstallProgram) -> None:
    scancel = install("scancel")
    assert cancel_jobs([("12", task) for task in (0, 1, 2, 7)] + ["9", ("9", 3)]) == ()
    assert scancel.read_text() == "9 12_[0-2,7]\n"


def test_many_jobs_are_canceled_in_several_commands(install: InstallProgram) -> None:
    scancel = install("scancel")
    cancel_jobs([str(number) for number in range(100_000, 120_000)])
    words = scancel.read_text().split()
    assert (count(scancel), len(words)) == (3, 20_000)


def test_only_jobs_that_could_not_be_canceled_are_reported(install: InstallProgram) -> None:
    gone = "scancel: error: Kill job error on job id 4: Invalid job id specified"
    foreign = "scancel: error: Kill job error on job id 5: Access/permission denied"
    install("scancel", error=f"{gone}\n{foreign}\n", code=1)
    assert cancel_jobs(["4", "5"]) == (foreign,)


def test_queued_jobs_are_counted_by_elements(install: InstallProgram) -> None:
    install("squeue", "88024\n88023_4\n88023_5\n")
    assert count_queued() == 3


def test_the_configuration_of_a_cluster_that_is_down_is_an_error_in_its_own_words(install: InstallProgram) -> None:
    install("scontrol", error=NO_CONTROLLER.replace("load_jobs", "load_ctl_conf"), code=1)
    with pytest.raises(SlurmUnreachableError, match=r"^Unable to contact slurm controller"):
        query_cluster_config()
