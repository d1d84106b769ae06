"""How a cluster is set up, as far as it concerns a grid: sizes of arrays, preemption, accounts, limits of a user."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from slurm.scheduler.slurm_command import ask

CRED_EXPIRE_S = 120
"""What SLURM takes where `AuthInfo` names no `cred_expire`."""

_SACCTMGR = ("sacctmgr", "--noheader", "--parsable2", "show")


class Unreachable(Exception):
    """There is no SLURM here, or its controller does not answer; the message has SLURM's own words."""


@dataclass(frozen=True)
class Partition:
    """A partition, as far as it concerns a job that may have to make way.

    Attributes:
        preempt_mode: what becomes of its jobs then: OFF, CANCEL, REQUEUE, SUSPEND, ...
        grace_s: between the warning and the end; None where it is not known.
        qos: whose limits hold for everything in it; empty where there is none.
    """

    name: str
    is_default: bool = False
    preempt_mode: str = ""
    grace_s: int | None = None
    qos: str = ""


@dataclass(frozen=True)
class ClusterSettings:
    """What `scontrol show config` and `scontrol show partition` say; None where they do not.

    Attributes:
        version: of SLURM.
        max_array_size: elements that an array may have, where its indices begin at 0.
        max_jobs: that the cluster holds at a time, of all users.
        is_preempting: whether jobs may have to make way for others.
        warns: whether the signal that a job asked for is sent when it has to make way.
        requeues: whether jobs go back into the queue by default.
        kill_wait_s: between SIGTERM and SIGKILL.
        forgets_after_s: squeue forgets a job so long after its end.
        keeps_accounts: whether sacct knows past jobs.
        enforces: what the accounts enforce, such as "limits".
        requeue_wait_s: that a job waits at least before it starts again.
    """

    version: str = ""
    max_array_size: int | None = None
    max_jobs: int | None = None
    is_preempting: bool | None = None
    warns: bool | None = None
    requeues: bool | None = None
    kill_wait_s: int | None = None
    forgets_after_s: int | None = None
    keeps_accounts: bool | None = None
    enforces: frozenset[str] = frozenset()
    requeue_wait_s: int | None = None
    partitions: tuple[Partition, ...] = ()

    def partition(self, name: str = "") -> Partition | None:
        """The partition of this name, or the default one; None where it is not known."""
        fitting = (one for one in self.partitions if (one.name == name if name else one.is_default))
        return next(fitting, None)


def settings(*, environment: Mapping[str, str] | None = None) -> ClusterSettings:
    """Ask how the cluster is set up.

    Raises:
        Unreachable: there is no SLURM here, or its controller does not answer.
    """
    config = ask("scontrol", "show", "config", environment=environment)
    if not config.ok:
        raise Unreachable(config.last_words)
    partitions = ask("scontrol", "--oneliner", "show", "partition", environment=environment)
    return read_settings(config.text, partitions.text if partitions.ok else "")


def read_settings(config: str, partitions: str = "") -> ClusterSettings:
    """The settings in what both commands print."""
    said = dict(re.findall(r"^(\w+)\s*= (.*?)\s*$", config, flags=re.MULTILINE))
    if not said:
        return ClusterSettings()
    options = {key: {part.strip() for part in value.split(",")} for key, value in said.items()}
    sizes = [_number(said.get("MaxArraySize")), _option(said.get("SchedulerParameters", ""), "max_array_tasks")]
    preempting, accounts = said.get("PreemptType", ""), said.get("AccountingStorageType", "")
    return ClusterSettings(
        version=said.get("SLURM_VERSION", ""),
        max_array_size=min((size for size in sizes if size is not None), default=None),
        max_jobs=_number(said.get("MaxJobCount")),
        is_preempting=preempting.removeprefix("preempt/") not in ("none", "(null)") if preempting else None,
        warns="preempt_send_user_signal" in options.get("SlurmctldParameters", ())
        or "send_user_signal" in options.get("PreemptParameters", ()),  # its place since 23.02
        requeues=said["JobRequeue"] == "1" if "JobRequeue" in said else None,
        kill_wait_s=_number(said.get("KillWait")),
        forgets_after_s=_number(said.get("MinJobAge")),
        keeps_accounts="slurmdbd" in accounts if accounts else None,
        enforces=frozenset(options.get("AccountingStorageEnforce", ())) - {"none"},
        requeue_wait_s=(_option(said.get("AuthInfo", ""), "cred_expire") or CRED_EXPIRE_S) + 1,
        partitions=tuple(_partitions(partitions)),
    )


def _partitions(text: str) -> Iterator[Partition]:
    for line in text.splitlines():
        said = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if "PartitionName" in said:
            yield Partition(
                name=said["PartitionName"],
                is_default=said.get("Default") == "YES",
                preempt_mode=said.get("PreemptMode", ""),
                grace_s=_number(said.get("GraceTime")),
                qos="" if said.get("QoS") in (None, "N/A", "(null)") else said["QoS"],
            )


