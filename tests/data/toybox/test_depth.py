"""Depth of toybox scenes: which values it has, and that neither single nor cached maps differ."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from benchmark.data.toybox.dataset import ToyBox
from benchmark.data.toybox.depth import DepthMaps
from benchmark.data.toybox.scene import draw_scene

DIGEST = "bf4fea6f574c02fe468a10e2c16939230fff49c20063d67b1096ddd1130e666e"
"""SHA-256 of the depth maps of the first four test scenes; what points are made of must not change unnoticed."""


def test_depth_is_that_of_the_released_scenes() -> None:
    maps = np.stack([DepthMaps("test", 400, key="none").read(index) for index in range(4)])
    assert hashlib.sha256(maps.astype("<u2").tobytes()).hexdigest() == DIGEST


def test_a_whole_subset_has_the_maps_of_its_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.data.toybox.depth.MAX_SINGLE_SCENES", 1)
    maps, again = (DepthMaps("depth test", 3, key="toybox-depth-test") for _ in range(2))
    for index in (2, 0, 1):
        expected = draw_scene("depth test", index).depth_mm
        assert np.array_equal(maps.read(index), expected)
        assert np.array_equal(again.read(index), expected)


def test_points_of_an_unknown_scene_are_refused() -> None:
    with pytest.raises(IndexError):
        ToyBox().read_points("test", 400)
