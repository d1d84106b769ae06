"""Checks that the rows of an embedding file belong to its names.

A file cannot show whether its rows are in the order of its names. `check_against_text_encoder` compares the rows with
the embeddings of a text encoder. `check_row_order` needs no encoder: names that share a word ("wall-brick",
"wall-wood") must be more similar than the same pairs after the rows are rotated by any number. This check detects
rotated, sorted and shuffled files, but not two exchanged rows, and it does not judge vocabularies in which few names
share a word (in VOC none do).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

import torch

from methods.blocks.class_embeddings.embedding_table import EmbeddingTable
from methods.blocks.class_embeddings.text_bank import ClassEmbeddings

SIMILARITY_TOLERANCE = 1e-3
"""Accepted excess similarity of wrong names over correct ones: synonyms have almost the same embedding."""

MIN_PAIRS = 20
"""Smallest number of related pairs whose mean similarity is meaningful."""

GENERIC_WORDS = {"and", "of", "other", "stuff", "the", "with"}
"""Words that unrelated names share."""


def check_dimension(table: EmbeddingTable, encoder: ClassEmbeddings) -> None:
    """Check that the embeddings of a file have the length of a text encoder's.

    Raises:
        ValueError: The lengths differ.
    """
    if encoder.dimension != table.dimension:
        raise ValueError(explain_dimension(table, encoder.dimension))


def explain_dimension(table: EmbeddingTable, dimension: int) -> str:
    """Return one line about a file whose vectors have another length than a CLIP's."""
    return (
        f"embedding file {table.file} has vectors of length {table.dimension}, the embeddings of this CLIP have length "
        f"{dimension}: give embeddings of the same CLIP"
    )


def check_against_text_encoder(table: EmbeddingTable, encoder: ClassEmbeddings) -> None:
    """Check that every row is most similar to a text encoder's embedding of its own name; prompts may differ.

    Args:
        table: N named rows (N, D).
        encoder: Source of reference embeddings of length D.

    Raises:
        ValueError: A row is more similar to another name; the message names the first such row.
    """
    similarity = table.table @ encoder.embed(table.names).T  # (N, N)
    best, nearest = similarity.max(dim=1)
    wrong = (best - similarity.diagonal() > SIMILARITY_TOLERANCE).nonzero().flatten().tolist()
    if wrong:
        row, column = wrong[0], int(nearest[wrong[0]])
        raise ValueError(
            f"embedding file {table.file}: row {row}, {table.names[row]!r}, is most similar to this CLIP's embedding "
            f"of {table.names[column]!r} ({similarity[row, column]:.3f}; of its own name {similarity[row, row]:.3f}); "
            f"{len(wrong)} of {len(table.names)} rows are most similar to a wrong name: check the order of the names "
            "and the CLIP, or set class_embeddings.order=trusted"
        )


def check_row_order(table: EmbeddingTable) -> None:
    """Check that related names are at least as similar in the given row order as in any rotation of the rows.

    Files with fewer than `MIN_PAIRS` related pairs are accepted.

    Args:
        table: N named rows (N, D).

    Raises:
        ValueError: Related names are more similar after a rotation of the rows.
    """
    pairs = find_related_pairs(table.names)
    if len(pairs) < MIN_PAIRS:
        return
    first, second = torch.tensor(pairs).T
    count = len(table.names)
    gram = table.table @ table.table.T  # (N, N)
    shifts = torch.arange(count)[:, None]
    similarity = gram[(first + shifts) % count, (second + shifts) % count].mean(dim=1)  # (N,), one for each shift
    best = int(similarity.argmax())
    if similarity[best] - similarity[0] > SIMILARITY_TOLERANCE:
        raise ValueError(
            f"embedding file {table.file}: the rows seem to be in another order than the names: the mean similarity of "
            f"{len(pairs)} pairs of names with a common word is {similarity[0]:.3f}, but {similarity[best]:.3f} if the "
            f"rows are rotated by {best}; correct the order, or set class_embeddings.order=trusted"
        )


def find_related_pairs(names: Sequence[str]) -> list[tuple[int, int]]:
    """Return the index pairs of names that share a word."""
    words = [set(re.findall(r"[a-z]+", name.lower())) - GENERIC_WORDS for name in names]
    return [(first, second) for first, second in combinations(range(len(names)), 2) if words[first] & words[second]]