def submit_limit(
    settings: ClusterSettings,
    *,
    account: str = "",
    qos: str = "",
    partition: str = "",
    environment: Mapping[str, str] | None = None,
) -> int | None:
    """How many jobs this user may have in the queue at a time; every element of an array counts as one.

    Args:
        settings: of the cluster; where it enforces no limits, nobody is asked.
        account, qos, partition: that the jobs are sent to; the user's own defaults where empty.
        environment: variables beside those of this process.

    Returns:
        The lowest limit of the association, the QOS and the partition's QOS; None where there is none, or none that
        this user may see.
    """
    if not settings.keeps_accounts or not settings.enforces & {"limits", "safe", "all"}:
        return None
    user = pwd.getpwuid(os.getuid()).pw_name
    fields = "format=DefaultAccount,Account,Partition,MaxSubmitJobs,GrpSubmitJobs,DefaultQOS"
    accounts = ask(*_SACCTMGR, "user", "where", f"name={user}", "withassoc", fields, environment=environment)
    fields = "format=Name,MaxSubmitJobsPU,MaxSubmitJobsPA,GrpSubmitJobs"
    levels = ask(*_SACCTMGR, "qos", fields, environment=environment)
    within = settings.partition(partition)
    return read_limit(
        accounts.text,
        levels.text,
        account=account,
        partition=within.name if within else partition,
        qos={qos, within.qos if within else ""} - {""},
    )


def read_limit(accounts: str, levels: str, *, account: str, partition: str, qos: set[str]) -> int | None:
    """The lowest limit in what sacctmgr prints of a user's associations and of the QOS.

    Args:
        accounts: lines of default account, account, partition, limit, limit of the group, default QOS.
        levels: lines of name and three limits.
        account: that is charged; the default account where empty.
        partition: that the jobs are sent to; associations of other partitions do not count.
        qos: that limit the jobs; the association's default QOS, else "normal", is added.
    """
    limits: list[str] = []
    names = set(qos)
    for line in accounts.splitlines():
        default, name, only_in, *own, level = line.split("|")
        if name == (account or default) and only_in in ("", partition):
            limits += own
            names |= {level} if level and not qos else set()
    for line in levels.splitlines():
        name, *own = line.split("|")
        limits += own if name in (names or {"normal"}) else []
    return min((int(limit) for limit in limits if limit.isdigit()), default=None)


def remarks(settings: ClusterSettings) -> list[str]:
    """What a person should know of this cluster before a grid is sent to it, one line each."""
    return [*_on_preemption(settings), *_on_ends(settings), *_on_sizes(settings)]


def _on_preemption(settings: ClusterSettings) -> Iterator[str]:
    if settings.is_preempting and not settings.warns:
        yield (
            "jobs that have to make way are not warned by the signal they ask for (send_user_signal is not set): "
            "what was saved on the way is what is kept"
        )
    cancelling = [one.name for one in settings.partitions if one.preempt_mode == "CANCEL"]
    if settings.is_preempting and cancelling:
        yield f"jobs that have to make way in {', '.join(cancelling)} are cancelled, not queued again"
    hasty = [one.name for one in settings.partitions if one.preempt_mode not in ("", "OFF") and one.grace_s == 0]
    if settings.is_preempting and hasty:
        yield (
            f"jobs that have to make way in {', '.join(hasty)} get no grace: "
            f"{settings.kill_wait_s or 'a few'} s from SIGTERM to the end"
        )


def _on_ends(settings: ClusterSettings) -> Iterator[str]:
    if settings.requeues is False:
        yield "jobs go back into the queue only where they ask for it (JobRequeue=0), as those of a grid do"
    if settings.requeue_wait_s:
        yield f"a job that goes back into the queue waits {settings.requeue_wait_s} s at least before it starts again"
    if settings.keeps_accounts is False:
        yield (
            f"there are no accounts: SLURM forgets a job {settings.forgets_after_s or 'some'} s after its end, "
            "memory and processor time go unmeasured, and limits of users are not known"
        )


def _on_sizes(settings: ClusterSettings) -> Iterator[str]:
    if settings.max_array_size is not None:
        yield f"a job array has at most {settings.max_array_size} elements; a longer plan is sent in several"


def _number(text: str | None) -> int | None:
    """The number that a setting begins with, as in `30 sec`."""
    match = re.match(r"\d+", text or "")
    return int(match[0]) if match else None


def _option(text: str, name: str) -> int | None:
    """The number in name=number among several options."""
    match = re.search(rf"\b{name}=(\d+)", text)
    return int(match[1]) if match else None
