"""The cluster's answer to a job of a profile, without submitting it."""

from __future__ import annotations

import os
import re
import tempfile
from datetime import datetime
from pathlib import Path

from slurm.requests.profile import SlurmProfile
from slurm.requests.sbatch import ArrayRequest, find_requested_clusters, render_script, select_variables
from slurm.scheduler.slurm_command import run_slurm


def check_profile(profile: SlurmProfile) -> tuple[bool, str]:
    """Ask the cluster whether it accepts a job of a profile, and when the job would start.

    Args:
        profile: Profile to check.

    Returns:
        Whether the cluster accepts the job, and its answer in one line.

    Raises:
        ValueError: The profile selects clusters that are not named one by one.
    """
    resources = profile.base
    with tempfile.TemporaryDirectory() as folder:
        request = ArrayRequest(
            name="cb-check",
            comment="chimera-bench check",
            command=("-c", "pass"),
            tasks=1,
            folder=Path(folder),
            resources=resources,
            clusters=find_requested_clusters(resources),
        )
        text, script = render_script(request), Path(folder) / "batch.sh"
        script.write_text(text, encoding="utf-8")
        dropped = sorted(os.environ.keys() - select_variables(text, os.environ))  # as for a real submission
        hidden = [word for name in dropped for word in ("-u", name)]
        output = run_slurm("env", *hidden, "sbatch", "--test-only", str(script))
    printed = [line for line in output.stderr.splitlines() if line.strip()]
    own = [line for line in printed if line.startswith("sbatch: ")]  # without what wrappers and logins print
    lines = [line.removeprefix("sbatch: ").removeprefix("error: ") for line in own or printed]
    return output.ok, _format_times("; ".join(lines) or output.error)


def _format_times(text: str) -> str:
    """Return a text in which times are not seconds since 1970 but dates of this machine's time zone."""
    return re.sub(r"\b\d{10}\b", lambda match: f"{datetime.fromtimestamp(int(match[0])):%Y-%m-%d %H:%M:%S}", text)
