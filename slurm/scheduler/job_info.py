"""One job as SLURM tells of it, read from what squeue and sacct print. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Literal

from slurm.scheduler.states import phase_of, word_of

NO_ARRAY = -1
"""The task of a job that is no array."""

SEPARATOR = "\x1f"

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
    "Name": 256,  # the last, as its characters may have several bytes, and widths count bytes
}
SQUEUE_FORMAT = ",".join(f"{name}:{width}" for name, width in _SQUEUE.items())
"""For `squeue --Format`: columns of fixed width, which no character in a name can break."""

_STARTS = (0, *accumulate(_SQUEUE.values()))
_CUTS = tuple(slice(start, end) for start, end in zip(_STARTS, (*_STARTS[1:-1], None), strict=False))

SACCT_FORMAT = (
    "JobID,State,Reason,NodeList,Submit,Start,End,ElapsedRaw,TimelimitRaw,ExitCode,AllocTRES,ReqTRES,MaxRSS,TotalCPU,"
    "TRESUsageInTot,JobName"
)
"""For `sacct --format`."""

_SACCT = SACCT_FORMAT.split(",")

_GB = {"": 2**-30, "K": 2**-20, "M": 2**-10, "G": 1.0, "T": 2.0**10, "P": 2.0**20}


@dataclass(frozen=True)
class JobView:
    """A job, or one element of a job array, as SLURM sees it.

    Attributes:
        job: id of the array, or of a job that is none.
        task: index in the array; `NO_ARRAY` for a job that is none.
        state: SLURM's word, such as PENDING.
        reason: why it waits, or why it ended; empty where there is none.
        node: where it runs or ran; several in SLURM's short form, n[1-2].
        restarts: how often it was queued again; None where SLURM does not say.
        submitted, started, ended: seconds since 1970; None where that has not happened.
        elapsed_s: since it started, suspensions left out.
        limit_s: its time limit; None where there is none.
        exit_code, signal: how its script ended; None and 0 while it has not.
        nodes, cpus, gpus, mem_gb: what it has, or asks for while it waits, over all its nodes; GB of 1024 MB.
        max_rss_gb: the most memory that one of its steps used, over all nodes; None where nobody measured.
        cpu_s: processor time that it used; None where nobody measured.
        source: which command said all this.
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


def squeue_views(text: str) -> Iterator[JobView]:
    """The jobs in the output of `squeue --noheader --array --Format=SQUEUE_FORMAT`, times in seconds since 1970."""
    for line in text.split("\n"):
        cells = dict(zip(_SQUEUE, (line[cut].strip() for cut in _CUTS), strict=True))
        if cells["ArrayJobID"].isdigit():  # not so in the lines between the clusters of a federation
            yield from _squeue_jobs(cells)


def _squeue_jobs(cells: dict[str, str]) -> Iterator[JobView]:
    state = word_of(cells["State"])
    code, signal = _ending(cells["exit_code"])
    has_begun, has_ended = phase_of(state) != "waiting", phase_of(state) == "ended"
    gpus = _gpus(cells["tres-alloc"]) or _gpus_a_node(cells["tres-per-node"]) * _count(cells["NumNodes"])
    for task in tasks_of(cells["ArrayTaskID"]):
        yield JobView(
            job=cells["ArrayJobID"],
            task=task,
            name=cells["Name"],
            state=state,
            reason=_said(cells["Reason"]),
            node=_said(cells["NodeList"]),
            restarts=_count(cells["RestartCnt"]),
            submitted=_time(cells["SubmitTime"]),
            started=_time(cells["StartTime"]) if has_begun else None,  # else when it is expected
            ended=_time(cells["EndTime"]) if has_ended else None,
            elapsed_s=(_clock_s(cells["TimeUsed"]) or 0.0) if has_begun else 0.0,
            limit_s=_clock_s(cells["TimeLimit"]),
            exit_code=code if has_ended else None,
            signal=signal if has_ended else 0,
            nodes=_count(cells["NumNodes"]) or 1,
            cpus=_count(cells["NumCPUs"]),
            gpus=gpus,
            mem_gb=_size_gb(_tres(cells["tres-alloc"]).get("mem", "")),
        )


def sacct_views(text: str) -> list[JobView]:
    """The jobs in the output of `sacct --noheader --parsable2 --delimiter=SEPARATOR --format=SACCT_FORMAT`.

    Lines of steps, where there are any, add what their job used. A job that was queued again has as many views as
    there are lines of it.
    """
    views: list[JobView] = []
    latest = slice(0, 0)
    for line in text.split("\n"):
        cells = dict(zip(_SACCT, line.split(SEPARATOR, len(_SACCT) - 1), strict=False))
        if len(cells) < len(_SACCT):
            continue
        if "." in cells["JobID"]:
            views[latest] = [_with_step(view, cells) for view in views[latest]]
            continue
        found = list(_sacct_jobs(cells))
        latest = slice(len(views), len(views) + len(found))
        views += found
    return views


