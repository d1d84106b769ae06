"""Clusters of patches: seeds, K-means and merging."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.region_clustering import (
    assign_to_seeds,
    cluster_patches,
    compute_window_means,
    merge_similar_clusters,
)


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def make_blocks(*, noise: float = 0.02) -> Tensor:
    """Return a map (1, 16, 8, 8) of four quadrants, each of one direction with noise."""
    directions = torch.eye(16)[:4].view(2, 2, 16).repeat_interleave(4, 0).repeat_interleave(4, 1)
    return (directions + noise * unit(8, 8, 16)).permute(2, 0, 1)[None]


def test_seeds_are_the_means_of_windows_that_move_by_half_their_side() -> None:
    dense = torch.randn(1, 4, 6, 7, generator=torch.Generator().manual_seed(0))
    seeds = compute_window_means(dense, windows=(3, 5))
    threes = [dense[0, :, i : i + 3, j : j + 3].mean(dim=(1, 2)) for i in range(4) for j in range(5)]
    fives = [dense[0, :, 0:5, j : j + 5].mean(dim=(1, 2)) for j in (0, 2)]
    torch.testing.assert_close(seeds[0], F.normalize(torch.stack(threes + fives), dim=1))


def test_a_window_larger_than_the_map_is_cut_to_the_map() -> None:
    dense = torch.randn(1, 4, 2, 3)
    assert compute_window_means(dense, windows=(7,)).shape == (1, 1, 4)


def test_k_means_ends_at_clusters_whose_points_are_nearest_to_their_mean() -> None:
    points = unit(2, 40, 8)
    clusters, centroids = assign_to_seeds(points, points[:, :5], iterations=100)
    for image in range(2):
        means = torch.stack([points[image, clusters[image] == k].mean(dim=0) for k in range(5)])
        torch.testing.assert_close(centroids[image], F.normalize(means, dim=1))
        assert (points[image] @ centroids[image].T).argmax(dim=1).equal(clusters[image])


def test_a_seed_without_points_stays_where_it_is() -> None:
    points = torch.eye(4)[None, :2]
    seeds = torch.eye(4)[None, [0, 1, 3]]
    clusters, centroids = assign_to_seeds(points, seeds, iterations=3)
    assert clusters.tolist() == [[0, 1]]
    assert centroids.equal(seeds)


def test_merging_gives_what_going_through_the_clusters_one_by_one_gives() -> None:
    centroids, sizes = unit(3, 60, 3), torch.randint(0, 9, (3, 60), generator=torch.Generator().manual_seed(1))
    merged = merge_similar_clusters(centroids, sizes, threshold=0.8)
    for image in range(3):
        expected = list(range(60))
        rest = sorted((k for k in range(60) if sizes[image, k]), key=lambda k: -int(sizes[image, k]))
        while rest:
            similar = [k for k in rest if centroids[image, rest[0]] @ centroids[image, k] > 0.8 or k == rest[0]]
            expected = [rest[0] if k in similar else leader for k, leader in enumerate(expected)]
            rest = [k for k in rest if k not in similar]
        assert merged[image].tolist() == expected


def test_above_a_cosine_of_one_every_cluster_stays_alone() -> None:
    centroids = F.normalize(torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(0)), dim=2)
    merged = merge_similar_clusters(centroids, torch.tensor([[3, 1, 0, 2, 1]]), threshold=1.0)
    assert merged.tolist() == [[0, 1, 2, 3, 4]]


def test_four_quadrants_are_four_clusters() -> None:
    clusters = cluster_patches(make_blocks(), windows=(3, 5, 7), iterations=10, merge_above=0.9)[0]
    quadrants = clusters.view(2, 4, 2, 4).permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
    assert (quadrants == quadrants[:, :1]).all()
    assert len(clusters.unique()) == 4


def test_without_merging_there_are_more_clusters() -> None:
    counts = [
        len(cluster_patches(make_blocks(), windows=(3,), iterations=10, merge_above=merge).unique())
        for merge in (0.9, None)
    ]
    assert counts[0] < counts[1]


def test_the_clusters_of_an_image_do_not_depend_on_other_images() -> None:
    dense = torch.cat([make_blocks(noise=1.0), torch.randn(2, 16, 8, 8)])
    together = cluster_patches(dense, windows=(3, 5), iterations=10, merge_above=0.7)
    assert together[:1].equal(cluster_patches(dense[:1], windows=(3, 5), iterations=10, merge_above=0.7))
