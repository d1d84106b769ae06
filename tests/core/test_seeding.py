"""Streams that begin at an address."""

from __future__ import annotations

import random

import numpy as np
import torch

from benchmark.core.seeding import hash_rng_key, seed_globals


def drawn() -> tuple[float, float, float]:
    return torch.rand(()).item(), np.random.rand(), random.random()


def test_global_streams_begin_anew_at_an_address() -> None:
    seed_globals(3, "here")
    first = drawn()
    seed_globals(3, "there")
    other = drawn()
    seed_globals(3, "here")
    assert drawn() == first
    assert not {*first} & {*other}


def test_torch_is_seeded_as_its_own_function_does_it() -> None:
    seed_globals(3, "here")
    ours = torch.rand(5)
    torch.manual_seed(hash_rng_key(3, "here") % 2**63)
    assert torch.equal(ours, torch.rand(5))
