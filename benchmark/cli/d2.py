"""`d2`: configs and registered names for Detectron2's own tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.console import print_json, print_line
from benchmark.cli.options import AsJson, Overrides

app = typer.Typer(help="Write configs for Detectron2's own tools; list registered names.", no_args_is_help=True)


@app.command("config")
def config(
    method: Annotated[str, typer.Argument(metavar="METHOD[/VARIANT]", help="Registered method.")],
    out: Annotated[
        Path, typer.Option("--out", help="File to write: .yaml for a DefaultTrainer, .py for a LazyConfig.")
    ],
    split: Annotated[str, typer.Option("--split", help="Split to train and score on.")] = "toybox",
    protocol: Annotated[str, typer.Option("--protocol", help="Protocol of the run; default: the split's.")] = "",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of every random draw.")] = 0,
    overrides: Overrides = None,
) -> None:
    """Write a config for Detectron2's own tools."""
    from benchmark.d2.configs.config_request import make_request
    from benchmark.d2.configs.lazy import format_lazy_config
    from benchmark.d2.configs.yacs import format_yacs_config
    from benchmark.utils.atomic_files import write_new

    texts = {".yaml": format_yacs_config, ".py": format_lazy_config}
    if out.suffix not in texts:
        raise ValueError(f"--out {out}: expected a file name that ends with {' or '.join(texts)}")
    if out.exists():
        raise ValueError(f"--out {out} already exists: remove it or choose another name")
    request = make_request(method, split=split, out=out, seed=seed, protocol=protocol, overrides=overrides or ())
    write_new(out, texts[out.suffix](request))
    print_line(str(out))


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the datasets and architectures registered in Detectron2."""
    from benchmark.d2.configs.config_request import list_architectures, list_datasets

    data, models = list_datasets(), list_architectures()
    if as_json:
        print_json({"datasets": data, "architectures": models})
        return
    print_line("Datasets, for DATASETS.TRAIN and DATASETS.TEST")
    for name, description in data.items():
        print_line(f"  {name}: {description}")
    print_line("\nArchitectures, for MODEL.META_ARCHITECTURE")
    for name in models:
        print_line(f"  {name}")
