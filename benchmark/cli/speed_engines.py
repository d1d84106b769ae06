"""`speed engines`: what each engine adds to a training step of a bare loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import print_columns, print_json, print_note
from benchmark.cli.options import AsJson, Overrides, read_overrides

if TYPE_CHECKING:
    from benchmark.core.method import Method
    from benchmark.core.run_spec import RunSpec
    from benchmark.core.types import Batch
    from benchmark.profiling.engine_overhead import Overhead

HEADS = ("engine", "method", "bare loop", "engine", "added", "middle half of the periods", "share", "of 100 ms")
STEPS = {"budget.iterations": 221, "budget.batch_size": 6, "budget.init_images": 0}
"""Steps of `speed engines`: ten timed periods; a step of Chimera-Seg on toybox takes about 100 ms on one core."""
DIFFERENT_BATCHES = 4


def engines(
    name: Annotated[
        str, typer.Argument(metavar="METHOD[/VARIANT]", help="Method to train, in addition to one that does nothing.")
    ] = "chimera_seg",
    split: Annotated[str, typer.Option("--split", help="Split to train on.")] = "toybox",
    overrides: Overrides = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Measure what each engine adds to a training step. The comparison is with a bare loop, without data loading."""
    from benchmark.execution.runner import prepare_torch
    from benchmark.planning.resolve import build, load_split_of, resolve
    from benchmark.profiling.engine_overhead import EmptyMethod

    spec = resolve(name, split=split, seed=0, overrides=STEPS | read_overrides(overrides))
    prepare_torch(threads)
    method = build(spec)
    method.set_classes(load_split_of(spec).seen)
    methods = {f"{spec.method}/{spec.variant}": method, "empty": EmptyMethod()}
    overheads = _measure_engines(spec, methods, _load_batches(spec))
    if as_json:
        as_dicts = {
            engine: {label: asdict(overhead) for label, overhead in by_method.items()}
            for engine, by_method in overheads.items()
        }
        print_json(as_dicts)
    else:
        rows = [
            _format_row(engine, label, overhead)
            for engine, by_method in overheads.items()
            for label, overhead in by_method.items()
        ]
        print_columns(HEADS, rows)


def _measure_engines(
    spec: RunSpec, methods: Mapping[str, Method], batches: Sequence[Batch]
) -> dict[str, dict[str, Overhead]]:
    """Measure the overhead by engine and method, without engines that are not installed."""
    from benchmark.execution.runner import open_engine
    from benchmark.planning.resolve import ENGINES
    from benchmark.profiling.engine_overhead import measure_overhead
    from benchmark.utils.optional_packages import require_engine

    overheads: dict[str, dict[str, Overhead]] = {}
    for engine in ENGINES:
        try:
            require_engine(engine)
        except ValueError as error:
            print_note(f"{engine} skipped: {error}")
            continue
        engine_spec = spec.model_copy(update={"engine": engine})
        budget = spec.budget
        print_note(
            f"{engine}: {budget.iterations} steps with batches of {budget.batch_size}, alternating with a bare loop"
        )
        overheads[engine] = {}
        for label, method in methods.items():
            overhead = measure_overhead(method, batches, engine=open_engine(engine_spec), budget=budget)
            overheads[engine][label] = overhead
            print_note(f"{engine}: {label}: {overhead.added_ms:.2f} ms added to a step")
    return overheads


def _load_batches(spec: RunSpec) -> list[Batch]:
    from benchmark.data.catalog import open_dataset
    from benchmark.data.run_loaders import make_train_loader
    from benchmark.planning.resolve import load_recipe_of, load_split_of

    split = load_split_of(spec)
    supervision = load_recipe_of(spec).traits.supervision
    loader = make_train_loader(spec, open_dataset(split.dataset), split, supervision=supervision)
    return list(loader.batches(0, DIFFERENT_BATCHES))


def _format_row(engine: str, label: str, overhead: Overhead) -> list[str]:
    low, high = overhead.spread_ms
    return [
        engine,
        label,
        f"{median(overhead.bare_ms):.2f} ms",
        f"{median(overhead.engine_ms):.2f} ms",
        f"{overhead.added_ms:.2f} ms",
        f"{low:.2f} to {high:.2f} ms",
        f"{overhead.added_share:.1%}",
        f"{overhead.added_ms / 100:.1%}",
    ]
