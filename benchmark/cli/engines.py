"""`speed engines`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import AsJson, Overrides, print_columns, print_json, print_note, read_overrides

if TYPE_CHECKING:
    from benchmark.core.method import Method
    from benchmark.core.run_spec import RunSpec
    from benchmark.core.types import Batch
    from benchmark.profiling.engine_overhead import Overhead

STEPS = {"budget.iterations": 221, "budget.batch_size": 6, "budget.init_images": 0}
"""Ten periods that count; of Chimera-Seg on toybox, about 100 ms each on one core."""
DIFFERENT_BATCHES = 4
HEADS = ("engine", "method", "bare loop", "engine", "added", "middle half of the periods", "share", "of 100 ms")


def engines(
    name: Annotated[
        str, typer.Argument(metavar="METHOD[/VARIANT]", help="What is trained; besides, a method that does nothing.")
    ] = "chimera_seg",
    split: Annotated[str, typer.Option("--split", help="Split to train on.")] = "toybox",
    overrides: Overrides = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 1,
    as_json: AsJson = False,
) -> None:
    """What a training step takes longer in each engine than in a bare loop, data not counted."""
    from benchmark.execution.runner import prepare_torch
    from benchmark.planning.resolve import build, resolve, split_of
    from benchmark.profiling.engine_overhead import Empty

    spec = resolve(name, split=split, seed=0, overrides=STEPS | read_overrides(overrides))
    prepare_torch(threads)
    method = build(spec)
    method.set_classes(split_of(spec).seen)
    methods = {f"{spec.method}/{spec.variant}": method, "empty": Empty()}
    found = _measured(spec, methods, _batches(spec))
    if as_json:
        print_json({engine: {of: asdict(one) for of, one in rows.items()} for engine, rows in found.items()})
    else:
        print_columns(HEADS, [_row(engine, of, one) for engine, rows in found.items() for of, one in rows.items()])


def _measured(spec: RunSpec, methods: Mapping[str, Method], batches: Sequence[Batch]) -> dict[str, dict[str, Overhead]]:
    """By engine and method; an engine that is not here is left out."""
    from benchmark.core.budget import Budget
    from benchmark.execution.runner import open_engine
    from benchmark.planning.resolve import ENGINES
    from benchmark.profiling.engine_overhead import measure
    from benchmark.utils.optional_packages import require_engine

    budget = Budget(**spec.budget.model_dump())
    found: dict[str, dict[str, Overhead]] = {}
    for engine in ENGINES:
        try:
            require_engine(engine)
        except ValueError as error:
            print_note(f"{engine} is left out: {error}")
            continue
        on_it = spec.model_copy(update={"engine": engine})
        print_note(f"{engine}: {budget.iterations} steps with batches of {budget.batch_size}, in turn with a bare loop")
        found[engine] = {
            of: measure(method, batches, engine=open_engine(on_it), budget=budget) for of, method in methods.items()
        }
    return found


def _batches(spec: RunSpec) -> list[Batch]:
    from benchmark.data.catalog import open_dataset
    from benchmark.data.loader import TrainLoader
    from benchmark.planning.resolve import split_of

    split, size = split_of(spec), spec.budget.batch_size
    view = TrainLoader(open_dataset(split.dataset), split, protocol=spec.protocol, batch_size=size, seed=spec.seed)
    return list(view.batches(0, DIFFERENT_BATCHES))


def _row(engine: str, of: str, found: Overhead) -> list[str]:
    from statistics import median

    low, high = found.spread_ms
    return [
        engine,
        of,
        f"{median(found.bare_ms):.2f} ms",
        f"{median(found.engine_ms):.2f} ms",
        f"{found.added_ms:.2f} ms",
        f"{low:.2f} to {high:.2f} ms",
        f"{found.added_share:.1%}",
        f"{found.added_ms / 100:.1%}",
    ]
