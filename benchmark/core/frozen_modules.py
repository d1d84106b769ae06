"""Which modules of a network are frozen: those with parameters of which none requires gradients."""

from __future__ import annotations

from enum import IntEnum

from torch import nn


class _Parameters(IntEnum):
    """What a module and everything below it have; the largest value of its parts is that of the whole."""

    NONE = 0
    FROZEN = 1
    TRAINED = 2


def find_frozen_modules(network: nn.Module) -> frozenset[nn.Module]:
    """Return the modules of a network, itself included, that have parameters of which none requires gradients.

    The parameters of a module include those of all modules below it.
    """
    known = dict[nn.Module, _Parameters]()
    _inspect(network, known)
    return frozenset(module for module, parameters in known.items() if parameters is _Parameters.FROZEN)


def _inspect(module: nn.Module, known: dict[nn.Module, _Parameters]) -> _Parameters:
    """Return what a module has, and note it for this module and for those below it, each once."""
    if module not in known:
        own = (
            _Parameters.TRAINED if parameter.requires_grad else _Parameters.FROZEN
            for parameter in module.parameters(recurse=False)
        )
        below = (_inspect(child, known) for child in module.children())
        known[module] = max([*own, *below], default=_Parameters.NONE)
    return known[module]
