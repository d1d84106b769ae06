"""Config of a body from Detectron2; reading it does not import Detectron2."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from benchmark.core.budget import Budget
from benchmark.core.method import Config
from benchmark.utils.optional_packages import require_detectron2
from methods.blocks.bodies.batch_norm import check_images_per_pass
from methods.blocks.file_digest import add_digest
from methods.blocks.network_names import RANDOM_WEIGHTS
from methods.blocks.weight_files import find_problem_of_file

PREFIX = "d2:"


class D2BodyConfig(Config):
    """Backbone and decoder from a config file of Detectron2.

    A config file is a program: Detectron2 runs it and unpickles the weights it names. Use only files that you trust.

    Attributes:
        config: File name below `configs` or `projects/*/configs` of Detectron2, or the path of a file, YAML (yacs) or
            .py (LazyConfig). It provides the backbone, its semantic head, pixel statistics, channel order and weights.
        decoder: "fpn" (Panoptic FPN's semantic head, arXiv 1901.02446) or "deeplab" (DeepLabV3+'s, arXiv 1802.02611) on
            the backbone's features; "" for the config's own semantic head, or "fpn" if the config has none.
        stride: Pixels per feature in both directions. None for 8, or for the stride of the config's own head (often 4:
            sixteen times as many features as stride 16).
        channels: Number of feature channels; None for the number in the config.
        weights: "config" for the weights that the config names, a file or URL that Detectron2 reads, or None for random
            weights, all of which are trained. Names are matched by Detectron2's heuristics.
        config_sha256: Digest of a config given by path; computed when this config is created. It does not cover files
            that the config includes.
        sha256: Digest of weights given by path; computed likewise.
    """

    file_fields: ClassVar[Mapping[str, str]] = {"config": "config_sha256", "weights": "sha256"}

    config: str
    decoder: Literal["", "fpn", "deeplab"] = ""
    stride: Literal[4, 8, 16] | None = None
    channels: int | None = Field(default=None, ge=32, multiple_of=32)  # group norm has 32 groups
    weights: str | None = "config"
    config_sha256: str = ""
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _parse_text(cls, value: Any) -> Any:
        fields = {"config": value.removeprefix(PREFIX)} if isinstance(value, str) else value
        return add_digest(add_digest(fields, "config", into="config_sha256"), "weights")

    def describe_backbone(self) -> tuple[str, ...]:
        """Return the name of this body, that of its config file: "semantic_R_50_FPN_1x of Detectron2"."""
        decoder = f" with decoder {self.decoder}" if self.decoder else ""
        return (f"{self.describe_encoder()}{decoder}",)

    def describe_encoder(self) -> str:
        """Return the name of the config file, with weights that it does not name."""
        others = {None: RANDOM_WEIGHTS, "config": ""}
        weights = others.get(self.weights, PurePath(self.weights or "").name)
        return f"{PurePath(self.config).stem} of Detectron2{f' ({weights})' if weights else ''}"

    def check_plan(self, budget: Budget) -> None:
        """Check that Detectron2 has the config, that a weight file is one, and that batch norm gets several images.

        Raises:
            KeyError: The config does not exist; the message names the closest matches.
            ValueError: Detectron2 is missing, weights are no weight file, or a forward pass in training has one image.
        """
        require_detectron2()
        from methods.blocks.bodies.d2.files import find_config  # not above: it imports Detectron2

        find_config(self.config)
        file = Path(self.weights or "config").expanduser()
        problem = find_problem_of_file(file) if file.exists() else ""
        if problem:
            raise ValueError(f"body.weights: {file}: {problem}")
        if self.decoder == "deeplab":
            check_images_per_pass(budget, layer="the image pooling of DeepLab's decoder")
