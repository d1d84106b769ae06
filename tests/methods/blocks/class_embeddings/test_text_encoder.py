"""Class embeddings from CLIP's text encoder, their cache, and the text bank."""

from __future__ import annotations

import copy
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.prompts import Prompts
from methods.blocks.class_embeddings import TextBank
from methods.blocks.class_embeddings import text_encoder as module
from methods.blocks.class_embeddings.text_encoder import ClipTextEncoder, encode_class_names
from methods.blocks.clip import ClipConfig, load_clip
from methods.blocks.clip.config import Clip

SINGLE = Prompts(templates=("a photo of {}",))
SEVERAL = Prompts(templates=("a photo of {}", "{}", "many {} in the scene"))


@pytest.fixture(scope="module")
def clip() -> Clip:
    return load_clip(ClipConfig(model="toy-ViT-8", weights="random"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _encode_with_open_clip(clip: Clip, texts: list[str]) -> Tensor:
    """Encode texts as open_clip's examples do."""
    tokens = open_clip.SimpleTokenizer(context_length=clip.context_length)(texts)
    with torch.no_grad():
        return F.normalize(clip.encode_text(tokens), dim=-1)


def test_one_template_equals_open_clip_bit_for_bit(clip: Clip) -> None:
    vectors = encode_class_names(clip, ["grass", "a ball"], prompts=SINGLE)
    assert torch.equal(vectors, _encode_with_open_clip(clip, ["a photo of grass", "a photo of a ball"]))


def test_several_templates_are_averaged_as_unit_vectors(clip: Clip) -> None:
    vectors = encode_class_names(clip, ["grass", "ball"], prompts=SEVERAL)
    for vector, name in zip(vectors.numpy(), ["grass", "ball"], strict=True):
        texts = [f"a photo of {name}", name, f"many {name} in the scene"]
        mean = np.mean([_encode_with_open_clip(clip, [text])[0].numpy() for text in texts], axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)


def test_synonyms_are_averaged_if_the_prompts_say_so(clip: Clip) -> None:
    prompts = Prompts(templates=("{}",), aliases={"x": "ball, sphere"}, synonyms="averaged")
    vectors = encode_class_names(clip, ["x"], prompts=prompts)
    torch.testing.assert_close(
        vectors[0], F.normalize(_encode_with_open_clip(clip, ["ball", "sphere"]).mean(dim=0), dim=0)
    )


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_the_batch_size_changes_only_the_last_bits(batch: int, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["grass", "ball", "sea", "a house"]
    at_once = encode_class_names(clip, names, prompts=SEVERAL)
    encode = Mock(wraps=clip.encode_text)
    monkeypatch.setattr(module, "BATCH", batch)
    monkeypatch.setattr(clip, "encode_text", encode)
    torch.testing.assert_close(encode_class_names(clip, names, prompts=SEVERAL), at_once, rtol=0, atol=1e-6)
    sizes = [len(call.args[0]) for call in encode.call_args_list]
    assert max(sizes) == batch and sum(sizes) == 12


def test_embeddings_have_no_gradient_and_ignore_mixed_precision(clip: Clip) -> None:
    trained = copy.deepcopy(clip).requires_grad_(True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        vectors = encode_class_names(trained, ["grass"], prompts=SINGLE)
    assert not vectors.requires_grad
    assert torch.equal(vectors, encode_class_names(clip, ["grass"], prompts=SINGLE))


def test_the_class_of_a_text_that_is_too_long_is_named(clip: Clip) -> None:
    whole, cut = " ".join(["sea"] * 22), " ".join(["sea"] * 23)  # with start and end, texts of 24 and of 25 tokens
    assert torch.equal(
        encode_class_names(clip, [whole], prompts=Prompts(templates=("{}",))), _encode_with_open_clip(clip, [whole])
    )
    with pytest.raises(ValueError, match=r"class 'the deep': .* longer than the 24 tokens"):
        encode_class_names(clip, ["grass", "the deep"], prompts=Prompts(templates=("{}",), aliases={"the deep": cut}))


def test_a_class_without_a_text_is_named(clip: Clip) -> None:
    prompts = Prompts(aliases={"nothing": " , "}, synonyms="averaged")
    with pytest.raises(ValueError, match="class 'nothing' has no text"):
        encode_class_names(clip, ["grass", "nothing"], prompts=prompts)


def test_cached_vectors_are_bit_identical_to_computed_ones(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    computed = ClipTextEncoder(clip, SEVERAL).embed(["grass", "ball"])
    encoder = ClipTextEncoder(copy.deepcopy(clip), SEVERAL)
    assert encoder._identity == ClipTextEncoder(clip, SINGLE)._identity
    monkeypatch.setattr(module, "encode_class_names", lambda *_, **__: pytest.fail("computed again"))
    cached = encoder.embed(["grass", "ball"])
    assert cached.dtype == computed.dtype and torch.equal(cached, computed)


def test_each_vocabulary_and_set_of_prompts_has_its_own_cache_entry(clip: Clip, cache: Path) -> None:
    vocabularies = [["grass", "ball"], ["ball", "grass"], ["grass"]]
    for names in vocabularies:
        vectors = ClipTextEncoder(clip, SINGLE).embed(names)
        torch.testing.assert_close(vectors, _encode_with_open_clip(clip, [f"a photo of {name}" for name in names]))
    ClipTextEncoder(clip, SEVERAL).embed(["grass"])
    assert len(list(cache.glob("class_embeddings/*"))) == 4


def test_texts_of_two_classes_and_two_texts_of_one_class_have_different_cache_entries(clip: Clip) -> None:
    joined = Prompts(templates=("{}",), aliases={"a": "ball", "b": "sea"})
    assert not torch.equal(
        ClipTextEncoder(clip, joined).embed(["a", "b"])[0],
        ClipTextEncoder(clip, Prompts(templates=("{}",), aliases={"a": "ball, sea"}, synonyms="averaged")).embed(["a"])[
            0
        ],
    )


def test_a_single_changed_weight_changes_the_identity(clip: Clip) -> None:
    other = copy.deepcopy(clip)
    other.token_embedding.weight[7, 7] += 1  # of a token that does not occur in any text
    assert ClipTextEncoder(clip, SINGLE)._identity != ClipTextEncoder(other, SINGLE)._identity


def test_the_image_encoder_does_not_change_the_identity(clip: Clip) -> None:
    other = copy.deepcopy(clip)
    other.visual.proj += 1
    assert ClipTextEncoder(clip, SINGLE)._identity == ClipTextEncoder(other, SINGLE)._identity


def test_another_activation_function_changes_the_identity(clip: Clip) -> None:
    other = copy.deepcopy(clip)
    for block in other.transformer.resblocks:
        block.mlp.gelu = open_clip.transformer.QuickGELU()
    assert ClipTextEncoder(clip, SINGLE)._identity != ClipTextEncoder(other, SINGLE)._identity


def test_a_broken_cache_file_is_written_again(clip: Clip, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    computed = ClipTextEncoder(clip, SINGLE).embed(["grass"])
    (file,) = cache.glob("class_embeddings/*")
    file.write_bytes(file.read_bytes()[:-1])
    assert torch.equal(ClipTextEncoder(clip, SINGLE).embed(["grass"]), computed)
    assert "is broken" in caplog.text


def test_the_bank_holds_the_embeddings_of_the_last_vocabulary(clip: Clip) -> None:
    bank = TextBank(ClipTextEncoder(clip, SINGLE))
    bank.set_classes(["grass"])
    bank.set_classes(["sea", "ball"])
    torch.testing.assert_close(bank(), _encode_with_open_clip(clip, ["a photo of sea", "a photo of ball"]))
    assert bank.dimension == bank().shape[1] == 64


def test_the_text_encoder_is_no_part_of_the_method(clip: Clip) -> None:
    assert not list(TextBank(ClipTextEncoder(clip, SINGLE)).parameters())


def test_a_bank_without_a_vocabulary_says_what_to_do(clip: Clip) -> None:
    with pytest.raises(RuntimeError, match="set_classes"):
        TextBank(ClipTextEncoder(clip, SINGLE))()


def test_an_empty_vocabulary_is_refused(clip: Clip) -> None:
    with pytest.raises(ValueError, match="empty"):
        TextBank(ClipTextEncoder(clip, SINGLE)).set_classes([])
