"""Embedding files and tables for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from benchmark.core.split import load_split
from methods.blocks.class_embeddings.embedding_table import EmbeddingTable
from methods.blocks.class_embeddings.text_encoder import ClipTextEncoder
from methods.blocks.clip import load_clip
from methods.blocks.toy import TOY_CLIP_CONFIG

SPLIT = load_split("toybox")
NAMES = ("sea", "tree", "wall")
UNIT = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)

REAL = Path(__file__).resolve().parents[5] / "shared" / "data" / "text_embeddings"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="the embeddings of a real CLIP are not available")


def write_file(folder: Path, vectors: NDArray[Any], names: Sequence[str]) -> str:
    """Write x.npy and its names x.txt, and return the path of the former."""
    np.save(folder / "x.npy", vectors)
    (folder / "x.txt").write_text("".join(f"{name}\n" for name in names))
    return str(folder / "x.npy")


def write_toy_file(folder: Path, *, order: Sequence[int] = range(32)) -> str:
    """Write the toy CLIP's embeddings of toybox with rows and names in another order."""
    vectors = ClipTextEncoder(load_clip(TOY_CLIP_CONFIG), SPLIT.prompts).embed(SPLIT.classes).numpy()
    return write_file(folder, vectors[list(order)], [SPLIT.classes[index] for index in order])


def exchange_rows(file: str, first: int, second: int) -> str:
    """Exchange two rows of a file in place."""
    vectors = np.load(file)
    vectors[[first, second]] = vectors[[second, first]]
    np.save(file, vectors)
    return file


def make_families(*sizes: int) -> EmbeddingTable:
    """Make names with one word for each family and one for each name, and embeddings with the same structure."""
    family = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    names = tuple(f"{'abcdef'[index]} own{'x' * place}" for place, index in enumerate(family.tolist()))
    table = torch.cat([torch.eye(len(sizes))[family], 0.3 * torch.eye(len(family))], dim=1)
    return EmbeddingTable("x.npy", names, F.normalize(table, dim=1))


def rotate_rows(table: EmbeddingTable, by: int) -> EmbeddingTable:
    """Rotate the rows of a table, but not its names."""
    return EmbeddingTable(table.file, table.names, table.table.roll(by, dims=0))
