"""Global random streams that start with a key."""

from __future__ import annotations

import random

import numpy as np
import torch

from benchmark.core.seeding import hash_rng_key, seed_globals


def draw() -> tuple[float, float, float]:
    return torch.rand(()).item(), np.random.rand(), random.random()


def test_global_streams_restart_with_a_key() -> None:
    seed_globals(3, "here")
    first = draw()
    seed_globals(3, "there")
    second = draw()
    seed_globals(3, "here")
    assert draw() == first
    assert not {*first} & {*second}


def test_torch_is_seeded_like_by_its_own_function() -> None:
    seed_globals(3, "here")
    ours = torch.rand(5)
    torch.manual_seed(hash_rng_key(3, "here") % 2**63)
    assert torch.equal(ours, torch.rand(5))
