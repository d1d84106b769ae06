"""Forms, the images of the body's pre-training."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from benchmark.data.toybox.canvas import SIZE
from methods.pretrain.forms import NUM_FORMS, NUM_TEXTURES, draw_form


def test_an_image_is_the_same_at_each_call() -> None:
    (first, number), (second, again) = draw_form("body", 3), draw_form("body", 3)
    assert np.array_equal(first, second) and number == again
    assert first.shape == (SIZE, SIZE, 3) and first.dtype == np.uint8


def test_images_of_one_form_differ_and_all_forms_occur() -> None:
    images = defaultdict(set)
    for index in range(600):
        image, number = draw_form("body", index)
        images[number].add(image.tobytes())
    assert sorted(images) == list(range(NUM_FORMS))
    assert sum(len(views) for views in images.values()) == 600


def test_a_texture_fills_the_image_and_an_object_stands_on_a_plain_background() -> None:
    views = [draw_form("body", index) for index in range(40)]
    noise = 8  # levels; exposure scales them by at most 290 / 256
    for image, number in views:
        border = np.concatenate([image[0], image[-1]]).astype(int)
        is_plain = bool((np.ptp(border, axis=0) <= 2 * noise).all())
        assert is_plain or number < NUM_TEXTURES
