"""Configuration of a SLURM cluster as far as it concerns a grid: arrays, preemption, accounting, limits of a user."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from slurm.scheduler.slurm_command import run_slurm

CRED_EXPIRE_S = 120
"""SLURM's default for `cred_expire` in `AuthInfo`."""

_SACCTMGR = ("sacctmgr", "--noheader", "--parsable2", "show")


class SlurmUnreachableError(Exception):
    """SLURM is not installed, or its controller does not answer; the message is SLURM's own."""


@dataclass(frozen=True)
class Partition:
    """A partition of the cluster.

    Attributes:
        name: Name of the partition.
        is_default: Whether jobs that name no partition run here.
        preempt_mode: What happens to preempted jobs: OFF, CANCEL, REQUEUE, SUSPEND, ...
        grace_s: Seconds between the warning and the end of a preempted job; None if unknown.
        qos: QOS whose limits apply to all jobs of the partition; empty if there is none.
    """

    name: str
    is_default: bool = False
    preempt_mode: str = ""
    grace_s: int | None = None
    qos: str = ""


@dataclass(frozen=True)
class ClusterConfig:
    """Settings that `scontrol show config` and `scontrol show partition` print; None if they do not print one.

    Attributes:
        cluster: Name of the cluster.
        version: Version of SLURM.
        max_array_size: Largest number of elements in an array whose indices begin at 0.
        has_preemption: Whether jobs may be preempted by other jobs.
        sends_preemption_signal: Whether a preempted job receives the signal that it asked for.
        requeues_by_default: Whether jobs are requeued unless they ask not to be.
        kill_wait_s: Seconds between SIGTERM and SIGKILL.
        min_job_age_s: Seconds after the end of a job until squeue no longer shows it.
        has_accounting: Whether sacct knows past jobs.
        enforced: What accounting enforces, such as "limits".
        requeue_delay_s: Least number of seconds until a requeued job starts again.
        partitions: All partitions.
    """

    cluster: str = ""
    version: str = ""
    max_array_size: int | None = None
    has_preemption: bool | None = None
    sends_preemption_signal: bool | None = None
    requeues_by_default: bool | None = None
    kill_wait_s: int | None = None
    min_job_age_s: int | None = None
    has_accounting: bool | None = None
    enforced: frozenset[str] = frozenset()
    requeue_delay_s: int | None = None
    partitions: tuple[Partition, ...] = ()

    def find_partition(self, name: str = "") -> Partition | None:
        """Return the partition of this name, or the default one if the name is empty; None if there is none."""
        matches = (
            partition for partition in self.partitions if (partition.name == name if name else partition.is_default)
        )
        return next(matches, None)


def query_cluster_config(*, cluster: str = "", environment: Mapping[str, str] | None = None) -> ClusterConfig:
    """Ask SLURM for the configuration of a cluster.

    Args:
        cluster: Name of the cluster; the default cluster of this machine if empty.
        environment: Variables in addition to those of this process.

    Raises:
        SlurmUnreachableError: SLURM is not installed, or its controller does not answer.
    """
    config = run_slurm("scontrol", "show", "config", cluster=cluster, environment=environment)
    if not config.ok:
        raise SlurmUnreachableError(config.error)
    partitions = run_slurm("scontrol", "--oneliner", "show", "partition", cluster=cluster, environment=environment)
    return parse_cluster_config(config.stdout, partitions.stdout if partitions.ok else "")


def parse_cluster_config(config: str, partitions: str = "") -> ClusterConfig:
    """Parse the output of `scontrol show config` and of `scontrol --oneliner show partition`."""
    fields = dict(re.findall(r"^(\w+)\s*= (.*?)\s*$", config, flags=re.MULTILINE))
    if not fields:
        return ClusterConfig()
    options = {key: {part.strip() for part in value.split(",")} for key, value in fields.items()}
    sizes = [
        _parse_int(fields.get("MaxArraySize")),
        _parse_option(fields.get("SchedulerParameters", ""), "max_array_tasks"),
    ]
    preempt_type, accounting = fields.get("PreemptType", ""), fields.get("AccountingStorageType", "")
    return ClusterConfig(
        cluster=fields.get("ClusterName", ""),
        version=fields.get("SLURM_VERSION", ""),
        max_array_size=min((size for size in sizes if size is not None), default=None),
        has_preemption=preempt_type.removeprefix("preempt/") not in ("none", "(null)") if preempt_type else None,
        sends_preemption_signal="preempt_send_user_signal" in options.get("SlurmctldParameters", ())
        or "send_user_signal" in options.get("PreemptParameters", ()),  # its place since 23.02
        requeues_by_default=fields["JobRequeue"] == "1" if "JobRequeue" in fields else None,
        kill_wait_s=_parse_int(fields.get("KillWait")),
        min_job_age_s=_parse_int(fields.get("MinJobAge")),
        has_accounting="slurmdbd" in accounting if accounting else None,
        enforced=frozenset(options.get("AccountingStorageEnforce", ())) - {"none"},
        requeue_delay_s=(_parse_option(fields.get("AuthInfo", ""), "cred_expire") or CRED_EXPIRE_S) + 1,
        partitions=tuple(_parse_partitions(partitions)),
    )


