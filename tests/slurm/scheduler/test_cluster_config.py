"""The configuration parsed from the output of `scontrol` and `sacctmgr`, and the warnings about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from slurm.scheduler.cluster_config import (
    ClusterConfig,
    list_warnings,
    parse_cluster_config,
    parse_submit_limit,
    query_submit_limit,
)

TEXTS = Path(__file__).resolve().parents[1] / "texts"

# as sacctmgr printed it: default account, account, partition, limit, limit of the group, default QOS
ACCOUNTS = "root|proj||3||\nroot|root||7||\n"
LEVELS = "normal|5||50\nlong|2|1|\n"


@pytest.fixture
def lab() -> ClusterConfig:
    """The configuration of the recorded cluster."""
    return parse_cluster_config((TEXTS / "config.txt").read_text(), (TEXTS / "partitions.txt").read_text())


def test_the_configuration_of_a_cluster_is_parsed(lab: ClusterConfig) -> None:
    assert lab.version == "22.05.8"
    assert (lab.max_array_size, lab.min_job_age_s, lab.kill_wait_s) == (10001, 300, 2)
    assert (lab.has_preemption, lab.sends_preemption_signal) == (True, True)
    assert (lab.requeues_by_default, lab.has_accounting) == (True, True)
    assert lab.enforced == {"associations", "limits", "qos"}
    assert lab.requeue_delay_s == 11


def test_partitions_say_what_happens_to_preempted_jobs(lab: ClusterConfig) -> None:
    modes = {partition.name: (partition.preempt_mode, partition.grace_s) for partition in lab.partitions}
    assert modes == {"main": ("OFF", 0), "low": ("REQUEUE", 0), "lowg": ("REQUEUE", 20), "lowc": ("CANCEL", 0)}


def test_a_partition_is_found_by_name_or_by_default(lab: ClusterConfig) -> None:
    default, low = lab.find_partition(), lab.find_partition("low")
    assert default is not None and default.name == "main"
    assert low is not None and low.name == "low"
    assert lab.find_partition("nowhere") is None


def test_empty_output_gives_an_empty_configuration() -> None:
    assert parse_cluster_config("", "") == ClusterConfig()


@pytest.mark.parametrize(
    ("line", "warns"),
    [
        ("SlurmctldParameters = idle_on_node_suspend,preempt_send_user_signal", True),
        ("PreemptParameters = youngest_first,send_user_signal", True),
        ("SchedulerParameters = preempt_send_user_signal", False),  # ignored there by 22.05
        ("SlurmctldParameters = (null)", False),
    ],
)
def test_the_preemption_signal_is_found_under_the_parameter_of_either_release(line: str, warns: bool) -> None:
    assert parse_cluster_config(line).sends_preemption_signal is warns


def test_an_array_is_as_large_as_both_settings_allow() -> None:
    text = "MaxArraySize = 10001\nSchedulerParameters = bf_interval=1,max_array_tasks=500\n"
    assert parse_cluster_config(text).max_array_size == 500


def test_a_requeued_job_waits_two_minutes_by_default() -> None:
    assert parse_cluster_config("AuthInfo = (null)\n").requeue_delay_s == 121


def test_the_lowest_of_the_limits_that_apply_counts() -> None:
    assert parse_submit_limit(ACCOUNTS, LEVELS, account="", partition="main", qos=set()) == 5
    assert parse_submit_limit(ACCOUNTS, LEVELS, account="proj", partition="main", qos=set()) == 3
    assert parse_submit_limit(ACCOUNTS, LEVELS, account="", partition="main", qos={"long"}) == 1


def test_an_association_of_another_partition_does_not_count() -> None:
    text = "root|root|gpu|2||\nroot|root||7||\n"
    assert parse_submit_limit(text, "", account="", partition="main", qos=set()) == 7
    assert parse_submit_limit(text, "", account="", partition="gpu", qos=set()) == 2


def test_without_limits_the_limit_is_none() -> None:
    assert parse_submit_limit("root|root||||normal\n", "normal|||\n", account="", partition="", qos=set()) is None


def test_limits_that_are_not_enforced_are_not_queried(lab: ClusterConfig, tmp_path: Path) -> None:
    no_programs = {"PATH": str(tmp_path)}
    assert query_submit_limit(replace(lab, enforced=frozenset()), environment=no_programs) is None
    assert query_submit_limit(replace(lab, has_accounting=False), environment=no_programs) is None


def test_limits_that_cannot_be_queried_are_none(lab: ClusterConfig, tmp_path: Path) -> None:
    assert query_submit_limit(lab, environment={"PATH": str(tmp_path)}) is None


def test_a_missing_preemption_signal_is_warned_about_only_if_jobs_are_preempted(lab: ClusterConfig) -> None:
    silent = replace(lab, sends_preemption_signal=False)
    assert [line for line in list_warnings(silent) if "send_user_signal" in line]
    assert not [line for line in list_warnings(replace(silent, has_preemption=False)) if "preempted" in line]
    assert not [line for line in list_warnings(lab) if "send_user_signal" in line]


def test_missing_accounting_is_warned_about(lab: ClusterConfig) -> None:
    assert not [line for line in list_warnings(lab) if "accounting is off" in line]
    assert [line for line in list_warnings(replace(lab, has_accounting=False)) if "300 s after its end" in line]


def test_unknown_settings_give_no_warnings() -> None:
    assert list_warnings(ClusterConfig()) == []
