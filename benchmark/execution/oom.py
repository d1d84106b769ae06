"""Processes that the kernel killed because memory ran out, as counted by this process's control group."""

from __future__ import annotations

from pathlib import Path

GROUPS, MOUNT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def count_oom_kills(groups: Path = GROUPS, mount: Path = MOUNT) -> int | None:
    """Count the processes of this process's control group that were killed because memory ran out.

    Args:
        groups: File that lists the control groups of this process, in the format of /proc/self/cgroup.
        mount: Directory of the control groups, version 1 or 2.

    Returns:
        Number of killed processes; None if the kernel does not count them.
    """
    try:
        lines = groups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            count = _read_oom_kills(mount / path.lstrip("/") / "memory.events")
        elif "memory" in controllers.split(","):
            count = _read_oom_kills(mount / "memory" / path.lstrip("/") / "memory.oom_control")
        else:
            continue
        if count is not None:
            return count
    return None


def _read_oom_kills(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return None
    values = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line)
    return int(values["oom_kill"]) if "oom_kill" in values else None
