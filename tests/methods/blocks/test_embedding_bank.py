"""The bank of embeddings: first in, first out."""

from __future__ import annotations

import torch

from methods.blocks.embedding_bank import EmbeddingBank


def test_the_latest_vectors_are_kept() -> None:
    bank = EmbeddingBank(3, dimension=1)
    assert bank().shape == (0, 1)
    bank.add(torch.tensor([[1.0], [2.0]]))
    assert bank().tolist() == [[1], [2]]
    bank.add(torch.tensor([[3.0], [4.0]]))
    assert bank().tolist() == [[3], [4], [1]]


def test_a_bank_of_none_and_no_vectors_to_add_are_no_errors() -> None:
    empty, bank = EmbeddingBank(0, dimension=2), EmbeddingBank(2, dimension=2)
    empty.add(torch.ones(5, 2))
    bank.add(torch.ones(0, 2))
    assert empty().shape == bank().shape == (0, 2)


def test_a_resumed_bank_has_the_same_vectors() -> None:
    bank, resumed = EmbeddingBank(4, dimension=2), EmbeddingBank(4, dimension=2)
    bank.add(torch.rand(3, 2))
    resumed.load_state_dict(bank.state_dict())
    assert resumed().equal(bank())


def test_what_was_read_does_not_change_afterwards() -> None:
    bank = EmbeddingBank(2, dimension=1)
    bank.add(torch.ones(2, 1))
    vectors = bank()
    bank.add(torch.zeros(2, 1))
    assert vectors.tolist() == [[1], [1]]
