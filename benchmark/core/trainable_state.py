"""What training can change of a method: the content of its checkpoints."""

from __future__ import annotations

from typing import Any

from torch import nn

from benchmark.core.frozen_modules import find_frozen_modules
from benchmark.core.method import Method


def get_trainable_state(method: Method) -> dict[str, Any]:
    """Return the entries of a method's state that training can change, by name.

    Frozen parameters are left out, and so are the persistent buffers of modules whose parameters are all frozen. The
    buffers of a `Method`, and of a module without parameters (a memory bank, running statistics), are always included.

    Returns:
        Parameters and buffers of any shape, by their names in the state dict.
    """
    parameters = method.named_parameters(remove_duplicate=False)
    frozen_names = {name for name, parameter in parameters if not parameter.requires_grad}
    frozen_prefixes = tuple(_list_frozen_prefixes(method))
    return {
        name: value
        for name, value in method.state_dict().items()
        if name not in frozen_names and not name.startswith(frozen_prefixes)
    }


def _list_frozen_prefixes(method: Method) -> list[str]:
    """Return the prefixes of the largest frozen modules without a `Method` in them."""
    frozen, prefixes = find_frozen_modules(method), list[str]()
    for name, module in method.named_modules(remove_duplicate=False):
        is_below_last = prefixes and name.startswith(prefixes[-1])  # modules follow the one that they are in
        if not is_below_last and module in frozen and not _contains_method(module):
            prefixes.append(f"{name}.")
    return prefixes


def _contains_method(module: nn.Module) -> bool:
    return any(isinstance(inner, Method) for inner in module.modules())