def _sacct_jobs(cells: dict[str, str]) -> Iterator[JobView]:
    state = word_of(cells["State"])
    code, signal = _ending(cells["ExitCode"])
    started, ended = _time(cells["Start"]), _time(cells["End"])  # an attempt that was REQUEUED has both
    tres = _tres(cells["AllocTRES"] or cells["ReqTRES"])
    job, tasks = _job_and_tasks(cells["JobID"])
    for task in tasks:
        yield JobView(
            job=job,
            task=task,
            name=cells["JobName"],
            state=state,
            reason="" if started or ended else _said(cells["Reason"]),  # afterwards it still says why the job waited
            node=_said(cells["NodeList"]),
            submitted=_time(cells["Submit"]),
            started=started,
            ended=ended,
            elapsed_s=float(_count(cells["ElapsedRaw"])),
            limit_s=60.0 * int(cells["TimelimitRaw"]) if cells["TimelimitRaw"].isdigit() else None,
            exit_code=code if ended else None,
            signal=signal if ended else 0,
            nodes=_count(tres.get("node", "")) or 1,
            cpus=_count(tres.get("cpu", "")),
            gpus=_gpus(cells["AllocTRES"] or cells["ReqTRES"]),
            mem_gb=_size_gb(tres.get("mem", "")),
            cpu_s=_clock_s(cells["TotalCPU"]) or None,  # without steps, sacct says 0
            source="sacct",
        )


def _with_step(view: JobView, cells: dict[str, str]) -> JobView:
    """A job after one more line of its steps. Its steps run one after the other, inside the batch step."""
    over_tasks = _size_gb(_tres(cells["TRESUsageInTot"]).get("mem", ""))
    sizes = [size for size in (view.max_rss_gb, over_tasks, _size_gb(cells["MaxRSS"])) if size]
    return replace(view, max_rss_gb=max(sizes, default=None))


def _job_and_tasks(text: str) -> tuple[str, list[int]]:
    """Both parts of sacct's JobID: 12, 12_3, 12_[5-99%4], or 12+0 for a part of a job of several kinds."""
    job, _, tasks = text.partition("_")
    return job.partition("+")[0], tasks_of(tasks)


def tasks_of(text: str) -> list[int]:
    """The indices in SLURM's notation: 3, or [1,5-99:2%4] for elements that wait; `[NO_ARRAY]` where there are none."""
    inner = text.strip("[]").partition("%")[0]
    found: list[int] = []
    for part in inner.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part.strip())
        if match:
            first, last, step = match.groups()
            found += range(int(first), int(last or first) + 1, int(step or 1))
    return found or [NO_ARRAY]


def notation(tasks: list[int]) -> str:
    """Indices as SLURM writes them: 0-3,7."""
    parts: list[str] = []
    ordered = sorted(set(tasks))
    begin = 0
    for at, task in enumerate(ordered):
        if at + 1 == len(ordered) or ordered[at + 1] != task + 1:
            parts.append(f"{ordered[begin]}-{task}" if begin != at else str(task))
            begin = at + 1
    return ",".join(parts)


def _said(text: str) -> str:
    """What a cell says, if anything."""
    return "" if text in ("None", "N/A", "None assigned", "(null)", "Unknown") else text


def _ending(text: str) -> tuple[int, int]:
    """Exit code and signal in sacct's 3:0, or in squeue's one number, which is what wait() gave."""
    code, colon, signal = text.partition(":")
    return (_count(code), _count(signal)) if colon else (_count(text) >> 8, _count(text) & 127)


def _count(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _time(text: str) -> float | None:
    return float(text) if text.isdigit() and int(text) else None


def _clock_s(text: str) -> float | None:
    """Seconds in 1-02:03:04, 2:03:04, 3:04 or 03:04.567; None for UNLIMITED and the like."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)", text)
    if not match:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _size_gb(text: str) -> float | None:
    """Size in GB of 500M, 1.5G, 3140K or plain bytes; None where there is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGTP]?)", text)
    return float(match[1]) * _GB[match[2]] if match else None


def _tres(text: str) -> dict[str, str]:
    """What is in cpu=2,mem=500M,node=1,gres/gpu=1."""
    return dict(part.split("=", 1) for part in text.split(",") if "=" in part)


def _gpus(text: str) -> int:
    """GPUs in a list as above: all together where it says so, else over their types."""
    tres = _tres(text)
    typed = (_count(number) for name, number in tres.items() if name.startswith("gres/gpu:"))
    return _count(tres["gres/gpu"]) if "gres/gpu" in tres else sum(typed)


def _gpus_a_node(text: str) -> int:
    """GPUs in gres:gpu:a100:2, gres/gpu:1 or gres:gpu: where the site keeps no accounts of them."""
    total = 0
    for part in text.split(","):
        match = re.fullmatch(r"(?:gres[:/])?gpu(?::[^:=\d][^:=]*)?(?:[:=](\d+))?", part.strip())
        total += int(match[1] or 1) if match else 0
    return total
