"""The Semantic Alignment Module."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.alignment import NoAlignment, SamConfig, SemanticAlignment


def unit(*shape: int) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(0)), dim=-1)


def test_alignment_starts_as_no_alignment() -> None:
    text, dense = unit(5, 8), unit(2, 9, 8)
    sam = SemanticAlignment(SamConfig(heads=2), dimension=8)
    torch.testing.assert_close(sam(text, dense, None), NoAlignment()(text, dense, None))


def test_a_class_is_aligned_independently_of_the_other_classes() -> None:
    text, dense = unit(5, 8), unit(2, 9, 8)
    sam = SemanticAlignment(SamConfig(heads=2), dimension=8)
    torch.nn.init.normal_(sam.output.weight)
    torch.testing.assert_close(sam(text, dense, None)[:, :3], sam(text[:3], dense, None))


def test_heads_must_divide_the_dimension() -> None:
    with pytest.raises(ValueError, match=r"sam\.heads is 3 and must divide the embedding dimension 8"):
        SemanticAlignment(SamConfig(heads=3), dimension=8)


def make_trained_sam() -> SemanticAlignment:
    torch.manual_seed(0)
    sam = SemanticAlignment(SamConfig(heads=2), dimension=8)
    torch.nn.init.normal_(sam.output.weight)
    return sam


def test_attention_is_the_softmax_of_scaled_inner_products_per_head() -> None:
    sam, text, dense = make_trained_sam(), unit(5, 8), unit(1, 9, 8)
    scale = math.sqrt(8)
    query = sam.query(text * scale)  # (K, D)
    key, value = sam.key_value(dense[0] * scale).chunk(2, dim=1)  # (N, D) each
    heads = [
        (query[:, part] @ key[:, part].T / 2).softmax(dim=1) @ value[:, part] for part in (slice(0, 4), slice(4, 8))
    ]
    expected = F.normalize(text + sam.output(torch.cat(heads, dim=1)) / scale, dim=1)
    torch.testing.assert_close(sam(text, dense, None)[0], expected)


def test_classes_attend_to_valid_positions_only() -> None:
    sam, text, dense = make_trained_sam(), unit(5, 8), unit(2, 9, 8)
    is_valid = torch.arange(9).expand(2, 9) < torch.tensor([[4], [9]])
    aligned = sam(text, dense, is_valid)
    torch.testing.assert_close(aligned[:1], sam(text, dense[:1, :4], None))
    torch.testing.assert_close(aligned[1:], sam(text, dense[1:], None))
