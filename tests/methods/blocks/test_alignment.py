"""The Semantic Alignment Module."""

from __future__ import annotations

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
    torch.testing.assert_close(sam(text, dense), NoAlignment()(text, dense))


def test_a_class_is_aligned_independently_of_the_other_classes() -> None:
    text, dense = unit(5, 8), unit(2, 9, 8)
    sam = SemanticAlignment(SamConfig(heads=2), dimension=8)
    torch.nn.init.normal_(sam.output.weight)
    torch.testing.assert_close(sam(text, dense)[:, :3], sam(text[:3], dense))


def test_heads_must_divide_the_dimension() -> None:
    with pytest.raises(ValueError, match=r"sam\.heads is 3 and must divide the embedding dimension 8"):
        SemanticAlignment(SamConfig(heads=3), dimension=8)
