"""`speed`: measure parts of the benchmark against a plain implementation of the same result, on this machine."""

from __future__ import annotations

import typer

from benchmark.cli.speed_engines import engines
from benchmark.cli.speed_evaluation import evaluation
from benchmark.cli.speed_gpu import gpu
from benchmark.cli.speed_labels import labels
from benchmark.cli.speed_pace import pace

app = typer.Typer(help="Measure what parts of the benchmark cost on this machine.", no_args_is_help=True)
app.command("labels")(labels)
app.command("pace", epilog=getattr(pace, "epilog", None))(pace)
app.command("evaluation")(evaluation)
app.command("gpu")(gpu)
app.command("engines")(engines)
