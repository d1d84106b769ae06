"""Table of SLURM's reasons why a job waits, in plain words, and what to do. Pure.

The words are those of squeue of SLURM 22.05 and newer. Reasons that name a limit are composed of its owner, its kind
and its resource, such as QOSMaxGRESPerUser; their explanation is composed in the same way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class PendingReason:
    """Reason why a job waits.

    Attributes:
        name: Word that SLURM prints.
        meaning: What the job waits for, without its subject "the job".
        remedy: Advice to the user; empty if there is nothing to do but wait.
    """

    name: str
    meaning: str
    remedy: str = ""


_RELEASE = "let it start with `scontrol release JOB`"
_NEVER_FITS = "it never starts as it is: `cancel`, correct the profile, `submit` again"

_ROWS = (
    PendingReason("None", "was just submitted and has not been looked at yet"),
    PendingReason("Resources", "is next, and waits for nodes to become free"),
    PendingReason("Priority", "waits because other jobs are ahead in the queue", "a shorter timeout_min may help"),
    PendingReason("JobArrayTaskLimit", "waits for other jobs of its array", "array_parallelism is the limit"),
    PendingReason("BeginTime", "may not start yet; requeued jobs pause for some minutes"),
    PendingReason("Dependency", "waits for another job to end", "see `scontrol show job JOB`"),
    PendingReason("DependencyNeverSatisfied", "waits for a job that failed", _NEVER_FITS),
    PendingReason("JobHeldUser", "is held by its user", _RELEASE),
    PendingReason("JobHeldAdmin", "is held by the site", "ask the site why"),
    PendingReason("JobHoldMaxRequeue", "was requeued too often and is held", f"read its log; then {_RELEASE}"),
    PendingReason("launch failed requeued held", "could not be started by its node and is held", _RELEASE),
    PendingReason("job requeued in held state", "was requeued and is held", _RELEASE),
    PendingReason(
        "ReqNodeNotAvail",
        "waits for nodes that are down, drained or reserved, often for maintenance",
        "a timeout_min that ends before the maintenance may let it start: `sinfo -R`, `scontrol show reservation`",
    ),
    PendingReason(
        "Nodes required for job are DOWN, DRAINED or reserved",
        "waits for nodes that are down, drained or reserved for others",
        "`sinfo -R` says why; or choose another partition",
    ),
    PendingReason("NodeDown", "waits for a node that is down", "`sinfo -R` says why"),
    PendingReason("Reservation", "waits for its reservation to begin"),
    PendingReason("ReservationDeleted", "waits for a reservation that was deleted", _NEVER_FITS),
    PendingReason("Licenses", "waits for a license to become free"),
    PendingReason("Prolog", "has nodes, which are being prepared"),
    PendingReason("Cleaning", "is being cleaned up after an earlier start"),
    PendingReason("PartitionDown", "waits because its partition is closed", "`sinfo -s` lists open partitions"),
    PendingReason("PartitionInactive", "waits because its partition is closed", "`sinfo -s` lists open partitions"),
    PendingReason(
        "PartitionTimeLimit", "asks for more time than its partition allows", f"lower timeout_min; {_NEVER_FITS}"
    ),
    PendingReason("PartitionNodeLimit", "asks for more nodes than its partition allows", f"lower nodes; {_NEVER_FITS}"),
    PendingReason("PartitionConfig", "asks for more than its partition allows", _NEVER_FITS),
    PendingReason("BadConstraints", "asks for something that no node has", _NEVER_FITS),
    PendingReason("InvalidAccount", "is charged to an account that does not exist", f"set account; {_NEVER_FITS}"),
    PendingReason("InvalidQOS", "has a QOS that is not valid here", f"set qos; {_NEVER_FITS}"),
    PendingReason(
        "QOSNotAllowed", "has a QOS that its partition does not allow", f"set qos or partition; {_NEVER_FITS}"
    ),
    PendingReason("QOSUsageThreshold", "waits because its QOS has used too much of its share"),
    PendingReason("AccountingPolicy", "waits because of a limit of its account or QOS", "`sacctmgr show qos`"),
    PendingReason("AccountNotAllowed", "has an account that its partition does not allow", _NEVER_FITS),
    PendingReason("DeadLine", "cannot meet its deadline", "remove the deadline from the profile"),
    PendingReason("SystemFailure", "waits because of a failure of SLURM", "ask the site"),
)

REASONS = {reason.name: reason for reason in _ROWS}
"""Every reason of the table by its word."""

_LIMIT = re.compile(
    r"(?P<owner>QOS|Assoc|Association)?(?P<kind>Grp|Max|Min)(?P<resource>[A-Z][A-Za-z]*?)"
    r"(?P<scope>Per(?:User|Account|Job|Node))?(?:Limit)?"
)
_OWNERS = {"QOS": "QOS", "Assoc": "account", "Association": "account"}
_RESOURCES = {
    "bb": "burst buffer",
    "billing": "billing units",
    "cpu": "processors",
    "energy": "energy",
    "gres": "GPUs",
    "job": "running jobs",
    "mem": "memory",
    "node": "nodes",
    "submit": "jobs in the queue",
    "wall": "time",
}


def explain_reason(text: str) -> PendingReason:
    """Return a reason that squeue printed, in plain words.

    A text that is not in the table gives a reason without advice that says that the job waits.

    Args:
        text: Reason of a waiting job, such as `Resources` or `ReqNodeNotAvail, UnavailableNodes:n1`.
    """
    words = text.strip("()").replace("_", " ")
    for name, reason in REASONS.items():
        if words == name or words.startswith((f"{name},", f"{name} ", f"{name}(")):
            return reason
    match = _LIMIT.fullmatch(words)
    return _explain_limit(words, match) if match else PendingReason(words, "waits")


def _explain_limit(name: str, match: re.Match[str]) -> PendingReason:
    """Return the reason of a job that meets a limit of its account or QOS."""
    owner = _OWNERS.get(match["owner"] or "", "account")
    words = match["resource"].lower()
    resource = next((text for word, text in _RESOURCES.items() if word in words), "resources")
    if match["kind"] == "Min":
        return PendingReason(name, f"asks for less than its {owner} requires: {resource}", _NEVER_FITS)
    if match["scope"] in ("PerJob", "PerNode"):
        return PendingReason(name, f"asks for more {resource} than its {owner} allows for one job", _NEVER_FITS)
    if "minutes" in words or words.endswith("mins"):
        return PendingReason(name, f"waits because the hours of its {owner} are used up", "ask the site for more")
    whose = "its group's" if match["kind"] == "Grp" else "your"
    wait = f"waits because {whose} other jobs use as much as its {owner} allows: {resource}"
    return PendingReason(name, wait, "it starts when they end; `sacctmgr show qos` lists the limits")


def format_reasons_table() -> str:
    """Return the Markdown table of reasons that slurm/README.md shows."""
    examples = [explain_reason(name) for name in ("QOSMaxGRESPerUser", "AssocGrpCPUMinutesLimit", "QOSMaxWallPerJob")]
    rows = [f"| {reason.name} | {reason.meaning} | {reason.remedy} |" for reason in (*_ROWS, *examples)]
    return "\n".join(["| reason | the job | what to do |", "|---|---|---|", *rows])
