"""What a config for Detectron2's own tools is made from: a run of the suite, before any data are looked at.

`benchmark.d2.configs.yacs` and `benchmark.d2.configs.lazy` write it down, each in its way. What will be different from a run of the
suite is said at the top of each file.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

import benchmark.d2.register  # noqa: F401  # which data sets there are
from benchmark.core.overrides import parse_overrides
from benchmark.core.protocol import load_protocol
from benchmark.d2.catalogs.catalog import VIEWS, View
from benchmark.planning.registry import describe, method_names
from benchmark.planning.resolve import Setting, settle, split_name

LINE = 120
CHECKPOINTS = 10
"""So many checkpoints a training leaves, as the suite's own go by the clock."""


@dataclass(frozen=True)
class Choice:
    """A run to write down.

    Attributes:
        architecture: "method/variant", as in Detectron2's registry.
        split: its name.
        protocol: its name, or the path of its file; the split's own where empty.
        overrides: "key=value" each, those that no field of a config stands for.
        seed: of every random draw.
        setting: what they come to.
        command: that makes the file.
        file: name of the file; what a training leaves lies in a folder named like it.
    """

    architecture: str
    split: str
    protocol: str
    overrides: tuple[str, ...]
    seed: int
    setting: Setting
    command: str
    file: str

    @property
    def train(self) -> View:
        """The training part of the split."""
        return next(view for view in self._views if view.is_train)

    @property
    def test(self) -> View:
        """The scored part."""
        return next(view for view in self._views if not view.is_train)

    @property
    def output(self) -> str:
        """Folder for what a training leaves."""
        return f"output/{Path(self.file).stem}"

    @property
    def warmup(self) -> int:
        """Iterations of the warm-up, as `benchmark.engine.optimizer.compute_learning_rate` has them."""
        return round(self.setting.budget.warmup * self.setting.budget.iterations)

    @property
    def checkpoint_period(self) -> int:
        """Iterations between two checkpoints."""
        return max(1, math.ceil(self.setting.budget.iterations / CHECKPOINTS))

    @property
    def is_mixed(self) -> bool:
        """Whether forward passes are in mixed precision."""
        return self.setting.budget.precision != "32-true"

    @property
    def _views(self) -> list[View]:
        return [view for view in VIEWS.values() if view.given == self.split]


def choose(
    method: str, *, split: str, out: Path, seed: int = 0, protocol: str = "", overrides: Sequence[str] = ()
) -> Choice:
    """What a config file is to hold.

    Args:
        method: "name" or "name/variant"; without a variant, the first.
        split: its name.
        out: the file.
        seed: of every random draw.
        protocol: name, or path of a YAML file; the split's own where empty.
        overrides: "key=value" each, as `--set` of a run.

    Raises:
        KeyError: an unknown method, variant, split, protocol or key; names the nearest.
        ValueError: an impossible value, or a method or split that Detectron2 does not know by name.
    """
    for kind, given in (("method", split_name(method)[0]), ("split", split)):
        if given.endswith((".py", ".yaml")):
            raise ValueError(
                f"{kind} {given!r} is a file, and configs name what is registered: put it among the others, or "
                "register it in a program of your own (benchmark.d2.models.architectures, benchmark.d2.catalogs.catalog)"
            )
    setting = settle(method, split=split, protocol=protocol, overrides=parse_overrides(overrides))
    words = ["chimera-bench", "d2", "config", method, "--split", split, "--seed", str(seed)]
    words += ["--protocol", protocol] if protocol else []
    words += [word for change in overrides for word in ("--set", change)]
    return Choice(
        architecture=f"{split_name(method)[0]}/{setting.variant}",
        split=split,
        protocol=protocol,
        overrides=tuple(change for change in overrides if _concerns_method(change)),
        seed=seed,
        setting=setting,
        command=shlex.join([*words, "--out", out.name]),
        file=out.name,
    )


def header(choice: Choice, *, call: str, weights: str, without_gpu: str, remarks: Sequence[str]) -> str:
    """The comment at the top of a file.

    Args:
        choice: what it holds.
        call: the program that takes it.
        weights: the option that names weights to be scored.
        without_gpu: what is to be said to the program on a machine without one.
        remarks: in which ways training is not what the suite does, a sentence each.
    """
    is_trained = choice.setting.budget.iterations > 0
    call = f"{call} --config-file {choice.file}"
    title = f"{choice.setting.recipe.title} ({choice.architecture}) on {choice.split}, for Detectron2."
    lines = [title, f"Made by: {choice.command}", ""]
    lines += [f"Train: {call} [--resume]"] if is_trained else []
    lines += [f"Score: {call} --eval-only {f'{weights}WEIGHTS' if is_trained else ''}"]
    lines += [f"Without a GPU: {without_gpu}", ""]
    lines += ["Not as in a run of the suite:"] if is_trained else ["Nothing of it is trained."]
    for remark in remarks if is_trained else ():
        lines += wrap(remark, LINE - 2, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
    return "".join(f"# {line}".rstrip() + "\n" for line in "\n".join(lines).splitlines())


def remarks_on_training(choice: Choice) -> Iterator[str]:
    """What no config of Detectron2 has like the suite."""
    setting = choice.setting
    yield "Order and augmentation are drawn by Detectron2's sampler and numpy: other pictures in other batches."
    own = load_protocol(setting.split.protocol, dataset=setting.split.dataset)
    if setting.protocol.train_images != own.train_images:
        yield f"The images of training are those of the split's own protocol ({own.name}: {own.train_images})."
    if choice.is_mixed:
        yield f"Mixed precision is float16, on CUDA only, and not {setting.budget.precision}."
    if setting.budget.micro_batches > 1:
        yield f"Each process sees its part of a batch at once, and not in {setting.budget.micro_batches} micro_batches."


def _concerns_method(change: str) -> bool:
    """Whether a change has no field of its own in a config: those of the budget have, but for one."""
    key = change.partition("=")[0].strip()
    return not key.startswith("budget.") or key == "budget.init_images"


def datasets() -> dict[str, str]:
    """Names in the catalogs, each with a few words."""
    return {
        name: f"{'training part' if view.is_train else 'scored part'} of {view.split.name}, {len(view.classes)} classes"
        for name, view in VIEWS.items()
    }


def architectures() -> list[str]:
    """Names in the registry that are ours: every method alone, which is its first variant, and with each variant."""
    return [
        name
        for method in method_names()
        for name in (method, *(f"{method}/{one}" for one in describe(method).variants))
    ]
