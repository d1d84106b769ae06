"""Asking SLURM: one of its commands, a bounded wait, and its own words where it refuses."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

WAIT_S = 20.0
"""So long a command may take. Without a controller SLURM's own give up after about twice MessageTimeout, 10 s each."""

_FILTERS = ("SACCT_", "SCANCEL_", "SQUEUE_")
_PLAIN = {
    "LC_ALL": "C",
    "SLURM_BITSTR_LEN": "0",  # indices of an array in full, not their first 64 characters
    "SLURM_TIME_FORMAT": "%s",  # seconds since 1970, whatever the time zone
}


_PREFIX = re.compile(r"^(?:\w+: (?:error|fatal)|slurm_\w+ error): ")


@dataclass(frozen=True)
class Answer:
    """What a command said.

    Attributes:
        ok: whether it ended with exit code 0.
        text: what it printed.
        complaint: what it printed as errors; where it gave no answer at all, one line that says so.
    """

    ok: bool
    text: str = ""
    complaint: str = ""

    @property
    def last_words(self) -> str:
        """The last line of the complaint, which is the outermost error, without the name of the command."""
        lines = [line.strip() for line in self.complaint.splitlines() if line.strip()]
        return _PREFIX.sub("", lines[-1]) if lines else "it gave no reason"


def ask(*words: str, environment: Mapping[str, str] | None = None, timeout_s: float = WAIT_S) -> Answer:
    """Run a command of SLURM's; never raises for one that fails, hangs or is not there.

    Args:
        words: the command and its arguments.
        environment: variables beside those of this process.
        timeout_s: after so long it is killed.
    """
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            env=_variables(environment or {}),
            stdin=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        return Answer(ok=False, complaint=f"there is no {words[0]} on this machine")
    except OSError as error:
        return Answer(ok=False, complaint=f"{words[0]} cannot be run: {error}")
    except subprocess.TimeoutExpired as late:
        said = Answer(ok=False, complaint=_text(late.stderr or b""))
        hint = f"; it said: {said.last_words}" if said.complaint.strip() else ""
        return Answer(ok=False, complaint=f"{words[0]} gave no answer within {timeout_s:g} s{hint}")
    return Answer(done.returncode == 0, _text(done.stdout), _text(done.stderr))


def _variables(extra: Mapping[str, str]) -> dict[str, str]:
    """Without the user's own filters and formats for these commands, which would hide jobs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FILTERS)}
    return kept | dict(extra) | _PLAIN


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
