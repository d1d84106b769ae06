"""Protocols: the rules of a run, which determine the training images, the image transforms and the class prompts.

A protocol is a small YAML file in `splits/protocols`. Fields under `datasets: NAME:` replace the general ones on that
dataset; `like: NAME` starts from all fields of another protocol. A run holds its whole protocol, and a table never
mixes two.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator

from benchmark.core.prompts import Prompts
from benchmark.utils.did_you_mean import explain_missing_yaml
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.paths import ROOT
from benchmark.utils.shown_values import show_value
from benchmark.utils.yaml_files import describe_invalid, read_table

PROTOCOLS = ROOT / "splits" / "protocols"

TrainingSetting = Literal["inductive", "transductive", "transductive, unseen located"]
"""Knowledge about unseen classes in training: none; their names; their names and the set of their pixels.

In the transductive settings, training takes pseudo labels for pixels without a label, see
`benchmark.wrappers.self_training`. The last setting is what the code of the ZegCLIP family does: it tells unseen pixels
from void ones.
"""

TrainImages = Literal["all", "labeled", "without unseen"] | Annotated[int, Field(ge=1)]
"""Training images: all of them (ZegCLIP family), those with a pixel of a seen class (zsseg), those without any pixel of
an unseen class (ZS3Net), or a number of them, the first of the subset."""


class RatioRange(FrozenModel):
    """A random factor on a nominal size (mmsegmentation's `Resize` with `ratio_range`).

    Attributes:
        kind: Always "ratio".
        short_side: Nominal bound of the short side in pixels; images keep their aspect ratio and fit both bounds.
        long_side: Nominal bound of the long side in pixels.
        low: Smallest factor on both bounds; factors are uniformly distributed.
        high: Largest factor.
    """

    kind: Literal["ratio"] = "ratio"
    short_side: int = Field(ge=1)
    long_side: int = Field(ge=1)
    low: float = Field(default=1.0, gt=0)
    high: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low is {self.low}, above high, which is {self.high}")
        return self


class ShortSides(FrozenModel):
    """A short side drawn from a list (Detectron2's `ResizeShortestEdge`).

    Attributes:
        kind: Always "short sides".
        sides: Lengths in pixels, equally likely.
        longest: Bound of the long side in pixels; images that would exceed it get a shorter short side. 0 for none.
    """

    kind: Literal["short sides"] = "short sides"
    sides: tuple[int, ...] = Field(min_length=1)
    longest: int = Field(default=0, ge=0)


Resize = Annotated[RatioRange | ShortSides, Field(discriminator="kind")]


class TrainTransform(FrozenModel):
    """Transforms of training images and their labels, in this order.

    Attributes:
        resize: Resizing; None keeps the size.
        crop: Side of square crops in pixels; smaller images are padded with the mean color. 0 for whole images.
        largest_share: Crops are drawn again, up to ten times, while one class has more than this share of the labeled
            pixels (mmsegmentation's `cat_max_ratio`); 1 takes the first crop.
        flip: Whether left and right are exchanged in half of the cases.
        color: Color augmentation. "tone" changes contrast and brightness a little; "photometric" is the distortion of
            SSD (arXiv 1512.02325) as segmentation codes use it: brightness, contrast, saturation and hue, each in half
            of the cases.
    """

    renamed_fields: ClassVar[Mapping[str, str]] = {"colour": "color"}

    resize: Resize | None = None
    crop: int = Field(default=0, ge=0)
    largest_share: float = Field(default=1.0, gt=0, le=1)
    flip: bool = True
    color: Literal["none", "tone", "photometric"] = "tone"


class EvalTransform(FrozenModel):
    """Transforms of evaluation images; predictions are always compared at the size of the target.

    Attributes:
        short_side: Length of the short side in pixels; 0 keeps the size.
        longest: Bound of the long side in pixels; 0 for none.
        window: Side of a sliding window in pixels; 0 for whole images.
        stride: Distance of windows in pixels.
    """

    short_side: int = Field(default=0, ge=0)
    longest: int = Field(default=0, ge=0)
    window: int = Field(default=0, ge=0)
    stride: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check_windows_cover_the_image(self) -> Self:
        if self.window and not 1 <= self.stride <= self.window:
            raise ValueError(f"stride is {self.stride}, expected 1 to {self.window}, the side of the window")
        return self


class Schedule(FrozenModel):
    """Length of training for every method that is trained at all; replaces the recipe's own.

    Attributes:
        iterations: Optimizer steps.
        batch_size: Images per step, over all devices.
    """

    iterations: int = Field(ge=1)
    batch_size: int = Field(ge=1)


class Protocol(FrozenModel):
    """The rules of a run.

    Attributes:
        name: Name of the protocol; the stem of its file.
        setting: Knowledge about unseen classes in training.
        train_images: Training images that take part.
        train: Transforms of training images.
        test: Transforms of evaluation images.
        antialias: Whether downscaling applies a low-pass filter (Pillow, and thus Detectron2, does; OpenCV, and thus
            mmsegmentation, does not).
        prompts: Texts for class names; None for those of the split.
        gamma: Offset subtracted from the softmax of every seen class before the decision (calibrated stacking).
        schedule: Length of training; None for the method's own.
        source: Origin of the protocol, and deviations from it.
    """

    descriptive_fields: ClassVar[frozenset[str]] = frozenset({"source"})

    name: str = "plain"
    setting: TrainingSetting = "inductive"
    train_images: TrainImages = "all"
    train: TrainTransform = TrainTransform()
    test: EvalTransform = EvalTransform()
    antialias: bool = True
    prompts: Prompts | None = None
    gamma: float = Field(default=0.0, ge=-1, le=1, multiple_of=0.01)
    schedule: Schedule | None = None
    source: str = ""

    def describe(self) -> str:
        """Return one sentence for tables."""
        words = [
            self.setting,
            f"training on {_describe_train_images(self.train_images)}",
            _describe_training(self.train),
        ]
        words += [f"test images {_describe_evaluation(self.test)}"]
        if self.prompts is not None:
            count = len(self.prompts.templates)
            words += [f"{count} prompts" if count > 1 else f"prompt {self.prompts.templates[0]!r}"]
        return ", ".join(words)


def _describe_train_images(images: TrainImages) -> str:
    match images:
        case "all":
            return "all images"
        case "labeled":
            return "images with a seen class"
        case "without unseen":
            return "images without unseen classes"
        case int():
            return f"the first {images} images"


def list_protocols(folder: Path = PROTOCOLS) -> list[str]:
    """Return the names of the included protocols, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_protocol(name: str, *, dataset: str) -> Protocol:
    """Read a protocol by name, or by the path of a YAML file.

    Args:
        name: Name or path of the protocol.
        dataset: Name of the dataset, for which the protocol may have fields of its own.

    Raises:
        KeyError: There is no such protocol; the message names the nearest.
        ValueError: The file is not a valid protocol; the message says why.
    """
    path = _find_protocol(name)
    try:
        fields = _read_fields(path)
        own = _get_own_fields(fields.pop("datasets", {}), dataset)
        return Protocol.model_validate({"name": path.stem} | _merge(fields, own))
    except ValidationError as error:
        is_own = str(next(iter(error.errors()[0]["loc"]), "")) in own
        problem = describe_invalid(error, Protocol, path, within=("datasets", dataset) if is_own else ())
        raise ValueError(f"{path} is not a valid protocol on {dataset}: {problem}") from error
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a valid protocol on {dataset}: {error.args[0]}") from error


def _get_own_fields(datasets: Any, dataset: str) -> Mapping[str, Any]:
    """Return the fields that a protocol has for one dataset only.

    Raises:
        TypeError: They are not tables.
    """
    if not isinstance(datasets, Mapping):
        raise TypeError(f"datasets={show_value(datasets)}: expected a table of fields by dataset")
    own = datasets.get(dataset) or {}
    if not isinstance(own, Mapping):
        raise TypeError(f"datasets.{dataset}={show_value(own)}: expected a table of fields (key: value)")
    return own


def _find_protocol(name: str) -> Path:
    path = Path(name).expanduser() if name.endswith(".yaml") else PROTOCOLS / f"{name}.yaml"
    if not path.is_file():
        raise KeyError(explain_missing_yaml("protocol", name, list_protocols()))
    return path


def _read_fields(path: Path, *, visited: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read the fields of a file on top of those of the protocol that it is like.

    Args:
        path: File to read.
        visited: Files whose `like` led to this one.
    """
    if path in visited:
        raise KeyError(f"{path.stem!r} is like itself, by way of {', '.join(file.stem for file in visited)}")
    fields = read_table(path, kind="protocol")
    like = fields.pop("like", None)
    if not isinstance(like, str | None):
        raise TypeError(f"like={show_value(like)}: expected the name or file of a protocol")
    return fields if like is None else _merge(_read_fields(_find_protocol(like), visited=(*visited, path)), fields)


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge tables within tables and replace all other values."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        are_tables = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(old or {}, value) if are_tables else value
    return merged


def _describe_training(train: TrainTransform) -> str:
    size = f"{train.crop}x{train.crop} crops" if train.crop else "whole images"
    match train.resize:
        case None:
            return size
        case RatioRange(short_side=short, low=low, high=high):
            return f"{size} at {low:g} to {high:g} times short side {short}"
        case ShortSides(sides=sides):
            return f"{size} at short sides {min(sides)} to {max(sides)}"


def _describe_evaluation(test: EvalTransform) -> str:
    size = f"at short side {test.short_side}" if test.short_side else "at their own size"
    return f"{size}, windows of {test.window} every {test.stride} pixels" if test.window else size
