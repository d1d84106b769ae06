"""`d2`: configs for Detectron2's own tools, and what is registered for them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.console import AsJson, Overrides, print_json, print_line

app = typer.Typer(
    help="Detectron2: configs of methods for its own tools, and the names it knows.", no_args_is_help=True
)


@app.command("config")
def config(
    method: Annotated[str, typer.Argument(metavar="METHOD[/VARIANT]", help="A registered method.")],
    out: Annotated[
        Path, typer.Option("--out", help="File to write: .yaml for a DefaultTrainer, .py for a LazyConfig.")
    ],
    split: Annotated[str, typer.Option("--split", help="Split to train and score on.")] = "toybox",
    protocol: Annotated[str, typer.Option("--protocol", help="Rules of the run; the split's if not given.")] = "",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of every random draw.")] = 0,
    overrides: Overrides = None,
) -> None:
    """Write a config for Detectron2's own programs."""
    from benchmark.d2.configs.configs import choose
    from benchmark.d2.configs.lazy import lazy_text
    from benchmark.d2.configs.yacs import yacs_text
    from benchmark.utils.atomic_files import write_new

    texts = {".yaml": yacs_text, ".py": lazy_text}
    if out.suffix not in texts:
        raise ValueError(f"--out {out}: expected a file that ends with {' or '.join(texts)}")
    if out.exists():
        raise ValueError(f"--out {out} exists already: remove it, or give another name")
    choice = choose(method, split=split, out=out, seed=seed, protocol=protocol, overrides=overrides or ())
    write_new(out, texts[out.suffix](choice))
    print_line(str(out))


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """Data sets and architectures of ours, by name."""
    from benchmark.d2.configs.configs import architectures, datasets

    data, models = datasets(), architectures()
    if as_json:
        print_json({"datasets": data, "architectures": models})
        return
    print_line("Data sets, for DATASETS.TRAIN and DATASETS.TEST")
    for name, words in data.items():
        print_line(f"  {name}: {words}")
    print_line("\nArchitectures, for MODEL.META_ARCHITECTURE")
    for name in models:
        print_line(f"  {name}")
