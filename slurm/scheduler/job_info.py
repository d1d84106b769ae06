"""Jobs parsed from the output of squeue and sacct. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal

from slurm.scheduler.states import parse_state

NO_ARRAY = -1
"""Task number of a job that is not an array."""

SEPARATOR = "\x1f"
"""Delimiter for `sacct --parsable2`; it occurs in no job name."""

_SQUEUE = {
    "ArrayJobID": 14,
    "ArrayTaskID": 14,
    "State": 18,
    "Reason": 64,
    "NodeList": 128,
    "RestartCnt": 10,
    "SubmitTime": 16,
    "StartTime": 16,
    "EndTime": 16,
    "TimeUsed": 20,
    "TimeLimit": 20,
    "exit_code": 12,
    "NumCPUs": 10,
    "NumNodes": 10,
    "tres-alloc": 256,
    "tres-per-node": 128,
    "Name": 256,  # last, because widths count bytes and its characters may have several
}
SQUEUE_FORMAT = ",".join(f"{name}:{width}" for name, width in _SQUEUE.items())
"""Columns for `squeue --Format`, of fixed width, so that no character in a name can break them."""

_STARTS = (0, *accumulate(_SQUEUE.values()))
_CUTS = tuple(slice(start, end) for start, end in zip(_STARTS, (*_STARTS[1:-1], None), strict=False))

SACCT_FORMAT = (
    "JobID,State,Reason,NodeList,Submit,Start,End,ElapsedRaw,TimelimitRaw,ExitCode,AllocTRES,ReqTRES,MaxRSS,TotalCPU,"
    "TRESUsageInTot,JobName"
)
"""Columns for `sacct --format`."""

_SACCT = SACCT_FORMAT.split(",")

_GB = {"": 2**-30, "K": 2**-20, "M": 2**-10, "G": 1.0, "T": 2.0**10, "P": 2.0**20}


@dataclass(frozen=True)
class JobInfo:
    """A job, or one element of a job array, as SLURM reports it.

    Attributes:
        job: ID of the array, or of a job that is not an array.
        task: Index in the array; `NO_ARRAY` for a job that is not an array.
        name: Name of the job.
        state: SLURM's word, such as PENDING.
        reason: Reason why the job is waiting or has ended; empty if SLURM gives none.
        node: Node of the job; several nodes in SLURM's short form, n[1-2].
        restarts: Number of times the job was requeued; None if SLURM does not report it.
        submitted: Time of the submission in seconds since 1970; None if unknown.
        started: Time of the start in seconds since 1970; None before the start.
        ended: Time of the end in seconds since 1970; None before the end.
        elapsed_s: Seconds since the start, without suspensions.
        limit_s: Time limit in seconds; None if there is no limit.
        exit_code: Exit code of the batch script; None before the end.
        signal: Signal that ended the batch script; 0 if none did.
        nodes: Number of nodes that the job has or, before the start, asks for.
        cpus: Processors over all nodes.
        gpus: GPUs over all nodes.
        mem_gb: Memory over all nodes in units of 1024 MB; None if unknown.
        max_rss_gb: Largest memory that one of the job's steps used, over all nodes; None if it was not measured.
        cpu_s: Processor time that the job used, in seconds; None if it was not measured.
        source: Command that reported the job.
    """

    job: str
    task: int
    name: str
    state: str
    reason: str = ""
    node: str = ""
    restarts: int | None = None
    submitted: float | None = None
    started: float | None = None
    ended: float | None = None
    elapsed_s: float = 0.0
    limit_s: float | None = None
    exit_code: int | None = None
    signal: int = 0
    nodes: int = 1
    cpus: int = 0
    gpus: int = 0
    mem_gb: float | None = None
    max_rss_gb: float | None = None
    cpu_s: float | None = None
    source: Literal["squeue", "sacct"] = "squeue"


def parse_squeue(text: str) -> Iterator[JobInfo]:
    """Yield the jobs in the output of `squeue --noheader --array --Format=SQUEUE_FORMAT`."""
    for line in text.split("\n"):
        cells = dict(zip(_SQUEUE, (line[cut].strip() for cut in _CUTS), strict=True))
        if cells["ArrayJobID"].isdigit():  # false for the heading of each cluster of a federation
            yield from _parse_squeue_line(cells)


def _parse_squeue_line(cells: dict[str, str]) -> Iterator[JobInfo]:
    """Yield the elements of one line of squeue."""
    state = parse_state(cells["State"])
    code, signal = _parse_exit_code(cells["exit_code"])
    has_begun = state.phase != "waiting"
    nodes = _parse_int(cells["NumNodes"])
    for task in parse_tasks(cells["ArrayTaskID"]):
        yield JobInfo(
            job=cells["ArrayJobID"],
            task=task,
            name=cells["Name"],
            state=state.name,
            reason=_drop_placeholder(cells["Reason"]),
            node=_drop_placeholder(cells["NodeList"]),
            restarts=_parse_int(cells["RestartCnt"]),
            submitted=_parse_time(cells["SubmitTime"]),
            started=_parse_time(cells["StartTime"]) if has_begun else None,  # otherwise the expected start
            ended=_parse_time(cells["EndTime"]) if state.is_over else None,
            elapsed_s=(parse_duration_s(cells["TimeUsed"]) or 0.0) if has_begun else 0.0,
            limit_s=parse_duration_s(cells["TimeLimit"]),
            exit_code=code if state.is_over else None,
            signal=signal if state.is_over else 0,
            nodes=nodes or 1,
            cpus=_parse_int(cells["NumCPUs"]),
            gpus=_count_gpus(cells["tres-alloc"]) or nodes * _count_gpus_per_node(cells["tres-per-node"]),
            mem_gb=_parse_size_gb(_parse_tres(cells["tres-alloc"]).get("mem", "")),
        )


def parse_sacct(text: str) -> list[JobInfo]:
    """Return the jobs in the output of `sacct --noheader --parsable2 --delimiter=SEPARATOR --format=SACCT_FORMAT`.

    Lines of job steps, if there are any, add the memory that their job used. A job that was requeued is returned once
    for each of its lines, one per start.
    """
    jobs: list[JobInfo] = []
    latest = slice(0, 0)
    for line in text.split("\n"):
        cells = dict(zip(_SACCT, line.split(SEPARATOR, len(_SACCT) - 1), strict=False))
        if len(cells) < len(_SACCT):
            continue
        if "." in cells["JobID"]:
            jobs[latest] = [_add_step(job, cells) for job in jobs[latest]]
            continue
        starts = list(_parse_sacct_line(cells))
        latest = slice(len(jobs), len(jobs) + len(starts))
        jobs += starts
    return jobs


def _parse_sacct_line(cells: dict[str, str]) -> Iterator[JobInfo]:
    """Yield the elements of one line of sacct."""
    code, signal = _parse_exit_code(cells["ExitCode"])
    started, ended = _parse_time(cells["Start"]), _parse_time(cells["End"])  # a start that was REQUEUED has both
    tres = _parse_tres(cells["AllocTRES"] or cells["ReqTRES"])
    job, tasks = _split_job_id(cells["JobID"])
    for task in tasks:
        yield JobInfo(
            job=job,
            task=task,
            name=cells["JobName"],
            state=parse_state(cells["State"]).name,
            # from the start on, sacct keeps printing the reason why the job waited
            reason="" if started or ended else _drop_placeholder(cells["Reason"]),
            node=_drop_placeholder(cells["NodeList"]),
            submitted=_parse_time(cells["Submit"]),
            started=started,
            ended=ended,
            elapsed_s=float(_parse_int(cells["ElapsedRaw"])),
            limit_s=60.0 * int(cells["TimelimitRaw"]) if cells["TimelimitRaw"].isdigit() else None,
            exit_code=code if ended else None,
            signal=signal if ended else 0,
            nodes=_parse_int(tres.get("node", "")) or 1,
            cpus=_parse_int(tres.get("cpu", "")),
            gpus=_count_gpus(cells["AllocTRES"] or cells["ReqTRES"]),
            mem_gb=_parse_size_gb(tres.get("mem", "")),
            cpu_s=parse_duration_s(cells["TotalCPU"]) or None,  # without steps, sacct prints 0
            source="sacct",
        )


def _add_step(job: JobInfo, cells: dict[str, str]) -> JobInfo:
    """Add the memory of one step to a job. Steps run one after the other, inside the batch step."""
    over_tasks = _parse_size_gb(_parse_tres(cells["TRESUsageInTot"]).get("mem", ""))
    sizes = [size for size in (job.max_rss_gb, over_tasks, _parse_size_gb(cells["MaxRSS"])) if size]
    return replace(job, max_rss_gb=max(sizes, default=None))


def _split_job_id(text: str) -> tuple[str, list[int]]:
    """Split sacct's JobID: 12, 12_3, 12_[5-99%4], or 12+0 for a component of a heterogeneous job."""
    job, _, tasks = text.partition("_")
    return job.partition("+")[0], parse_tasks(tasks)


