"""Under which rules a number was made: what training sees, what is done to images, how class names are worded.

A protocol is a small YAML file in `splits/protocols`. Fields under `datasets: NAME:` take the place of the general ones
on that data set; `like: NAME` begins with all that another protocol says. A run holds its whole protocol, and a table
never mixes two.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from benchmark.core.prompts import Prompts
from benchmark.utils.atomic_files import first_complaint
from benchmark.utils.did_you_mean import unknown_name
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.paths import ROOT

PROTOCOLS = ROOT / "splits" / "protocols"

Setting = Literal["inductive", "transductive", "transductive, unseen located"]
"""What is known of unseen classes in training: nothing; their names; their names and which pixels are theirs.

In the transductive settings training takes pseudo labels for pixels without a label, see `benchmark.wrappers.self_training`. The
last one is what the ZegCLIP family's code does: it tells unseen pixels from void ones.
"""

TrainImages = Literal["all", "labelled", "without unseen"]
"""Which training images take part: all of them (ZegCLIP family), those with a pixel of a seen class (zsseg), or those
without any pixel of an unseen class (ZS3Net)."""


class RatioRange(FrozenModel):
    """A random factor on a nominal size (mmsegmentation's `Resize` with `ratio_range`).

    Attributes:
        short_side, long_side: nominal bounds in pixels; the picture keeps its shape and fits both.
        low, high: the factor on both bounds is uniform between them.
    """

    kind: Literal["ratio"] = "ratio"
    short_side: int = Field(ge=1)
    long_side: int = Field(ge=1)
    low: float = Field(default=1.0, gt=0)
    high: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low is {self.low}, above high, which is {self.high}")
        return self


class ShortSides(FrozenModel):
    """A short side drawn from a list (Detectron2's `ResizeShortestEdge`).

    Attributes:
        sides: in pixels, each as likely.
        longest: bound of the long side in pixels; where it is reached, the short side is shorter. 0 for none.
    """

    kind: Literal["short sides"] = "short sides"
    sides: tuple[int, ...] = Field(min_length=1)
    longest: int = Field(default=0, ge=0)


Resize = Annotated[RatioRange | ShortSides, Field(discriminator="kind")]


class TrainGeometry(FrozenModel):
    """What training does to a picture and its labels, in this order.

    Attributes:
        resize: None leaves the size as it is.
        crop: side of square crops in pixels; smaller pictures are filled up with mean colour. 0 for whole pictures.
        largest_share: crops are drawn again, up to ten times, while one class has more than this share of the labelled
            pixels (mmsegmentation's `cat_max_ratio`); 1 takes the first.
        flip: left and right exchanged in one case of two.
        colour: "tone" is a little contrast and brightness; "photometric" the distortion of SSD (arXiv 1512.02325) as
            segmentation codes use it: brightness, contrast, saturation, hue, each in one case of two.
    """

    resize: Resize | None = None
    crop: int = Field(default=0, ge=0)
    largest_share: float = Field(default=1.0, gt=0, le=1)
    flip: bool = True
    colour: Literal["none", "tone", "photometric"] = "tone"


class EvalTransform(FrozenModel):
    """How images are scored; answers are always compared at the size of the truth.

    Attributes:
        short_side: in pixels; 0 leaves the size as it is.
        longest: bound of the long side in pixels; 0 for none.
        window: side of a sliding window in pixels; 0 for whole images.
        stride: pixels between windows.
    """

    __test__ = False  # not a pytest class, whatever its name begins with

    short_side: int = Field(default=0, ge=0)
    longest: int = Field(default=0, ge=0)
    window: int = Field(default=0, ge=0)
    stride: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _windows_overlap_or_touch(self) -> Self:
        if self.window and not 1 <= self.stride <= self.window:
            raise ValueError(f"stride is {self.stride}, expected 1 to {self.window}, the side of the window")
        return self


class Schedule(FrozenModel):
    """How long every method trains; replaces the recipe's own where a method is trained at all.

    Attributes:
        iterations: optimizer steps.
        batch_size: images a step, over all devices.
    """

    iterations: int = Field(ge=1)
    batch_size: int = Field(ge=1)


class Protocol(FrozenModel):
    """The rules of a run.

    Attributes:
        name: the file's stem.
        setting: what training knows of unseen classes.
        train_images: which training images take part.
        train, test: what is done to images.
        antialias: whether pictures are low-passed where they are made smaller (Pillow, so Detectron2, does; OpenCV, so
            mmsegmentation, does not).
        prompts: words for class names; None leaves them to the split.
        gamma: offset subtracted from the softmax of every seen class before the decision (calibrated stacking).
        schedule: None leaves it to the method.
        source: whose protocol it is, and where ours departs from it.
    """

    name: str = "plain"
    setting: Setting = "inductive"
    train_images: TrainImages = "all"
    train: TrainGeometry = TrainGeometry()
    test: EvalTransform = EvalTransform()
    antialias: bool = True
    prompts: Prompts | None = None
    gamma: float = Field(default=0.0, ge=-1, le=1, multiple_of=0.01)
    schedule: Schedule | None = None
    source: str = ""

    def in_words(self) -> str:
        """What a table says of it, in one sentence."""
        words = [self.setting, f"training on {_IMAGES[self.train_images]}", _train_words(self.train)]
        words += [f"test images {_test_words(self.test)}"]
        if self.prompts is not None:
            count = len(self.prompts.templates)
            words += [f"{count} prompts" if count > 1 else f"prompt {self.prompts.templates[0]!r}"]
        return ", ".join(words)


_IMAGES = {
    "all": "all images",
    "labelled": "images with a seen class",
    "without unseen": "images without unseen classes",
}


def protocol_names(folder: Path = PROTOCOLS) -> list[str]:
    """The protocols that ship, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_protocol(name: str, *, dataset: str) -> Protocol:
    """Read a protocol by name, or by the path of a YAML file, as it is on a data set.

    Raises:
        KeyError: no such protocol; names the nearest.
        ValueError: the file is not a valid protocol; says where.
    """
    path = _path(name)
    try:
        fields = _written(path)
        own = fields.pop("datasets", {}).get(dataset) or {}
        return Protocol.model_validate({"name": path.stem} | _merged(fields, own))
    except ValidationError as error:
        raise ValueError(f"{path} is not a valid protocol on {dataset}: {first_complaint(error)}") from error
    except KeyError as error:
        raise ValueError(f"{path} is not a valid protocol on {dataset}: {error.args[0]}") from error
    except (yaml.YAMLError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a valid protocol: {' '.join(str(error).split())}") from error


def _path(name: str) -> Path:
    path = Path(name) if name.endswith(".yaml") else PROTOCOLS / f"{name}.yaml"
    if not path.is_file():
        raise KeyError(unknown_name("protocol", name, protocol_names()))
    return path


def _written(path: Path, *, within: tuple[Path, ...] = ()) -> dict[str, Any]:
    """What a file says, on top of what it is like; `within` are the files that led here."""
    if path in within:
        raise KeyError(f"{path.stem!r} is like itself, by way of {', '.join(one.stem for one in within)}")
    fields: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    like = fields.pop("like", None)
    return fields if like is None else _merged(_written(_path(like), within=(*within, path)), fields)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Tables within tables are merged, everything else is replaced."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        are_tables = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(old or {}, value) if are_tables else value
    return merged


def _train_words(train: TrainGeometry) -> str:
    size = f"{train.crop}x{train.crop} crops" if train.crop else "whole pictures"
    match train.resize:
        case None:
            return size
        case RatioRange(short_side=short, low=low, high=high):
            return f"{size} at {low:g} to {high:g} times short side {short}"
        case ShortSides(sides=sides):
            return f"{size} at short sides {min(sides)} to {max(sides)}"


def _test_words(test: EvalTransform) -> str:
    size = f"at short side {test.short_side}" if test.short_side else "as they are"
    return f"{size}, windows of {test.window} every {test.stride} pixels" if test.window else size
