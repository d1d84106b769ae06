"""The pinhole camera: projection undoes back-projection, and the z-buffer hides what lies behind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.data.points.pinhole import PinholeCamera, draw_labels, find_visible

CAMERA = PinholeCamera(focal=(50.0, 60.0), center=(20.0, 15.0), size=(30, 40))


def _make_plane(depth: float) -> NDArray[np.float64]:
    """Return one point of an upright plane for each pixel: (H·W, 3)."""
    rows, columns = (grid.ravel() for grid in np.mgrid[0:30, 0:40])
    return CAMERA.back_project(np.column_stack([columns, rows]) + 0.5, np.full(1200, depth))


def test_projection_undoes_back_projection() -> None:
    draws = np.random.default_rng(0)
    uv, depth = draws.uniform((0, 0), (40, 30), (100, 2)), draws.uniform(1, 80, 100)
    points = CAMERA.back_project(uv, depth)
    assert np.allclose(CAMERA.project(points), uv)
    assert np.allclose(points[:, 2], depth)


def test_a_point_on_the_optical_axis_is_at_the_center() -> None:
    assert CAMERA.project(np.array([[0.0, 0.0, 7.0], [7.0, 7.0, 7.0]])).tolist() == [[20, 15], [70, 75]]


def test_a_plane_hides_the_plane_behind_it_and_not_what_is_beside_it() -> None:
    near, far = _make_plane(5.0)[:600], _make_plane(9.0)  # the near one fills the upper half of the image
    points = np.concatenate([far, near])
    is_visible = find_visible(CAMERA.project(points), points[:, 2], size=CAMERA.size)
    assert is_visible[1200:].all()
    assert (~is_visible[:600]).all()
    assert is_visible[600:1200].all()


def test_points_outside_of_the_image_or_behind_the_camera_are_not_visible() -> None:
    points = np.array([[0.0, 0.0, -5.0], [50.0, 0.0, 5.0], [-50.0, 0.0, 5.0], [0.0, 0.0, 5.0]])
    is_visible = find_visible(CAMERA.project(points), points[:, 2], size=CAMERA.size)
    assert is_visible.tolist() == [False, False, False, True]


def test_points_of_one_surface_do_not_hide_one_another() -> None:
    uv = np.array([[1.0, 1.0], [3.0, 3.0], [2.0, 2.0]])
    assert find_visible(uv, np.array([10.0, 10.9, 12.0]), size=(8, 8), cell=8, tolerance=0.1).tolist() == [
        True,
        True,
        False,
    ]


def test_the_nearest_of_several_points_labels_a_pixel() -> None:
    uv, depth = np.array([[0.5, 0.5], [0.2, 0.9], [2.0, 1.0]]), np.array([4.0, 3.0, 9.0])
    drawn = draw_labels(uv, depth, np.array([7, 8, 9]), size=(2, 3), ignore=255)
    assert drawn.tolist() == [[8, 255, 255], [255, 255, 9]]