def parse_tasks(text: str) -> list[int]:
    """Parse indices in SLURM's notation: 3, or [1,5-99:2%4] for waiting elements; `[NO_ARRAY]` if there are none."""
    inner = text.strip("[]").partition("%")[0]
    tasks: list[int] = []
    for part in inner.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part.strip())
        if match:
            first, last, step = match.groups()
            tasks += range(int(first), int(last or first) + 1, int(step or 1))
    return tasks or [NO_ARRAY]


def format_tasks(tasks: list[int]) -> str:
    """Write indices in SLURM's notation: 0-3,7."""
    parts: list[str] = []
    ordered = sorted(set(tasks))
    begin = 0
    for position, task in enumerate(ordered):
        if position + 1 == len(ordered) or ordered[position + 1] != task + 1:
            parts.append(f"{ordered[begin]}-{task}" if begin != position else str(task))
            begin = position + 1
    return ",".join(parts)


def _drop_placeholder(text: str) -> str:
    """Return a cell, or an empty text for the words that SLURM prints in an empty cell."""
    return "" if text in ("None", "N/A", "None assigned", "(null)", "Unknown") else text


def _parse_exit_code(text: str) -> tuple[int, int]:
    """Return exit code and signal from sacct's 3:0, or from squeue's single number, which is a wait() status."""
    code, colon, signal = text.partition(":")
    return (_parse_int(code), _parse_int(signal)) if colon else (_parse_int(text) >> 8, _parse_int(text) & 127)


