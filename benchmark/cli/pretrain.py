"""`pretrain`: regenerate the included toy weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.console import print_line, print_note
from benchmark.cli.out_files import Overwrite, check_out_file, make_out_folder
from benchmark.utils.durations import format_duration

app = typer.Typer(help="Regenerate the included toy weights.", no_args_is_help=True)

Out = Annotated[Path, make_out_folder("Folder for the weights and the model card.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random draw.")]
Steps = Annotated[
    int | None, typer.Option(min=1, help="Fewer training steps than the included weights had (testing only).")
]
DrawingWorkers = Annotated[int, typer.Option(min=1, help="Processes that draw images.")]
CpuThreads = Annotated[int, typer.Option(min=1, help="CPU threads.")]


@app.command("toy-clip")
def toy_clip(
    out: Out = Path("pretrained"),
    seed: Seed = 0,
    steps: Steps = None,
    workers: DrawingWorkers = 2,
    threads: CpuThreads = 1,
    overwrite: Overwrite = False,
) -> None:
    """Train the toy CLIP on captions. They name all classes; there are no masks."""
    from benchmark.execution.runner import prepare_torch
    from methods.pretrain.command import CLIP_CARD, CLIP_FILE, pretrain_toy_clip
    from methods.pretrain.toy_clip import ClipBudget

    prepare_torch(threads)
    budget = ClipBudget(seed=seed).shorten(steps)
    images = budget.scenes + budget.portraits
    for path in (out / CLIP_FILE, out / CLIP_CARD):
        check_out_file(path, is_overwritten=overwrite)
    pretrain_toy_clip(_make_writable(out), budget=budget, workers=workers, report=_make_reporter(images))
    _print_files(out)


@app.command("toy-body")
def toy_body(
    out: Out = Path("pretrained"),
    seed: Seed = 0,
    steps: Steps = None,
    workers: DrawingWorkers = 2,
    threads: CpuThreads = 1,
    overwrite: Overwrite = False,
) -> None:
    """Pre-train the toy body to classify random forms, none of which is a class of toybox."""
    from benchmark.execution.runner import prepare_torch
    from methods.pretrain.command import BODY_CARD, BODY_FILE, pretrain_toy_body
    from methods.pretrain.toy_body import BodyBudget

    prepare_torch(threads)
    budget = BodyBudget(seed=seed).shorten(steps)
    for path in (out / BODY_FILE, out / BODY_CARD):
        check_out_file(path, is_overwritten=overwrite)
    pretrain_toy_body(_make_writable(out), budget=budget, workers=workers, report=_make_reporter(budget.images))
    _print_files(out)


def _make_writable(out: Path) -> Path:
    """Create the folder and fail at once, not after the training, if it cannot be written to.

    Raises:
        ValueError: The folder cannot be created or written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ValueError(f"cannot write to --out {out} ({error.strerror}): give another folder") from error
    return out


def _make_reporter(num_images: int) -> Callable[[int, int, float], None]:
    """Return a callback of (step, steps, loss) that prints about fifty lines of progress."""
    print_note(f"drawing {num_images} images, then training")
    started = time.monotonic()

    def report(step: int, steps: int, loss: float) -> None:
        if (step + 1) % max(1, steps // 50) == 0 or step + 1 == steps:
            left = (time.monotonic() - started) / (step + 1) * (steps - step - 1)
            print_note(f"{step + 1}/{steps}  loss {loss:.3f}  {format_duration(left)} left")
        if step + 1 == steps:
            print_note("evaluating on held-out images")

    return report


def _print_files(out: Path) -> None:
    for path in sorted([*out.glob("toy_*.safetensors"), *out.glob("toy_*.md")]):
        print_line(str(path))