def _parse_partitions(text: str) -> Iterator[Partition]:
    for line in text.splitlines():
        fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if "PartitionName" in fields:
            yield Partition(
                name=fields["PartitionName"],
                is_default=fields.get("Default") == "YES",
                preempt_mode=fields.get("PreemptMode", ""),
                grace_s=_parse_int(fields.get("GraceTime")),
                qos="" if fields.get("QoS") in (None, "N/A", "(null)") else fields["QoS"],
            )


def query_submit_limit(
    config: ClusterConfig,
    *,
    account: str = "",
    qos: str = "",
    partition: str = "",
    environment: Mapping[str, str] | None = None,
) -> int | None:
    """Ask how many jobs this user may have in the queue at a time; each element of an array counts as one.

    Args:
        config: Configuration of the cluster; if it enforces no limits, SLURM is not asked.
        account: Account that the jobs are charged to; the user's default account if empty.
        qos: QOS of the jobs; the user's default QOS if empty.
        partition: Partition of the jobs; the default partition if empty.
        environment: Variables in addition to those of this process.

    Returns:
        The lowest limit of the association, the QOS and the partition's QOS; None if there is no limit that this user
        may see.
    """
    if not config.has_accounting or not config.enforced & {"limits", "safe", "all"}:
        return None
    user = find_user_name()
    columns = "format=DefaultAccount,Account,Partition,MaxSubmitJobs,GrpSubmitJobs,DefaultQOS"
    associations = run_slurm(*_SACCTMGR, "user", "where", f"name={user}", "withassoc", columns, environment=environment)
    columns = "format=Name,MaxSubmitJobsPU,MaxSubmitJobsPA,GrpSubmitJobs"
    qos_limits = run_slurm(*_SACCTMGR, "qos", columns, environment=environment)
    target = config.find_partition(partition)
    return parse_submit_limit(
        associations.stdout,
        qos_limits.stdout,
        account=account,
        partition=target.name if target else partition,
        qos={qos, target.qos if target else ""} - {""},
    )


def find_user_name() -> str:
    """Return the name of this user, or the number of a user without a name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def parse_submit_limit(
    associations: str, qos_limits: str, *, account: str, partition: str, qos: set[str]
) -> int | None:
    """Return the lowest limit in sacctmgr's lists of a user's associations and of the QOS.

    Args:
        associations: Lines of default account, account, partition, limit, limit of the group, default QOS.
        qos_limits: Lines of name and three limits.
        account: Account that is charged; the default account if empty.
        partition: Partition of the jobs; associations of other partitions do not count.
        qos: QOS that limit the jobs; if empty, the association's default QOS, else "normal".
    """
    limits: list[str] = []
    names = set(qos)
    for line in associations.splitlines():
        default_account, name, only_partition, *own_limits, default_qos = line.split("|")
        if name == (account or default_account) and only_partition in ("", partition):
            limits += own_limits
            names |= {default_qos} if default_qos and not qos else set()
    for line in qos_limits.splitlines():
        name, *own_limits = line.split("|")
        limits += own_limits if name in (names or {"normal"}) else []
    return min((int(limit) for limit in limits if limit.isdigit()), default=None)


def list_warnings(config: ClusterConfig) -> list[str]:
    """Return what a user should know about this cluster before submitting a grid, one line each."""
    return [*_warn_about_preemption(config), *_warn_about_job_ends(config), *_warn_about_array_size(config)]


def _warn_about_preemption(config: ClusterConfig) -> Iterator[str]:
    if not config.has_preemption:
        return
    if not config.sends_preemption_signal:
        yield (
            "preempted jobs do not receive the warning signal they ask for (send_user_signal is not set): "
            "runs resume from their last periodic checkpoint"
        )
    canceling = [partition.name for partition in config.partitions if partition.preempt_mode == "CANCEL"]
    if canceling:
        yield f"preempted jobs in {', '.join(canceling)} are canceled, not requeued"
    no_grace = [
        partition.name
        for partition in config.partitions
        if partition.preempt_mode not in ("", "OFF") and partition.grace_s == 0
    ]
    if no_grace:
        yield (
            f"preempted jobs in {', '.join(no_grace)} get no grace period: "
            f"{config.kill_wait_s or 'a few'} s from SIGTERM to SIGKILL"
        )


def _warn_about_job_ends(config: ClusterConfig) -> Iterator[str]:
    if config.requeues_by_default is False:
        yield "only jobs that ask for it are requeued (JobRequeue=0); the jobs of a grid ask for it"
    if config.requeue_delay_s:
        yield f"a requeued job waits at least {config.requeue_delay_s} s before it starts again"
    if config.has_accounting is False:
        yield (
            f"accounting is off: SLURM forgets a job {config.min_job_age_s or 'some'} s after its end, "
            "memory and processor time are not measured, and limits of users are unknown"
        )


def _warn_about_array_size(config: ClusterConfig) -> Iterator[str]:
    if config.max_array_size is not None:
        yield f"a job array has at most {config.max_array_size} elements; larger plans are split into several arrays"


def _parse_int(text: str | None) -> int | None:
    """Return the number that a setting begins with, as in `30 sec`."""
    match = re.match(r"\d+", text or "")
    return int(match[0]) if match else None


def _parse_option(text: str, name: str) -> int | None:
    """Return the number in name=number, one of several options."""
    match = re.search(rf"\b{name}=(\d+)", text)
    return int(match[1]) if match else None