def _parse_int(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _parse_time(text: str) -> float | None:
    return float(text) if text.isdigit() and int(text) else None


def parse_duration_s(text: str) -> float | None:
    """Return the seconds in 1-02:03:04, 2:03:04, 3:04 or 03:04.567; None for UNLIMITED and other words."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)", text)
    if not match:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _parse_size_gb(text: str) -> float | None:
    """Return the size in GB of 500M, 1.5G, 3140K or plain bytes; None if the text is not a size."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGTP]?)", text)
    return float(match[1]) * _GB[match[2]] if match else None


def _parse_tres(text: str) -> dict[str, str]:
    """Return the resources in cpu=2,mem=500M,node=1,gres/gpu=1 by name."""
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)


def _count_gpus(text: str) -> int:
    """Return the GPUs in a list of resources: the total if it is listed, else the sum over the types of GPU."""
    tres = _parse_tres(text)
    typed = (_parse_int(number) for name, number in tres.items() if name.startswith("gres/gpu:"))
    return _parse_int(tres["gres/gpu"]) if "gres/gpu" in tres else sum(typed)


def _count_gpus_per_node(text: str) -> int:
    """Return the GPUs per node in gres:gpu:a100:2, gres/gpu:1 or gres:gpu, for sites whose TRES do not include GPUs."""
    total = 0
    for part in text.split(","):
        match = re.fullmatch(r"(?:gres[:/])?gpu(?::[^:=\d][^:=]*)?(?:[:=](\d+))?", part.strip())
        total += int(match[1] or 1) if match else 0
    return total
