"""Options that say what to run, shared by `run`, `plan` and `submit`."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from benchmark.cli.options import EngineName, MaxImages, Name, PlanName, ProtocolName, Seeds, Splits
from benchmark.utils.paths import ROOT

if TYPE_CHECKING:
    from benchmark.planning.requested_study import Request

EPILOG = f"""\
A study file, chimera-bench run FILE.yaml:

\b
  title: Weight of SGD
  split: toybox                    # or a list of splits
  seeds: [0, 1, 2]
  rows:
    - chimera_seg/Chimera-Seg      # or {{method: ..., set: {{...}}, label: ...}}
  sweep:
    sgd.weight: [0.5, 1, 2]        # a row for every combination of the lists

The same grid in one line:

\b
  chimera-bench run chimera_seg/Chimera-Seg --set sgd.weight=0.5,1,2 \\
      --seed 0 --seed 1 --seed 2

All fields, labels, and how commas are read:

\b
  {ROOT / "benchmark" / "studies" / "README.md"}
"""
"""End of the help of the commands that take these options."""


@dataclass(frozen=True)
class RunOptions:
    """What to run: the options of a command line."""

    name: Name
    split: Splits = None
    protocol: ProtocolName = None
    seed: Seeds = None
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a field: budget.iterations=100; sweep it: sgd.weight=0.5,1,2."
        ),
    ] = None
    engine: EngineName = None
    max_images: MaxImages = None
    plan_name: PlanName = None
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights", metavar="FILE", help="Start from a published checkpoint; score it: --set budget.iterations=0."
        ),
    ] = None

    def make_request(self) -> Request:
        """Return what the options ask for."""
        from benchmark.core.assignments import parse_assignments
        from benchmark.planning.requested_study import Request

        try:
            overrides, sweep = parse_assignments(self.overrides or ())
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--set") from error
        return Request(
            self.name,
            splits=tuple(self.split or ()),
            seeds=tuple(self.seed or ()),
            overrides=overrides,
            sweep=sweep,
            plan_name=self.plan_name,
            fields={"protocol": self.protocol, "engine": self.engine, "max_images": self.max_images},
            weights=self.weights or "",
        )

    def list_words(self) -> list[str]:
        """Return the words of a command line with these options."""
        values: dict[str, Sequence[Any]] = {
            "--split": self.split or (),
            "--protocol": _list_one(self.protocol),
            "--seed": self.seed or (),
            "--set": self.overrides or (),
            "--engine": _list_one(self.engine),
            "--max-images": _list_one(self.max_images),
            "--name": _list_one(self.plan_name),
            "--weights": _list_one(self.weights),
        }
        return [self.name, *(word for key, items in values.items() for item in items for word in (key, str(item)))]


def with_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has the options of `RunOptions` in place of its parameter `options`, and `EPILOG`.

    Args:
        command: Function with a parameter `options`; its other parameters are options of its own.
    """
    hints = get_type_hints(RunOptions, include_extras=True)
    shared = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=hints[field.name],
            default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
        )
        for field in dataclasses.fields(RunOptions)
    ]
    own = inspect.signature(command, eval_str=True).parameters.values()
    parameters = [
        part
        for parameter in own
        for part in (shared if parameter.name == "options" else [parameter.replace(kind=parameter.KEYWORD_ONLY)])
    ]
    names = {parameter.name for parameter in shared}

    @functools.wraps(command)
    def run_command(**values: Any) -> None:
        chosen = RunOptions(**{name: value for name, value in values.items() if name in names})
        command(options=chosen, **{name: value for name, value in values.items() if name not in names})

    run_command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run_command.epilog = EPILOG  # type: ignore[attr-defined]
    run_command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run_command


def _list_one(value: Any) -> Sequence[Any]:
    return () if value is None else (value,)
