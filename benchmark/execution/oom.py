"""Did the kernel kill for want of memory? A process that was killed cannot say so itself; its control group can."""

from __future__ import annotations

from pathlib import Path

GROUPS, MOUNT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def memory_kills(groups: Path = GROUPS, mount: Path = MOUNT) -> int | None:
    """How many processes of this process's control group were killed for want of memory; None where nobody counts.

    Args:
        groups: names of the groups, as Linux shows them in /proc.
        mount: where their files are found; version 2 of control groups, or version 1.
    """
    try:
        lines = groups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            found = _count(mount / path.lstrip("/") / "memory.events")
        elif "memory" in controllers.split(","):
            found = _count(mount / "memory" / path.lstrip("/") / "memory.oom_control")
        else:
            continue
        if found is not None:
            return found
    return None


def _count(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        return None
    values = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line)
    return int(values["oom_kill"]) if "oom_kill" in values else None
