"""Runs that are called exactly by a name that also begins the names of others."""

from __future__ import annotations

from benchmark.core.run_name import make_text
from benchmark.core.run_spec import RunSpec
from benchmark.store.run_folder import RunFolder


def is_called(run: RunFolder, text: str) -> bool:
    """Return whether a text is the method, variant or label of a run, also METHOD/LABEL, as tables or ids spell it."""
    wanted = make_text(text, "", {})
    try:
        spec = read_spec(run)
    except (ValueError, OSError):
        return False
    names = {spec.method, spec.variant, spec.label}
    names |= {f"{spec.method}/{name}" for name in (spec.variant, spec.label)}
    return bool(wanted) and wanted in {make_text(name, "", {}) for name in names}


def read_spec(run: RunFolder) -> RunSpec:
    """Read the spec of a run, from its record if there is one, as an archive may hold nothing else.

    Raises:
        ValueError: There is neither a readable record nor a readable spec.
        OSError: The folder cannot be read.
    """
    try:
        return run.read_record().spec
    except ValueError:
        return run.read_spec()
