"""Tokenizers: what texts become, which are too long, and what is said if files are missing."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import open_clip
import pytest
import torch

from benchmark.core.split import load_split
from benchmark.core.train_split import make_train_split
from methods.blocks.class_embeddings import FileEmbeddings, TextEncoderEmbeddings, build_class_embeddings
from methods.blocks.class_embeddings import tokenizer_files as files
from methods.blocks.class_embeddings.plan_checks import check_embeddings_fit
from methods.blocks.class_embeddings.tokenizers import (
    EOS,
    ByteTokenizer,
    ClipTokenizer,
    HubTokenizer,
    build_tokenizer,
    get_text_dimension,
)
from methods.blocks.clip import ClipConfig
from methods.blocks.clip.user_folder import VARIABLE
from tests.methods.blocks.clip.tiny_towers import ARCHITECTURES, MODELS, load_tiny

SIGLIP = ClipConfig(model="tiny-siglip", weights="webli")
PAD, END = 1, 1


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(ARCHITECTURES))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return ARCHITECTURES


class LetterTokenizer:
    """A stand-in for open_clip's `HFTokenizer`: ids of letters, an end, and padding with the same id, as SigLIP's."""

    def __init__(self, source: str, *, context_length: int, **_options: Any) -> None:
        self.source, self.tokenizer = source, SimpleNamespace(eos_token_id=END, sep_token_id=None, pad_token_id=PAD)

    def __call__(self, texts: list[str], context_length: int) -> torch.Tensor:
        rows = [[*map(ord, text[: context_length - 1]), END] for text in texts]
        return torch.tensor([row + [PAD] * (context_length - len(row)) for row in rows])


def test_clips_tokenizer_is_open_clips_and_marks_truncated_texts() -> None:
    texts = ["a cat", "cat " * 20]
    tokenized = ClipTokenizer().tokenize(texts, length=12)
    assert torch.equal(tokenized.ids, open_clip.tokenize(texts, context_length=12))
    assert tokenized.is_too_long.tolist() == [False, True]


def test_a_text_that_just_fits_is_not_too_long(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(files, "check_hub_tokenizer", lambda model: None)
    monkeypatch.setattr(open_clip.tokenizer, "HFTokenizer", LetterTokenizer)
    tokenized = HubTokenizer("tiny-siglip").tokenize(["abc", "abcd", "abcde"], length=5)
    assert tokenized.is_too_long.tolist() == [False, False, True]
    assert tokenized.ids.tolist()[1:] == [[97, 98, 99, 100, END]] * 2


def test_bytes_end_with_the_end_and_stay_within_the_length() -> None:
    tokenized = ByteTokenizer().tokenize(["ab", "abcd", "é" * 9], length=4)
    assert tokenized.is_too_long.tolist() == [False, True, True]
    assert tokenized.ids[:2].tolist() == [[100, 101, EOS, 0], [100, 101, 102, EOS]]


def test_random_weights_need_no_tokenizer_and_give_classes_different_embeddings(folder: Path) -> None:
    split, config = make_train_split(load_split("toybox")), ClipConfig(model="tiny-siglip", weights="random")
    check_embeddings_fit(TextEncoderEmbeddings(), config)
    vectors = build_class_embeddings(TextEncoderEmbeddings(), clip_config=config, split=split).embed(split.seen)
    assert vectors.shape == (len(split.seen), 32) and len(vectors.unique(dim=0)) == len(split.seen)


@pytest.mark.parametrize("model", MODELS)
def test_the_text_dimension_is_that_of_encode_text(model: str) -> None:
    clip = load_tiny(model)
    assert get_text_dimension(clip) == clip.encode_text(torch.ones(1, clip.context_length, dtype=torch.long)).shape[1]


def test_a_missing_package_is_one_line_before_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"own tokenizer \(nobody/tiny-siglip\).*pip install transformers") as caught:
        check_embeddings_fit(TextEncoderEmbeddings(), SIGLIP)
    assert "\n" not in str(caught.value)


def test_missing_files_are_one_line_before_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_spec", lambda name: True)
    expected = rf"cannot be loaded.*nobody/tiny-siglip.*{folder}/tiny-siglip\.tokenizer.*kind: file"
    with pytest.raises(ValueError, match=expected) as caught:
        check_embeddings_fit(TextEncoderEmbeddings(), SIGLIP)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "check_hub_tokenizer", lambda model: None)
    monkeypatch.setitem(sys.modules, "transformers", None)  # its import fails
    with pytest.raises(ValueError, match="the tokenizer of tiny-siglip cannot be loaded"):
        build_tokenizer(SIGLIP)


def test_the_users_own_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (tmp_path / "tiny-siglip.json").write_bytes((ARCHITECTURES / "tiny-siglip.json").read_bytes())
    (tmp_path / "tiny-siglip.tokenizer").mkdir()
    monkeypatch.setattr(files, "find_spec", lambda name: True)
    monkeypatch.setattr(open_clip.tokenizer, "HFTokenizer", LetterTokenizer)
    assert files.load_hub_tokenizer("tiny-siglip").source == str(tmp_path / "tiny-siglip.tokenizer")


def test_embeddings_from_a_file_need_no_tokenizer(folder: Path, tmp_path: Path) -> None:
    split = make_train_split(load_split("toybox"))
    vectors = np.random.RandomState(0).randn(len(split.seen), 32).astype(np.float32)
    np.save(tmp_path / "x.npy", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    (tmp_path / "x.txt").write_text("\n".join(split.seen))
    config = FileEmbeddings(file=str(tmp_path / "x.npy"))
    check_embeddings_fit(config, SIGLIP)
    source = build_class_embeddings(config, clip_config=SIGLIP, split=split, clip=load_tiny("tiny-siglip"))
    assert source.embed(split.seen).shape == (len(split.seen), 32)
