"""The `chimera-bench` program: all commands and the global options."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from benchmark.cli import (
    clean,
    cluster,
    compute,
    d2,
    data,
    doctor,
    exchange,
    housekeeping,
    methods,
    missing,
    plots,
    points,
    predict,
    pretrain,
    probe,
    profiles,
    published,
    reports,
    runs,
    show,
    speed,
    splits,
    status,
    studies,
    verify,
)
from benchmark.cli import (
    report as report_page,
)
from benchmark.cli.console import GIVEN_OPTIONS, forget_global_options, print_note, set_global_options
from benchmark.cli.errors import is_interrupted, is_own_exit, report
from benchmark.cli.sections import SectionedGroup
from benchmark.cli.streams import drop_output, ignore_warning_options, set_up_streams
from benchmark.cli.version import print_version
from benchmark.utils.exit_codes import ExitCode

app = typer.Typer(
    name="chimera-bench",
    cls=SectionedGroup,
    help="Reproducible benchmarking of zero-shot semantic segmentation. Start with: chimera-bench demo",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help is as clear and takes half the time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SECTIONS: dict[str, dict[str, Callable[..., None]]] = {
    "First steps": {"demo": runs.demo, "list": studies.list_all, "doctor": doctor.doctor},
    "A method of your own": {"new": methods.new, "test": methods.test},
    "Runs on this machine": {
        "splits": splits.splits,
        "plan": studies.plan,
        "missing": missing.missing,
        "run": runs.run,
        "retry": cluster.retry,
        "rerun": housekeeping.rerun,
    },
    "Runs on a cluster": {"submit": cluster.submit, "cancel": cluster.cancel, "collect": cluster.collect},
    "Progress": {"status": status.status, "logs": show.logs},
    "Results": {
        "table": reports.table,
        "plot": plots.plot,
        "report": report_page.report,
        "compare": reports.compare,
        "compute": compute.compute,
        "export": reports.export,
        "show": show.show,
        "verify": verify.verify,
        "predict": predict.predict,
        "probe": probe.probe,
        "points": points.points,
        "published": published.published,
    },
    "Exchange and storage": {
        "import": exchange.import_predictions,
        "merge": exchange.merge,
        "archive": housekeeping.archive,
        "clean": clean.clean,
    },
}
"""Commands by heading of the help, in the order of a working day."""

for _heading, _commands in SECTIONS.items():
    for _name, _command in _commands.items():
        app.command(_name, rich_help_panel=_heading, epilog=getattr(_command, "epilog", None))(_command)
app.add_typer(profiles.app, name="profile", rich_help_panel="Runs on a cluster")
for _name, _group in {"data": data.app, "pretrain": pretrain.app, "d2": d2.app, "speed": speed.app}.items():
    app.add_typer(_group, name=_name, rich_help_panel="Datasets, weights, measurements")


@app.callback()
def _set_global_options(
    context: typer.Context,
    runs: Annotated[
        Path, typer.Option(envvar="CHIMERA_BENCH_RUNS", help="Folder of run records.", file_okay=False, readable=False)
    ] = Path("runs"),
    data_folders: Annotated[
        str,
        typer.Option(
            "--data",
            envvar="CHIMERA_BENCH_DATA",
            metavar="DIR",
            help=f"Folder of real datasets; several are separated by {os.pathsep!r}.",
        ),
    ] = "",
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=print_version, help="Print versions and commit, then exit."),
    ] = False,
) -> None:
    context.obj = runs
    _print_dataset_log()
    source = context.get_parameter_source("data_folders")
    is_given = source is not None and source.name == "COMMANDLINE"
    context.meta[GIVEN_OPTIONS] = ("--data", data_folders) if is_given else ()
    set_global_options(runs, context.meta[GIVEN_OPTIONS], commands=_list_commands())
    if data_folders:
        # in the environment, so that processes started from here search there too
        folders = [os.path.abspath(os.path.expanduser(path)) for path in data_folders.split(os.pathsep) if path]
        os.environ["CHIMERA_BENCH_DATA"] = os.pathsep.join(folders)


def _list_commands() -> list[str]:
    """Return the names of all commands and groups of commands."""
    names = [command.name for command in app.registered_commands] + [group.name for group in app.registered_groups]
    return [name for name in names if name is not None]


def _print_dataset_log() -> None:
    """Print to stderr what is logged while a dataset is read for the first time, which may take minutes."""
    import logging

    class NoteHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            print_note(record.getMessage())

    log = logging.getLogger("benchmark.data.folders.dataset")
    log.setLevel(logging.INFO)
    log.handlers = [NoteHandler()]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and end the process.

    The exit code is an `ExitCode`.

    Args:
        arguments: Command and its options; those of the process if None.
    """
    try:
        set_up_streams()
        ignore_warning_options()
        if list(sys.argv[1:] if arguments is None else arguments) == ["list"]:
            studies.list_all()  # without typer's parser, which loads pydantic: half the time
            sys.exit(ExitCode.SUCCESS)
        app(args=list(arguments) if arguments is not None else None, prog_name="chimera-bench")
    except BrokenPipeError:  # the reader of our output has closed it
        drop_output()
        sys.exit(ExitCode.ERROR)
    except BaseException as error:  # a method may raise SystemExit, too
        if is_interrupted(error):
            print_note("interrupted")
            sys.exit(ExitCode.INTERRUPTED)
        if is_own_exit(error):
            raise
        code = report(error, arguments if arguments is not None else sys.argv[1:])
        drop_output()
        sys.exit(code)
    finally:
        forget_global_options()
    sys.exit(ExitCode.SUCCESS)
