"""Arguments and options that several commands share."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from benchmark.cli import completion
from benchmark.cli.console import print_note

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NoIndex = Annotated[bool, typer.Option("--no-index", help="Read the files of every run, whatever the index has.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the runs and start nothing.")]

_ONE_RUN = "ID of a run, or an unambiguous part of it"
RunId = Annotated[str, typer.Argument(metavar="ID", help=f"{_ONE_RUN}.", autocompletion=completion.complete_runs)]
RunIds = Annotated[
    list[str],
    typer.Argument(metavar="ID...", help=f"{_ONE_RUN}; may be repeated.", autocompletion=completion.complete_runs),
]
RunNames = Annotated[
    list[str],
    typer.Argument(
        metavar="STUDY | METHOD[/VARIANT] | ID...",
        help="Planned studies, methods, or runs by ID.",
        autocompletion=completion.complete_run_names,
    ),
]
Name = Annotated[
    str,
    typer.Argument(
        metavar="METHOD[/VARIANT] | STUDY",
        help="Method (its first variant, if none is named), path of a method's .py file, or study.",
        autocompletion=completion.complete_names,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a field: sgd.keep_end=0.1, budget.iterations=100."),
]
Seeds = Annotated[list[int] | None, typer.Option("--seed", metavar="N", min=0, help="Seed; may be repeated.")]
Splits = Annotated[
    list[str] | None,
    typer.Option(
        "--split",
        metavar="NAME",
        help="Split to train and score on, or a draw such as toybox@6-s0-00; may be repeated.",
        autocompletion=completion.complete_splits,
    ),
]
ProtocolName = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        help="Protocol of the run; default: the split's.",
        autocompletion=completion.complete_protocols,
    ),
]
EngineName = Annotated[
    str | None,
    typer.Option("--engine", help="Engine: fabric or detectron2.", autocompletion=completion.complete_engines),
]
MaxImages = Annotated[
    int | None, typer.Option("--max-images", min=0, help="Score only the first images (testing only).")
]
PlanName = Annotated[
    str | None, typer.Option("--name", help="Name to save the plan of a modified study or a sweep under.")
]
Cluster = Annotated[
    str,
    typer.Option(
        "--cluster",
        "-c",
        help="Profile of a cluster or its file; local or debug: this machine.",
        autocompletion=completion.complete_profiles,
    ),
]
RetryCluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        "-c",
        help="Submit to this cluster; default: run those that failed here.",
        autocompletion=completion.complete_profiles,
    ),
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Also rerun failed runs.")]

Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, help="Runs at a time; default: number of GPUs, without GPUs of cores."),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="cpu|cuda|cuda:N,...", help="Devices that the runs share; default: all GPUs, else the CPU."
    ),
]
TimeLimit = Annotated[
    str | None,
    typer.Option("--time-limit", metavar="2h", help="Interrupt each run after this time; the same command resumes it."),
]
Threads = Annotated[int, typer.Option("--threads", min=1, help="CPU threads per run.")]
NoCost = Annotated[
    bool, typer.Option("--no-cost", help="Do not measure parameters, operations and latency after evaluation.")
]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Data-loading workers per run.")]


def read_overrides(assignments: Sequence[str] | None) -> dict[str, Any]:
    """Parse `--set key=value` options into a dict; values are YAML, as in a study."""
    from benchmark.core.overrides import parse_overrides

    try:
        return parse_overrides(assignments or ())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from error


def _set_trackers(text: str) -> str:
    """Check the names of trackers, and pass them on to processes and jobs that are started from here."""
    from benchmark.execution.trackers.tracker import TRACK_VARIABLE, list_missing, parse_names

    try:
        names = parse_names(text) if text else ()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--track") from error
    for line in list_missing(names):
        print_note(line)
    os.environ[TRACK_VARIABLE] = ",".join(names)
    return text


Track = Annotated[
    str,
    typer.Option(
        "--track",
        metavar="tensorboard,wandb,mlflow",
        envvar="CHIMERA_BENCH_TRACK",
        callback=_set_trackers,
        autocompletion=completion.complete_trackers,
        help="Also log losses and scores there; offline unless set up otherwise.",
    ),
]


def read_time_limit(text: str | None) -> float:
    """Return the seconds of a `--time-limit`; infinity if there is none."""
    from benchmark.utils.durations import parse_duration

    try:
        return parse_duration(text) if text is not None else math.inf
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--time-limit") from error


def list_given(context: typer.Context, options: Mapping[str, str]) -> list[str]:
    """Return the options that the user gave.

    Args:
        context: Context of the command.
        options: Options by the name of their parameter.
    """
    sources = {name: context.get_parameter_source(name) for name in options}
    return [options[name] for name, source in sources.items() if source is not None and source.name != "DEFAULT"]
