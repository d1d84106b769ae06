"""`speed evaluation`: what an engine adds to the forward pass of an evaluated image."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.console import print_columns, print_json, print_note
from benchmark.cli.options import AsJson, Overrides, read_overrides

if TYPE_CHECKING:
    from benchmark.profiling.evaluation_overhead import EvaluationOverhead

HEADS = ("engine", "method", "image", "forward pass", "evaluation", "ratio", "reading, in another thread")
DEFAULT_METHODS = ("chimera_seg", "maskclip", "san")


def evaluation(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[METHOD[/VARIANT]]...", help="Methods to evaluate.")
    ] = None,
    *,
    split: Annotated[str, typer.Option("--split", help="Split whose images are evaluated.")] = "toybox",
    overrides: Overrides = None,
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="Use random weights in place of those to download.")
    ] = False,
    images: Annotated[int, typer.Option("--images", min=1, help="Images to time, after two.")] = 40,
    engine: Annotated[str, typer.Option("--engine", help="Engine to measure.")] = "fabric",
    threads: Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Measure evaluations against bare forward passes that end with the scores of all classes at full size.

    Methods are not trained. Without the data, images of noise stand in.
    """
    from benchmark.execution.measure_pace import PaceRequest, load_workload
    from benchmark.execution.runner import open_engine, prepare_torch
    from benchmark.planning.resolve import outline
    from benchmark.profiling.evaluation_overhead import measure_evaluation_overhead

    prepare_torch(threads)
    results: list[tuple[str, str, EvaluationOverhead]] = []
    for name in names or DEFAULT_METHODS:
        spec = outline(name, split=split, seed=0, engine=engine, overrides=read_overrides(overrides))
        work, data = load_workload(PaceRequest(spec, images=min(images, 8), has_random_weights=random_weights))
        label = f"{spec.method}/{spec.label}"
        print_note(f"{label}: {images} evaluated images ({data}), alternating with a bare forward pass")
        overhead = measure_evaluation_overhead(
            work.method,
            work.eval_loader,
            work.split,
            engine=open_engine(spec),
            precision=spec.budget.precision,
            gamma=work.gamma,
            images=images,
        )
        height, width = work.eval_loader.sample(0)[0]["image"].shape[1:]
        results.append((label, f"{height} x {width}", overhead))
        print_note(f"{label}: {overhead.ratio:.2f} times its forward pass")
    if as_json:
        print_json([{"method": label, "image": size} | asdict(overhead) for label, size, overhead in results])
    else:
        print_columns(HEADS, [[engine, label, size, *_format_times(overhead)] for label, size, overhead in results])


def _format_times(overhead: EvaluationOverhead) -> list[str]:
    return [
        f"{median(overhead.bare_ms):.2f} ms",
        f"{median(overhead.engine_ms):.2f} ms",
        f"{overhead.ratio:.2f}",
        f"{overhead.read_ms:.2f} ms",
    ]
