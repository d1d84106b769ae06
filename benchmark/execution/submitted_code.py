"""The code that a run was submitted with: a job that would run other code fails instead."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from benchmark.core.run_record import Failure
from benchmark.core.run_spec import RunSpec
from benchmark.planning.run_code import describe_code
from benchmark.utils.paths import ROOT

OTHER_CODE = "other code"
"""Kind of the failure of a run whose code is not the one that was submitted."""


def digest_code(spec: RunSpec) -> str:
    """Return 16 hex digits for the code that can change the result of a run, as it is on this machine."""
    lines = (f"{name} {digest}\n" for name, digest in describe_code(spec).items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def digest_codes(specs: Iterable[RunSpec]) -> dict[str, str]:
    """Return the digest of each run's code by the run's ID; runs that differ in their seed have the same code."""
    known: dict[str, str] = {}
    digests: dict[str, str] = {}
    for spec in specs:
        kind = spec.model_copy(update={"seed": 0}).canonical()
        known.setdefault(kind, "")
        known[kind] = known[kind] or digest_code(spec)
        digests[spec.id] = known[kind]
    return digests


def explain_other_code(spec: RunSpec, *, submitted: str) -> Failure | None:
    """Return the failure of a run if its code is not the one that was submitted; None if it is.

    Args:
        spec: Spec of the run.
        submitted: Digest of the code at the time of the submission.
    """
    if digest_code(spec) == submitted:
        return None
    message = (
        f"the code in {ROOT} is not the code that was submitted: if this is the wrong folder, correct python, setup, "
        "container or export in the profile; if the code was edited since, `retry` submits the present code"
    )
    return Failure(kind=OTHER_CODE, message=message)
