"""Request for a config file for Detectron2's own tools: the resolved settings of a run, without reading data.

`benchmark.d2.configs.yacs` and `benchmark.d2.configs.lazy` format requests. The comment at the top of each file lists
the differences from a run of the benchmark.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

import benchmark.d2.register  # noqa: F401  # registers splits and methods
from benchmark.core.overrides import parse_overrides
from benchmark.core.protocol import load_protocol
from benchmark.core.split import SPLITS
from benchmark.core.split_draw import is_drawn
from benchmark.d2.catalogs.catalog import SUBSETS, SplitSubset
from benchmark.planning.method_setup import MethodSetup, resolve_method
from benchmark.planning.registry import describe_method, list_methods
from benchmark.utils.method_names import split_method

LINE_LENGTH = 120

CHECKPOINTS = 10
"""Checkpoints per training; those of the benchmark depend on the wall time instead."""


@dataclass(frozen=True)
class ConfigRequest:
    """Settings of a config file.

    Attributes:
        architecture: Name "method/variant" in Detectron2's registry.
        split: Name of the split.
        protocol: Name of the protocol or path of its file; empty for the split's own protocol.
        overrides: "key=value" overrides that have no field of their own in a config.
        seed: Seed of every random draw.
        setting: Resolved settings of the run.
        command: Command that writes the file.
        file: Name of the file, which is also the name of the output folder without its suffix.
    """

    architecture: str
    split: str
    protocol: str
    overrides: tuple[str, ...]
    seed: int
    setting: MethodSetup
    command: str
    file: str

    @property
    def train(self) -> SplitSubset:
        """Training subset of the split."""
        return next(subset for subset in self._subsets if subset.is_train)

    @property
    def test(self) -> SplitSubset:
        """Evaluation subset of the split."""
        return next(subset for subset in self._subsets if not subset.is_train)

    @property
    def output(self) -> str:
        """Folder for the files that training writes."""
        return f"output/{Path(self.file).stem}"

    @property
    def warmup(self) -> int:
        """Number of warm-up iterations, as in `benchmark.engine.optimizer`."""
        return round(self.setting.budget.warmup * self.setting.budget.iterations)

    @property
    def checkpoint_period(self) -> int:
        """Number of iterations between two checkpoints."""
        return max(1, math.ceil(self.setting.budget.iterations / CHECKPOINTS))

    @property
    def is_mixed(self) -> bool:
        """Whether forward passes are in mixed precision."""
        return self.setting.budget.precision != "32-true"

    @property
    def _subsets(self) -> list[SplitSubset]:
        return [subset for subset in SUBSETS.values() if subset.source == self.split]


def make_request(
    method: str, *, split: str, out: Path, seed: int = 0, protocol: str = "", overrides: Sequence[str] = ()
) -> ConfigRequest:
    """Resolve the settings of a config file.

    Args:
        method: "name" or "name/variant"; the first variant if none is given.
        split: Name of the split.
        out: Path of the config file.
        seed: Seed of every random draw.
        protocol: Name of the protocol or path of a YAML file; empty for the split's own protocol.
        overrides: "key=value" overrides, as for `--set` of a run.

    Raises:
        KeyError: The method, variant, split, protocol or key is unknown; the message suggests the nearest name.
        ValueError: A value is invalid, or the method or split is not registered in Detectron2.
    """
    _check_is_registered_name("method", split_method(method)[0])
    _check_is_registered_name("split", split)
    setting = resolve_method(method, split=split, protocol=protocol, overrides=parse_overrides(overrides))
    command = ["chimera-bench", "d2", "config", method, "--split", split, "--seed", str(seed)]
    command += ["--protocol", protocol] if protocol else []
    command += [argument for override in overrides for argument in ("--set", override)]
    return ConfigRequest(
        architecture=f"{split_method(method)[0]}/{setting.variant}",
        split=split,
        protocol=protocol,
        overrides=tuple(override for override in overrides if _has_no_config_field(override)),
        seed=seed,
        setting=setting,
        command=shlex.join([*command, "--out", out.name]),
        file=out.name,
    )


def format_header(
    request: ConfigRequest, *, program: str, weights_option: str, cpu_options: str, differences: Sequence[str]
) -> str:
    """Format the comment at the top of a config file.

    Args:
        request: Settings of the file.
        program: Command that trains with the file.
        weights_option: Option that names the weights to evaluate.
        cpu_options: Options for a machine without a GPU.
        differences: Differences between this training and a run of the benchmark, one sentence each.
    """
    is_trained = request.setting.budget.iterations > 0
    call = f"{program} --config-file {request.file}"
    title = f"{request.setting.recipe.title} ({request.architecture}) on {request.split}, for Detectron2."
    lines = [title, f"Made by: {request.command}", ""]
    lines += [f"Train: {call} [--resume]"] if is_trained else []
    lines += [f"Evaluate: {call} --eval-only {f'{weights_option}WEIGHTS' if is_trained else ''}"]
    lines += [f"Without a GPU: {cpu_options}", ""]
    lines += ["Differences from a run of the benchmark:"] if is_trained else ["This method is not trained."]
    for difference in differences if is_trained else ():
        lines += wrap(difference, LINE_LENGTH - 2, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
    return "".join(f"# {line}".rstrip() + "\n" for line in "\n".join(lines).splitlines())


def list_training_differences(request: ConfigRequest) -> Iterator[str]:
    """Yield the differences from a run of the benchmark that all of Detectron2's configs have."""
    setting = request.setting
    yield "Detectron2's sampler and numpy draw order and augmentation, so batches contain other images."
    default = load_protocol(setting.split.protocol, dataset=setting.split.dataset)
    if setting.protocol.train_images != default.train_images:
        yield f"Training images are those of the split's own protocol ({default.name}: {default.train_images})."
    if request.is_mixed:
        yield f"Mixed precision is float16 on CUDA, not {setting.budget.precision}."
    if setting.budget.micro_batches > 1:
        yield f"A process computes its share of a batch at once, not in {setting.budget.micro_batches} micro-batches."


def _check_is_registered_name(kind: str, name: str) -> None:
    if kind == "split" and is_drawn(name):
        raise ValueError(
            f"split {name!r} is drawn, but configs need registered names: write its file into the folder of splits, "
            f"chimera-bench splits {name} --out {SPLITS}"
        )
    if name.endswith((".py", ".yaml")):
        raise ValueError(
            f"{kind} {name!r} is a file, but configs need registered names: move it to the other {kind}s or register "
            "it in your own program (benchmark.d2.models.architectures, benchmark.d2.catalogs.catalog)"
        )


def _has_no_config_field(override: str) -> bool:
    """Return whether an override has no config field of its own; budget overrides have one, except init_images."""
    key = override.partition("=")[0].strip()
    return not key.startswith("budget.") or key == "budget.init_images"


def list_datasets() -> dict[str, str]:
    """Return a description of each registered subset by its name."""
    kinds = {name: "training subset" if subset.is_train else "evaluation subset" for name, subset in SUBSETS.items()}
    return {
        name: f"{kinds[name]} of {subset.split.name}, {len(subset.classes)} classes" for name, subset in SUBSETS.items()
    }


def list_architectures() -> list[str]:
    """Return the registered names of all methods: each method alone, meaning its first variant, and each variant."""
    return [
        name
        for method in list_methods()
        for name in (method, *(f"{method}/{variant}" for variant in describe_method(method).variants))
    ]
