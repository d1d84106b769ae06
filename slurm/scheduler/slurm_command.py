"""SLURM's command-line programs, called with a bounded wait; failures are returned in SLURM's own words.

A command that fails because the controller is busy or restarts is tried again, with longer and longer pauses.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TIMEOUT_S = 20.0
"""Longest time a command may take. Without a controller, SLURM's own commands give up after about twice MessageTimeout,
which is 10 s by default."""

RETRY_PAUSES_S = (1.0, 2.0, 4.0)
"""Pauses between the tries of a command that meets a busy controller."""

RETRY_UNTIL_S = 20.0
"""Time since the first try after which no other one begins."""

CLUSTERS_VARIABLE = "SLURM_CLUSTERS"
"""Variable that sends SLURM's commands to other clusters. A job is always looked for on its own cluster instead."""

TRANSIENT = re.compile(
    r"socket timed out|zero bytes|unable to contact slurm controller|resource temporarily unavailable"
    r"|connection (reset|timed out)|(send|receive|shutdown) failure|unexpected message received",
    re.IGNORECASE,
)
"""Errors of a controller that is busy or restarts."""

_log = logging.getLogger(__name__)

_FILTERS = ("SACCT_", "SCANCEL_", "SINFO_", "SQUEUE_")
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


def run_slurm(
    *words: str,
    cluster: str = "",
    environment: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
    retries: bool = True,
) -> SlurmOutput:
    """Run one of SLURM's commands; never raise if it fails, hangs or is not installed.

    Args:
        words: Command and its arguments.
        cluster: Cluster that the command is sent to; the default cluster of this machine if empty.
        environment: Variables in addition to those of this process.
        timeout_s: Seconds after which the command is killed.
        retries: Whether the command is tried again if the controller is busy.
    """
    command = [words[0], *([f"--clusters={cluster}"] if cluster else []), *words[1:]]
    start_s = time.monotonic()
    for number, pause in enumerate(RETRY_PAUSES_S if retries else ()):
        output = _run_once(command, environment=environment or {}, timeout_s=timeout_s)
        is_late = time.monotonic() - start_s + pause > RETRY_UNTIL_S
        if output.ok or is_late or not TRANSIENT.search(output.stderr):
            return output
        if number == 0:
            _log.warning("%s: %s; trying again for up to %.0f s", words[0], output.error, RETRY_UNTIL_S)
        time.sleep(pause)
    return _run_once(command, environment=environment or {}, timeout_s=timeout_s)


def _run_once(words: Sequence[str], *, environment: Mapping[str, str], timeout_s: float) -> SlurmOutput:
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            env=_make_environment(environment),
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
    """Return this process's environment without the user's own clusters, filters and formats, which would hide jobs."""
    hiding = (*_FILTERS, CLUSTERS_VARIABLE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hiding)}
    return kept | dict(extra) | _PLAIN


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
