"""Copies of pretrained networks, such as CLIP's image encoder, that published checkpoints bring along."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from methods.blocks.weight_files import compare_shapes


def rename_copy(official: Mapping[str, Tensor], module: nn.Module, *, prefix: str, into: str) -> dict[str, Tensor]:
    """Return a file's copy of a network under our names, after comparing it with the network tensor by tensor.

    Args:
        official: Tensors by official name; those that do not begin with the prefix are not looked at.
        module: Our network, whose state dict has the same names behind the prefix.
        prefix: Prefix of the copy in the file, such as "backbone.".
        into: Prefix of the network in the method's state dict, such as "encoder.visual.".

    Returns:
        The tensors of the copy by our names.

    Raises:
        ValueError: A name or a shape differs, so that the file is of another architecture.
    """
    copy = {name.removeprefix(prefix): value for name, value in official.items() if name.startswith(prefix)}
    found = {name: tuple(value.shape) for name, value in copy.items()}
    problem = compare_shapes(found, {name: tuple(value.shape) for name, value in module.state_dict().items()})
    if problem:
        raise ValueError(f"the tensors {prefix}* of the file and the network that they are for {problem}")
    return {into + name: value for name, value in copy.items()}
