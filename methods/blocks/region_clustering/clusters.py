"""Clusters of the patches of an image: seeds from windows of several sizes, cosine K-means, merging by cosine.

All functions work on B images at once and draw no random numbers. The result for an image does not depend on others.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def cluster_patches(dense: Tensor, *, windows: Sequence[int], iterations: int, merge_above: float | None) -> Tensor:
    """Cluster the patches of each image by the direction of their embeddings.

    Args:
        dense: (B, D, h, w) embeddings of any length.
        windows: Sides of the windows whose means are the seeds, in patches.
        iterations: Largest number of K-means iterations.
        merge_above: Cosine above which two clusters become one; None to merge nothing.

    Returns:
        (B, h, w) long, a cluster between 0 and the number of seeds; not every number occurs.
    """
    with torch.autocast(dense.device.type, enabled=False):
        unit = F.normalize(dense.float(), dim=1)
        points = unit.flatten(2).transpose(1, 2)  # (B, N, D)
        seeds = compute_window_means(unit, windows=windows)  # (B, S, D)
        clusters, centroids = assign_to_seeds(points, seeds, iterations=iterations)
        if merge_above is not None:
            sizes = F.one_hot(clusters, seeds.shape[1]).sum(dim=1)
            merged = merge_similar_clusters(centroids, sizes, threshold=merge_above)
            clusters = merged.gather(1, clusters)
    grid: Tensor = clusters.unflatten(1, dense.shape[2:])
    return grid


def compute_window_means(dense: Tensor, *, windows: Sequence[int]) -> Tensor:
    """Average embeddings in windows that move by half their side.

    Args:
        dense: (B, D, h, w).
        windows: Sides in patches; a window larger than the map is cut to the map.

    Returns:
        (B, S, D) unit vectors, the windows of the first side first.
    """
    height, width = dense.shape[2:]
    means = [
        F.avg_pool2d(dense, kernel_size=(min(side, height), min(side, width)), stride=max(1, side // 2)).flatten(2)
        for side in windows
    ]
    return F.normalize(torch.cat(means, dim=2).transpose(1, 2), dim=2)


def assign_to_seeds(points: Tensor, seeds: Tensor, *, iterations: int) -> tuple[Tensor, Tensor]:
    """Run cosine K-means from given seeds until nothing changes.

    Args:
        points: (B, N, D) unit vectors.
        seeds: (B, S, D) unit vectors; a seed without points stays where it is.
        iterations: Largest number of iterations, at least 1.

    Returns:
        Cluster of each point (B, N) long, and centroids (B, S, D), unit vectors.
    """
    centroids = seeds
    clusters = points.new_full(points.shape[:2], -1, dtype=torch.long)
    for _ in range(iterations):
        nearest = torch.einsum("bnd,bsd->bns", points, centroids).argmax(dim=2)
        if nearest.equal(clusters):
            break
        clusters = nearest
        members = F.one_hot(clusters, seeds.shape[1]).to(points)  # (B, N, S)
        sums = torch.einsum("bns,bnd->bsd", members, points)
        is_empty = (members.sum(dim=1) == 0).unsqueeze(2)
        centroids = torch.where(is_empty, centroids, F.normalize(sums, dim=2))
    return clusters, centroids


def merge_similar_clusters(centroids: Tensor, sizes: Tensor, *, threshold: float) -> Tensor:
    """Merge clusters greedily: the largest one takes all that are similar to it, then the largest of the rest, ...

    A cluster that was taken takes none, so that clusters do not chain. A cluster leads as soon as no undecided larger
    one is similar to it, which decides many clusters at once and gives the result of a loop from the largest one on.

    Args:
        centroids: (B, S, D) unit vectors.
        sizes: (B, S) points of each cluster; empty ones merge with none.
        threshold: Cosine above which two clusters are similar.

    Returns:
        (B, S) long, the cluster that each one becomes part of.
    """
    order = sizes.argsort(dim=1, descending=True, stable=True)
    by_size = centroids.gather(1, order.unsqueeze(2).expand_as(centroids))
    is_used = sizes.gather(1, order) > 0  # (B, S), in the order of size, as all that follow
    # a cluster is similar to itself, even if its cosine is rounded below the threshold
    itself = torch.eye(sizes.shape[1], dtype=torch.bool, device=sizes.device)
    is_similar = (torch.einsum("bid,bjd->bij", by_size, by_size) > threshold) | itself
    is_larger = torch.ones_like(is_similar[0]).tril(-1)  # [i, j]: j comes before i
    leads, is_undecided = torch.zeros_like(is_used), is_used
    while is_undecided.any():
        waits = (is_similar & is_larger & is_undecided.unsqueeze(1)).any(dim=2)
        new = is_undecided & ~waits
        leads = leads | new
        is_undecided = is_undecided & ~new & ~(is_similar & new.unsqueeze(1)).any(dim=2)
    positions = torch.arange(sizes.shape[1], device=sizes.device)
    candidates = torch.where(is_similar & leads.unsqueeze(1), positions, sizes.shape[1])
    first = torch.where(is_used, candidates.amin(dim=2), positions)  # position of the leader of each cluster
    return torch.empty_like(order).scatter(1, order, order.gather(1, first))
