"""What training can change of a method: the content of its checkpoints."""

from __future__ import annotations

from typing import Any

from torch import nn

from benchmark.core.method import Method


def get_trainable_state(method: Method) -> dict[str, Any]:
    """Return the entries of a method's state that training can change, by name.

    Frozen parameters are left out, and so are the persistent buffers of modules whose parameters are all frozen. The
    buffers of a `Method`, and of a module without parameters (a memory bank, running statistics), are always included.

    Returns:
        Parameters and buffers of any shape, by their names in the state dict.
    """
    parameters = method.named_parameters(remove_duplicate=False)
    modules = method.named_modules(remove_duplicate=False)
    frozen_names = {name for name, parameter in parameters if not parameter.requires_grad}
    frozen_prefixes = tuple(f"{name}." for name, module in modules if _is_frozen(module))
    return {
        name: value
        for name, value in method.state_dict().items()
        if name not in frozen_names and not name.startswith(frozen_prefixes)
    }


def _is_frozen(module: nn.Module) -> bool:
    if any(isinstance(inner, Method) for inner in module.modules()):
        return False
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)
