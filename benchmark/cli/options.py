"""Options that several commands share: the method or study to run, and its settings."""

from __future__ import annotations

from typing import Annotated

import typer

Name = Annotated[
    str, typer.Argument(metavar="METHOD[/VARIANT] | STUDY", help="Method, path of a method's .py file, or study.")
]
Seeds = Annotated[list[int] | None, typer.Option("--seed", metavar="N", min=0, help="Seed; may be repeated.")]
SplitName = Annotated[str | None, typer.Option("--split", help="Split to train and score on.")]
ProtocolName = Annotated[str | None, typer.Option("--protocol", help="Rules of the run; default: the split's own.")]
EngineName = Annotated[str | None, typer.Option("--engine", help="Trainer: fabric or detectron2.")]
MaxImages = Annotated[
    int | None, typer.Option("--max-images", min=0, help="Score only the first images (testing only).")
]
PlanName = Annotated[str | None, typer.Option("--name", help="Name to save the modified study's plan under.")]
