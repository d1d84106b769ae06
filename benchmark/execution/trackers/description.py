"""What trackers say about a run, to find and group it by."""

from __future__ import annotations

from typing import Any

from benchmark.core.run_spec import RunSpec


def describe_run(spec: RunSpec) -> dict[str, Any]:
    """Return the settings of a run by name."""
    fields = ("method", "variant", "split", "seed", "engine")
    return {name: getattr(spec, name) for name in fields} | {"run_id": spec.id, **spec.overrides}
