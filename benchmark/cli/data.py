"""`data`: the embedded world as files and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.console import note, say

app = typer.Typer(help="The embedded data set as files, and as a picture.", no_args_is_help=True)

Part = Annotated[list[str] | None, typer.Option("--part", help="Part to write; all if not given.")]


@app.command("make")
def make(
    name: Annotated[str, typer.Argument(help="toybox")],
    out: Annotated[Path, typer.Option("--out", help="A new or empty folder, or one to go on with.", file_okay=False)],
    part: Part = None,
) -> None:
    """Write a procedural data set to a folder, in the layout of Pascal VOC."""
    from benchmark.data.export import export_voc
    from benchmark.data.toybox.dataset import ToyBox
    from benchmark.suggest import unknown_name

    if name != "toybox":
        raise KeyError(unknown_name("procedural data set", name, ["toybox"]))
    dataset = ToyBox()
    metadata = export_voc(dataset, part or dataset.parts, out, observe=_tell)
    say(f"{metadata.parent}: {', '.join(part or dataset.parts)}; described in {metadata.name}")


@app.command("sheet")
def sheet(
    out: Annotated[Path, typer.Option("--out", help="PNG file to write.", dir_okay=False)] = Path("toybox.png"),
    split: Annotated[str, typer.Option(help="Split whose classes are shown.")] = "toybox",
) -> None:
    """Draw every class of the toybox, with its name and whether it is seen."""
    from benchmark.data.toybox.sheet import write_sheet
    from benchmark.split import load_split

    say(str(write_sheet(out, load_split(split))))


def _tell(done: int, total: int) -> None:
    if done % 500 == 0 or done == total:
        note(f"{done}/{total} pictures")
