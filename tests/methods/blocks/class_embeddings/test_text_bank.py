"""Words from CLIP's text tower, what is kept of them, and the text bank."""

from __future__ import annotations

import copy
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.core.prompts import Prompts
from methods.blocks.class_embeddings import text_bank as module
from methods.blocks.class_embeddings.text_bank import TextBank, Tower, encode_names
from methods.blocks.clip.config import Clip, ClipConfig, load_clip

PICTURE = Prompts(templates=("a picture of {}",))
SEVERAL = Prompts(templates=("a picture of {}", "{}", "many {} in the scene"))


@pytest.fixture(scope="module")
def clip() -> Clip:
    return load_clip(ClipConfig(model="toy-ViT-16", weights="random"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path / "kept"))
    return tmp_path / "kept"


def _plain(clip: Clip, texts: list[str]) -> Tensor:
    """Unit vectors of texts as open_clip's own examples make them."""
    tokens = open_clip.SimpleTokenizer(context_length=clip.context_length)(texts)
    with torch.no_grad():
        return F.normalize(clip.encode_text(tokens), dim=-1)


def test_one_template_equals_open_clip_bit_for_bit(clip: Clip) -> None:
    found = encode_names(clip, ["grass", "a ball"], prompts=PICTURE)
    assert torch.equal(found, _plain(clip, ["a picture of grass", "a picture of a ball"]))


def test_several_templates_are_averaged_as_unit_vectors(clip: Clip) -> None:
    found = encode_names(clip, ["grass", "ball"], prompts=SEVERAL)
    for vector, name in zip(found.numpy(), ["grass", "ball"], strict=True):
        texts = [f"a picture of {name}", name, f"many {name} in the scene"]
        mean = np.mean([_plain(clip, [text])[0].numpy() for text in texts], axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-6)


def test_synonyms_are_averaged_where_the_prompts_say_so(clip: Clip) -> None:
    prompts = Prompts(templates=("{}",), wording={"x": "ball, sphere"}, synonyms="averaged")
    found = encode_names(clip, ["x"], prompts=prompts)
    torch.testing.assert_close(found[0], F.normalize(_plain(clip, ["ball", "sphere"]).mean(dim=0), dim=0))


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_batches_change_nothing_but_the_last_bits(batch: int, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["grass", "ball", "sea", "a house"]
    at_once = encode_names(clip, names, prompts=SEVERAL)
    encode = Mock(wraps=clip.encode_text)
    monkeypatch.setattr(module, "BATCH", batch)
    monkeypatch.setattr(clip, "encode_text", encode)
    torch.testing.assert_close(encode_names(clip, names, prompts=SEVERAL), at_once, rtol=0, atol=1e-6)
    sizes = [len(call.args[0]) for call in encode.call_args_list]
    assert max(sizes) == batch and sum(sizes) == 12


def test_no_gradient_is_kept_and_mixed_precision_is_off(clip: Clip) -> None:
    trained = copy.deepcopy(clip).requires_grad_(True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = encode_names(trained, ["grass"], prompts=PICTURE)
    assert not found.requires_grad
    assert torch.equal(found, encode_names(clip, ["grass"], prompts=PICTURE))


def test_a_text_that_would_be_cut_names_its_class(clip: Clip) -> None:
    whole, cut = " ".join(["sea"] * 22), " ".join(["sea"] * 23)  # with its two marks, a text of 24 tokens, and of 25
    assert torch.equal(encode_names(clip, [whole], prompts=Prompts(templates=("{}",))), _plain(clip, [whole]))
    with pytest.raises(ValueError, match=r"class 'the deep': .* longer than the 24 tokens"):
        encode_names(clip, ["grass", "the deep"], prompts=Prompts(templates=("{}",), wording={"the deep": cut}))


def test_a_class_without_a_text_is_named(clip: Clip) -> None:
    prompts = Prompts(wording={"nothing": " , "}, synonyms="averaged")
    with pytest.raises(ValueError, match="class 'nothing' has no text"):
        encode_names(clip, ["grass", "nothing"], prompts=prompts)


def test_kept_vectors_are_the_computed_ones_bit_for_bit(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    computed = Tower(clip, SEVERAL).vectors(["grass", "ball"])
    tower = Tower(copy.deepcopy(clip), SEVERAL)
    assert tower._identity == Tower(clip, PICTURE)._identity
    monkeypatch.setattr(module, "encode_names", lambda *_, **__: pytest.fail("computed again"))
    kept = tower.vectors(["grass", "ball"])
    assert kept.dtype == computed.dtype and torch.equal(kept, computed)


def test_other_texts_are_other_vectors(clip: Clip, cache: Path) -> None:
    vocabularies = [["grass", "ball"], ["ball", "grass"], ["grass"]]
    for names in vocabularies:
        found = Tower(clip, PICTURE).vectors(names)
        torch.testing.assert_close(found, _plain(clip, [f"a picture of {name}" for name in names]))
    Tower(clip, SEVERAL).vectors(["grass"])
    assert len(list(cache.glob("words/*"))) == 4


def test_one_text_each_and_two_texts_together_are_kept_apart(clip: Clip) -> None:
    joined = Prompts(templates=("{}",), wording={"a": "ball", "b": "sea"})
    assert not torch.equal(
        Tower(clip, joined).vectors(["a", "b"])[0],
        Tower(clip, Prompts(templates=("{}",), wording={"a": "ball, sea"}, synonyms="averaged")).vectors(["a"])[0],
    )


def test_one_other_weight_is_another_tower(clip: Clip) -> None:
    other = copy.deepcopy(clip)
    other.token_embedding.weight[7, 7] += 1  # of a token that none of the texts holds
    assert Tower(clip, PICTURE)._identity != Tower(other, PICTURE)._identity


def test_the_image_tower_does_not_matter(clip: Clip) -> None:
    other = copy.deepcopy(clip)
    other.visual.proj += 1
    assert Tower(clip, PICTURE)._identity == Tower(other, PICTURE)._identity


def test_the_same_weights_with_another_activation_are_another_tower(clip: Clip) -> None:
    other = copy.deepcopy(clip)
    for block in other.transformer.resblocks:
        block.mlp.gelu = open_clip.transformer.QuickGELU()
    assert Tower(clip, PICTURE)._identity != Tower(other, PICTURE)._identity


def test_a_broken_file_is_made_again(clip: Clip, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    computed = Tower(clip, PICTURE).vectors(["grass"])
    (file,) = cache.glob("words/*")
    file.write_bytes(file.read_bytes()[:-1])
    assert torch.equal(Tower(clip, PICTURE).vectors(["grass"]), computed)
    assert "is broken" in caplog.text


def test_bank_holds_the_words_of_the_last_vocabulary(clip: Clip) -> None:
    bank = TextBank(Tower(clip, PICTURE))
    bank.set_classes(["grass"])
    bank.set_classes(["sea", "ball"])
    torch.testing.assert_close(bank(), _plain(clip, ["a picture of sea", "a picture of ball"]))
    assert bank.dimension == bank().shape[1] == 64


def test_text_tower_is_no_part_of_the_method(clip: Clip) -> None:
    assert not list(TextBank(Tower(clip, PICTURE)).parameters())


def test_bank_without_a_vocabulary_says_what_to_do(clip: Clip) -> None:
    with pytest.raises(RuntimeError, match="set_classes"):
        TextBank(Tower(clip, PICTURE))()


def test_empty_vocabulary_is_refused(clip: nn.Module) -> None:
    with pytest.raises(ValueError, match="empty"):
        TextBank(Tower(clip, PICTURE)).set_classes([])
