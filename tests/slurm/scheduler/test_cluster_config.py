"""What `scontrol` and `sacctmgr` printed, read as settings, and what is worth saying of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from slurm.scheduler.cluster_config import ClusterSettings, read_limit, read_settings, remarks, submit_limit

TEXTS = Path(__file__).resolve().parents[1] / "texts"

# as sacctmgr printed it: default account, account, partition, limit, limit of the group, default QOS
ACCOUNTS = "root|proj||3||\nroot|root||7||\n"
LEVELS = "normal|5||50\nlong|2|1|\n"


@pytest.fixture
def lab() -> ClusterSettings:
    """The settings of the recorded cluster."""
    return read_settings((TEXTS / "config.txt").read_text(), (TEXTS / "partitions.txt").read_text())


def test_a_cluster_says_how_it_is_set_up(lab: ClusterSettings) -> None:
    assert lab.version == "22.05.8"
    assert (lab.max_array_size, lab.max_jobs, lab.forgets_after_s, lab.kill_wait_s) == (10001, 30000, 300, 2)
    assert (lab.is_preempting, lab.warns, lab.requeues, lab.keeps_accounts) == (True, True, True, True)
    assert lab.enforces == {"associations", "limits", "qos"}
    assert lab.requeue_wait_s == 11


def test_partitions_say_what_becomes_of_jobs_that_make_way(lab: ClusterSettings) -> None:
    found = {one.name: (one.preempt_mode, one.grace_s) for one in lab.partitions}
    assert found == {"main": ("OFF", 0), "low": ("REQUEUE", 0), "lowg": ("REQUEUE", 20), "lowc": ("CANCEL", 0)}


def test_a_partition_is_found_by_name_or_by_default(lab: ClusterSettings) -> None:
    default, low = lab.partition(), lab.partition("low")
    assert default is not None and default.name == "main"
    assert low is not None and low.name == "low"
    assert lab.partition("nowhere") is None


def test_nothing_is_known_of_a_cluster_that_says_nothing() -> None:
    assert read_settings("", "") == ClusterSettings()


@pytest.mark.parametrize(
    ("line", "warns"),
    [
        ("SlurmctldParameters = idle_on_node_suspend,preempt_send_user_signal", True),
        ("PreemptParameters = youngest_first,send_user_signal", True),
        ("SchedulerParameters = preempt_send_user_signal", False),  # 22.05 passes it over there
        ("SlurmctldParameters = (null)", False),
    ],
)
def test_the_warning_is_found_where_either_release_keeps_it(line: str, warns: bool) -> None:
    assert read_settings(line).warns is warns


def test_an_array_is_as_large_as_both_settings_allow() -> None:
    text = "MaxArraySize = 10001\nSchedulerParameters = bf_interval=1,max_array_tasks=500\n"
    assert read_settings(text).max_array_size == 500


def test_a_requeued_job_waits_two_minutes_unless_the_site_says_less() -> None:
    assert read_settings("AuthInfo = (null)\n").requeue_wait_s == 121


def test_the_lowest_of_the_limits_that_apply_counts() -> None:
    assert read_limit(ACCOUNTS, LEVELS, account="", partition="main", qos=set()) == 5
    assert read_limit(ACCOUNTS, LEVELS, account="proj", partition="main", qos=set()) == 3
    assert read_limit(ACCOUNTS, LEVELS, account="", partition="main", qos={"long"}) == 1


def test_an_association_of_another_partition_does_not_count() -> None:
    text = "root|root|gpu|2||\nroot|root||7||\n"
    assert read_limit(text, "", account="", partition="main", qos=set()) == 7
    assert read_limit(text, "", account="", partition="gpu", qos=set()) == 2


def test_without_limits_there_is_none() -> None:
    assert read_limit("root|root||||normal\n", "normal|||\n", account="", partition="", qos=set()) is None


def test_limits_that_are_not_enforced_are_not_asked_for(lab: ClusterSettings, tmp_path: Path) -> None:
    nobody = {"PATH": str(tmp_path)}
    assert submit_limit(replace(lab, enforces=frozenset()), environment=nobody) is None
    assert submit_limit(replace(lab, keeps_accounts=False), environment=nobody) is None


def test_limits_that_nobody_tells_are_none(lab: ClusterSettings, tmp_path: Path) -> None:
    assert submit_limit(lab, environment={"PATH": str(tmp_path)}) is None


def test_a_missing_warning_is_remarked_only_where_jobs_make_way(lab: ClusterSettings) -> None:
    silent = replace(lab, warns=False)
    assert [line for line in remarks(silent) if "send_user_signal" in line]
    assert not [line for line in remarks(replace(silent, is_preempting=False)) if "make way" in line]
    assert not [line for line in remarks(lab) if "send_user_signal" in line]


def test_missing_accounts_are_remarked(lab: ClusterSettings) -> None:
    assert not [line for line in remarks(lab) if "no accounts" in line]
    assert [line for line in remarks(replace(lab, keeps_accounts=False)) if "300 s after its end" in line]


def test_nothing_is_remarked_of_what_is_not_known() -> None:
    assert remarks(ClusterSettings()) == []
