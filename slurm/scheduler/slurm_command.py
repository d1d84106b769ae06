"""SLURM's command-line programs, called with a bounded wait; failures are returned in SLURM's own words."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

TIMEOUT_S = 20.0
"""Longest time a command may take. Without a controller, SLURM's own commands give up after about twice MessageTimeout,
which is 10 s by default."""

_FILTERS = ("SACCT_", "SCANCEL_", "SQUEUE_")
_PLAIN = {
    "LC_ALL": "C",
    "SLURM_BITSTR_LEN": "0",  # array indices in full instead of their first 64 characters
    "SLURM_TIME_FORMAT": "%s",  # seconds since 1970, independent of the time zone
}


_PREFIX = re.compile(r"^(?:\w+: (?:error|fatal)|slurm_\w+ error): ")


@dataclass(frozen=True)
class SlurmOutput:
    """Output of a command.

    Attributes:
        ok: Whether the command ended with exit code 0.
        stdout: Text that it printed.
        stderr: Error messages that it printed; one line that says why, if the command did not run to its end.
    """

    ok: bool
    stdout: str = ""
    stderr: str = ""

    @property
    def error(self) -> str:
        """The last line of the error messages, which is the outermost error, without the name of the command."""
        lines = [line.strip() for line in self.stderr.splitlines() if line.strip()]
        return _PREFIX.sub("", lines[-1]) if lines else "it gave no reason"


def run_slurm(*words: str, environment: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S) -> SlurmOutput:
    """Run one of SLURM's commands; never raise if it fails, hangs or is not installed.

    Args:
        words: Command and its arguments.
        environment: Variables in addition to those of this process.
        timeout_s: Seconds after which the command is killed.
    """
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            env=_make_environment(environment or {}),
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        return SlurmOutput(ok=False, stderr=f"{words[0]} is not installed on this machine")
    except OSError as error:
        return SlurmOutput(ok=False, stderr=f"{words[0]} cannot be run: {error}")
    except subprocess.TimeoutExpired as timeout:
        printed = SlurmOutput(ok=False, stderr=_decode(timeout.stderr or b""))
        hint = f"; it printed: {printed.error}" if printed.stderr.strip() else ""
        return SlurmOutput(ok=False, stderr=f"{words[0]} did not answer within {timeout_s:g} s{hint}")
    return SlurmOutput(done.returncode == 0, _decode(done.stdout), _decode(done.stderr))


def _make_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without the user's own filters and formats, which would hide jobs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FILTERS)}
    return kept | dict(extra) | _PLAIN


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
