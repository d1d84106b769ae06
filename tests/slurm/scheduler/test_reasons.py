"""Every reason of SLURM's has one explanation; the README shows them."""

from __future__ import annotations

import pytest

from benchmark.utils.paths import ROOT
from slurm.scheduler.reasons import REASONS, explain_reason, format_reasons_table

# as `man squeue` of 22.05 lists them, except those of federations and front ends
MANUAL = """
    AccountNotAllowed AccountingPolicy AssocGrpBillingMinutes AssocGrpCpuLimit AssocGrpCPUMinutesLimit
    AssocGrpGRES AssocGrpJobsLimit AssocGrpMemLimit AssocGrpNodeLimit AssocGrpSubmitJobsLimit
    AssocGrpWallLimit AssocMaxCpuPerJobLimit AssocMaxGRESPerJob AssocMaxJobsLimit
    AssocMaxWallDurationPerJobLimit BadConstraints BeginTime Cleaning DeadLine Dependency
    DependencyNeverSatisfied InvalidAccount InvalidQOS JobArrayTaskLimit JobHeldAdmin JobHeldUser
    JobHoldMaxRequeue Licenses MaxGRESPerAccount NodeDown None PartitionConfig PartitionDown PartitionInactive
    PartitionNodeLimit PartitionTimeLimit Priority Prolog QOSGrpCpuLimit QOSGrpGRES QOSGrpGRESMinutes
    QOSGrpJobsLimit QOSGrpNodeLimit QOSMaxCpuPerJobLimit QOSMaxCpuPerUserLimit QOSMaxGRESPerUser
    QOSMaxJobsPerUserLimit QOSMaxMemoryPerUser QOSMaxSubmitJobPerUserLimit QOSMaxWallDurationPerJobLimit
    QOSMinCpuNotSatisfied QOSMinGRES QOSNotAllowed QOSUsageThreshold ReqNodeNotAvail Reservation
    ReservationDeleted Resources SystemFailure
"""


@pytest.mark.parametrize("name", MANUAL.split())
def test_every_reason_of_the_manual_is_explained(name: str) -> None:
    assert explain_reason(name).meaning != "waits"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ReqNodeNotAvail, UnavailableNodes:n[1-2]", "ReqNodeNotAvail"),
        ("ReqNodeNotAvail,_Reserved_for_maintenance", "ReqNodeNotAvail"),
        ("(Resources)", "Resources"),
        ("launch_failed_requeued_held", "launch failed requeued held"),
        (
            "Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved_for_jobs_in_higher_priority_partitions",
            "Nodes required for job are DOWN, DRAINED or reserved",
        ),
    ],
)
def test_details_after_a_reason_do_not_matter(text: str, name: str) -> None:
    assert explain_reason(text) is REASONS[name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("QOSMaxGRESPerUser", "your other jobs use as much as its QOS allows: GPUs"),
        ("AssocGrpCpuLimit", "its group's other jobs use as much as its account allows: processors"),
        ("QOSMaxWallDurationPerJobLimit", "asks for more time than its QOS allows for one job"),
        ("AssocGrpCPUMinutesLimit", "the hours of its account are used up"),
        ("QOSMinGRES", "asks for less than its QOS requires: GPUs"),
    ],
)
def test_a_limit_is_explained_by_its_parts(name: str, words: str) -> None:
    assert words in explain_reason(name).meaning


def test_an_unknown_reason_only_says_that_the_job_waits() -> None:
    reason = explain_reason("FullMoon")
    assert (reason.name, reason.meaning, reason.remedy) == ("FullMoon", "waits", "")


def test_the_readme_shows_the_table_of_reasons() -> None:
    assert f"\n\n{format_reasons_table()}\n\n" in (ROOT / "slurm" / "README.md").read_text(encoding="utf-8")
