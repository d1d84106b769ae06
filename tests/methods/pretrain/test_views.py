"""Views of the training of the toy CLIP."""

from __future__ import annotations

import numpy as np

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.canvas import SIZE
from benchmark.data.toybox.scene import CLASSES, draw_portrait, draw_scene
from methods.pretrain.views import GRID, WINDOW, View, draw_view


def draw(windows: int, slot: int) -> View:
    scene = draw_scene("view test", slot)
    return draw_view(scene.image, scene.labels, windows=windows, random=KeyedRandom("view test", slot))


def test_a_window_keeps_a_square_of_patches_and_names_what_it_shows() -> None:
    patch = SIZE // GRID
    for slot in range(20):
        view = draw(100, slot)
        row, column = divmod(int(view.patches[0]), GRID)
        rows, columns = np.divmod(view.patches.reshape(WINDOW, WINDOW), GRID)
        assert (row + np.arange(WINDOW) == rows.T).all() and (columns == column + np.arange(WINDOW)).all()
        shown = draw_scene("view test", slot).labels[row * patch :, column * patch :][
            : WINDOW * patch, : WINDOW * patch
        ]
        areas = {CLASSES[label]: int((shown == label).sum()) for label in np.unique(shown)}
        assert set(view.classes) == {name for name, area in areas.items() if area * 64 >= shown.size}


def test_other_views_keep_as_many_different_patches_anywhere() -> None:
    views = [draw(0, slot) for slot in range(40)]
    assert all(len(set(view.patches.tolist())) == WINDOW * WINDOW for view in views)
    assert set(np.concatenate([view.patches for view in views]).tolist()) == set(range(GRID * GRID))


def test_a_view_of_a_portrait_always_names_its_class() -> None:
    for index in range(40):
        portrait = draw_portrait("view test", index)
        view = draw_view(portrait.image, portrait.labels, windows=50, random=KeyedRandom("portrait view", index))
        assert view.classes == portrait.tags
