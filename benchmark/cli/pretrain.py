"""`pretrain`: remake the weights that ship."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.console import format_duration, print_line, print_note

app = typer.Typer(help="Remake the toy weights that ship.", no_args_is_help=True)

Out = Annotated[Path, typer.Option("--out", help="Folder for weights and model card.", file_okay=False)]
Seed = Annotated[int, typer.Option(min=0, help="Of every random draw.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Fewer steps than the weights that ship (testing only).")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that draw pictures.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads of torch.")]


@app.command("toy-clip")
def toy_clip(
    out: Out = Path("pretrained"),
    seed: Seed = 0,
    steps: Steps = None,
    workers: Workers = 2,
    threads: Threads = 2,
) -> None:
    """Train the toy CLIP on captions with all class names and no masks."""
    from dataclasses import replace

    import torch

    from methods.pretrain.command import pretrain_toy_clip
    from methods.pretrain.toy_clip import ClipBudget

    torch.set_num_threads(threads)
    budget = ClipBudget(seed=seed)
    budget = replace(budget, steps=steps or budget.steps)
    pretrain_toy_clip(_ready(out), budget=budget, workers=workers, report=_reporter())
    _say_files(out)


@app.command("toy-body")
def toy_body(
    out: Out = Path("pretrained"),
    seed: Seed = 0,
    steps: Steps = None,
    workers: Workers = 2,
    threads: Threads = 1,
) -> None:
    """Pre-train the toy body on portraits of classes that every split sees."""
    from dataclasses import replace

    import torch

    from methods.pretrain.command import pretrain_toy_body
    from methods.pretrain.toy_body import BodyBudget

    torch.set_num_threads(threads)
    budget = BodyBudget(seed=seed)
    budget = replace(budget, steps=steps or budget.steps)
    pretrain_toy_body(_ready(out), budget=budget, workers=workers, report=_reporter())
    _say_files(out)


def _ready(out: Path) -> Path:
    """Find out now, not after an hour, that the folder cannot be written to."""
    out.mkdir(parents=True, exist_ok=True)
    probe = out / ".probe"
    probe.touch()
    probe.unlink()
    return out


def _reporter() -> Callable[[int, int, float], None]:
    print_note("drawing pictures")
    started = time.monotonic()

    def report(step: int, steps: int, loss: float) -> None:
        if (step + 1) % max(1, steps // 50) == 0 or step + 1 == steps:
            left = (time.monotonic() - started) / (step + 1) * (steps - step - 1)
            print_note(f"{step + 1}/{steps}  loss {loss:.3f}  {format_duration(left)} left")

    return report


def _say_files(out: Path) -> None:
    for path in sorted([*out.glob("toy_*.safetensors"), *out.glob("toy_*.md")]):
        print_line(str(path))
