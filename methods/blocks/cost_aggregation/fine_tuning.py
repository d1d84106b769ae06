"""Fine-tuning of a CLIP at a fraction of the learning rate: each trained tensor is a frozen one plus a slow update.

The optimizer of the benchmark has one learning rate, and CAT-Seg trains CLIP at a hundredth of it. A trained tensor W
is therefore computed as W = W0 + r·U: W0 is CLIP's frozen tensor, U is trained and starts at 0, and r is the share of
the rate. The gradient of U is that of W, not multiplied by r, so that AdamW's moments, its epsilon and the clipping of
the gradient norm are those of training W itself. A step of AdamW moves U by the learning rate, and so W by r times it.

Weight decay differs from that of training W: it pulls W towards W0 in place of 0, and 1 / r times as fast, which is
little (0.08 % of U over the 80,000 iterations of the paper).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import parametrize

from benchmark.core.method import Config
from methods.blocks.clip.image_encoder import ClipImageEncoder

QUERY, VALUE = 0, 2
"""Thirds of the rows of a packed input projection: queries, keys, values."""

PACKED = re.compile(r".*\.(in_proj_weight|in_proj_bias|qkv\.weight|qkv\.bias)")
"""Names of projections of queries, keys and values in one tensor, of torch and of timm."""
QUERIES_AND_VALUES = re.compile(r".*\.(in_proj_weight|qkv\.weight|q_proj\.weight|v_proj\.weight)")
QUERIES_AND_KEYS = re.compile(r".*\.(q_proj\.\w+|k_proj\.\w+|q_norm\.\w+|k_norm\.\w+|q_bias|k_bias)")

PARAMETRIZED = re.compile(r"(?P<owner>.*\.)parametrizations\.(?P<name>\w+)\.(original|0\.update)")
"""Names of the two parts of a tensor with an update in a state dict."""


class FineTuningConfig(Config):
    """Parts of CLIP that are trained, and their learning rate.

    Attributes:
        tensors: "query and value" trains the weights of these projections in every block, as `CLIP_FINETUNE: attention`
            of the official code does; "blocks" trains all tensors of all blocks (`full`).
        positions: Whether the positional embedding of the image encoder is trained, too.
        rate: Share of the learning rate.
    """

    tensors: Literal["query and value", "blocks"] = "query and value"
    positions: bool = False
    rate: float = Field(default=0.01, gt=0, le=1)


class SlowUpdate(nn.Module):
    """Parametrization of a frozen tensor: adds a trained update, which the optimizer moves at a share of its rate.

    Args:
        shape: Shape of the tensor, (R, …).
        rate: Share of the learning rate.
        thirds: Thirds of the R rows that are updated; None for all rows.

    Attributes:
        update: (R', …) trained update in units of the rate; R' are the updated rows.
    """

    def __init__(self, shape: Sequence[int], *, rate: float, thirds: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self._rate, self._thirds = rate, thirds
        rows = shape[0] if thirds is None else shape[0] // 3 * len(thirds)
        self.update = nn.Parameter(torch.zeros(rows, *shape[1:]))

    def forward(self, frozen: Tensor) -> Tensor:
        """Return the frozen tensor (R, …) plus `rate` times the update, whose gradient is that of the sum."""
        # the value is rate · U; the second term is 0 and has the gradient
        update = (self._rate * self.update).detach() + (self.update - self.update.detach())
        if self._thirds is None:
            return frozen + update
        parts = list(frozen.chunk(3))
        for third, part in zip(self._thirds, update.chunk(len(self._thirds)), strict=True):
            parts[third] = parts[third] + part
        return torch.cat(parts)


class Target(NamedTuple):
    """A tensor that is trained.

    Attributes:
        owner: Module that has the tensor.
        name: Name of the tensor in this module.
        thirds: Thirds of its rows that are trained; None for all rows.
    """

    owner: nn.Module
    name: str
    thirds: tuple[int, ...] | None = None


def fine_tune_image_encoder(encoder: ClipImageEncoder, config: FineTuningConfig) -> None:
    """Add trained updates to an image encoder whose last block takes the value path.

    Queries and keys of that block have no influence and stay frozen.
    """
    visual = encoder.visual
    owner, positions = (visual.trunk, "pos_embed") if hasattr(visual, "trunk") else (visual, "positional_embedding")
    *blocks, last = owner.blocks if hasattr(visual, "trunk") else owner.transformer.resblocks
    targets = [target for block in blocks for target in list_targets(block, config)]
    targets += list_targets(last, config, is_value_path=True)
    if config.positions and getattr(owner, positions) is not None:
        targets.append(Target(owner, positions))
    add_updates(targets, rate=config.rate)


def fine_tune_text_encoder(encoder: Any, config: FineTuningConfig) -> None:
    """Add trained updates to the blocks of the text encoder of an open_clip model."""
    blocks = getattr(encoder, "text", encoder).transformer.resblocks
    add_updates([target for block in blocks for target in list_targets(block, config)], rate=config.rate)


def list_targets(block: nn.Module, config: FineTuningConfig, *, is_value_path: bool = False) -> list[Target]:
    """Return the tensors of a residual block that are trained.

    Args:
        block: Block of open_clip or timm.
        config: Kind of tensors.
        is_value_path: Whether the block is run without queries and keys, which are then left out.
    """
    is_partial = config.tensors == "query and value"
    targets = []
    for path, _ in block.named_parameters():
        if (is_partial and not QUERIES_AND_VALUES.fullmatch(path)) or (
            is_value_path and QUERIES_AND_KEYS.fullmatch(path)
        ):
            continue
        thirds = (VALUE,) if is_value_path else (QUERY, VALUE) if is_partial else None
        owner, _, name = path.rpartition(".")
        targets.append(Target(block.get_submodule(owner), name, thirds if PACKED.fullmatch(path) else None))
    return targets


def add_updates(targets: Sequence[Target], *, rate: float) -> None:
    """Add a trained update to each target."""
    for owner, name, thirds in targets:
        update = SlowUpdate(getattr(owner, name).shape, rate=rate, thirds=thirds)
        parametrize.register_parametrization(owner, name, update)


def store_as_frozen(tensors: Mapping[str, Tensor], method: nn.Module) -> dict[str, Tensor]:
    """Rename tensors for a state dict in which some tensors have updates, and add updates of zero.

    Args:
        tensors: Tensors by the names that they would have without updates.
        method: Module with updates.

    Returns:
        Tensors by name in the state dict of the module.
    """
    stored = dict(tensors)
    for name, value in method.state_dict().items():
        match = PARAMETRIZED.fullmatch(name)
        if match is None:
            continue
        plain = match.group("owner") + match.group("name")
        if name.endswith(".update"):
            stored[name] = torch.zeros_like(value)
        elif plain in stored:
            stored[name] = stored.pop(plain)
    return stored
