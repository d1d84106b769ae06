"""CLIP's weights: found, recognized, loaded completely or refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from safetensors.torch import save_file
from torch import Tensor, nn

from benchmark.core.budget import Budget
from methods.blocks.clip import weights
from methods.blocks.clip.assets import TOY_MODEL
from methods.blocks.clip.checkpoint import OPENAI_EXTRAS, read_checkpoint
from methods.blocks.clip.config import Clip, ClipConfig
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.clip.loading import load_clip
from methods.blocks.clip.weights import (
    RESPONSE_TIMEOUT_S,
    Pretraining,
    find_weights,
    look_up_pretraining,
    recognize_weights,
)

State = Mapping[str, Tensor]
HALF = (0.5, 0.5, 0.5)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return load_clip(ClipConfig(model=TOY_MODEL, weights="random")).state_dict()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of weights, and add a tag "mine" of the toy model to open_clip's table."""
    load_clip(ClipConfig(model=TOY_MODEL, weights="random"))  # registers the architecture
    table = {"url": "", "hf_hub": "people/mine/", "mean": HALF, "std": HALF}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, TOY_MODEL, {"mine": table})
    monkeypatch.setenv("CHIMERA_BENCH_WEIGHTS", str(tmp_path))
    return tmp_path


def _saved(state: Any, file: Path) -> Path:
    if file.suffix == ".safetensors":
        save_file({name: value.contiguous() for name, value in state.items()}, file)
    else:
        torch.save(state, file)
    return file


def _mine() -> Pretraining:
    pretraining = look_up_pretraining(TOY_MODEL, "mine")
    assert pretraining is not None
    return pretraining


class Part(nn.Module):
    """Tensors at dotted names, to be saved as an archive."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def _archive(state: State, file: Path) -> Path:
    whole = Part()
    for name, value in state.items():
        part: nn.Module = whole
        *inner, last = name.split(".")
        for step in inner:
            if not hasattr(part, step):
                part.add_module(step, Part())
            part = getattr(part, step)
        part.register_buffer(last, value)
    with pytest.warns(FutureWarning, match="deprecated"):
        torch.jit.script(whole).save(file)
    return file


def _toy(file: Path) -> Clip:
    return load_clip(ClipConfig(model=TOY_MODEL, weights=str(file)))


FORMATS: dict[str, Callable[[State, Path], Path]] = {
    "safetensors": lambda state, folder: _saved(state, folder / "a.safetensors"),
    "state dict": lambda state, folder: _saved(state, folder / "a.pt"),
    "parallel training": lambda state, folder: _saved(
        {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in state.items()}}, folder / "a.pt"
    ),
    "archive": lambda state, folder: _archive(state, folder / "a.pt"),
    "old temperature": lambda state, folder: _saved(
        {**state, "logit_scale": state["logit_scale"].reshape(1)}, folder / "a.bin"
    ),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_weights(kind: str, state: State, tmp_path: Path) -> None:
    loaded = _toy(FORMATS[kind](state, tmp_path)).state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


def test_half_precision_is_widened(state: State, tmp_path: Path) -> None:
    loaded = _toy(_saved({name: value.half() for name, value in state.items()}, tmp_path / "a.safetensors"))
    assert loaded.text_projection.dtype == torch.float32
    assert torch.equal(loaded.text_projection, state["text_projection"].half().float())


def test_random_weights_are_the_same_every_time(state: State) -> None:
    torch.rand(1)
    again = load_clip(ClipConfig(model=TOY_MODEL, weights="random")).state_dict()
    assert all(torch.equal(again[name], value) for name, value in state.items())


def test_a_misspelled_model_is_answered_with_the_closest_match() -> None:
    with pytest.raises(KeyError, match="did you mean 'ViT-B-16'"):
        load_clip(ClipConfig(model="ViT-B16"))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("convnext_base", r"no ViT image encoder \(convnext_base\)"),
        ("ViTamin-B", r"no ViT image encoder \(vitamin_base_224\)"),
        ("coca_ViT-B-32", r"\(attentional_pool, .*, output_tokens\), a multimodal decoder; choose another"),
        ("ViT-H-14-CLIPA", "no_ln_pre"),
        ("roberta-ViT-B-32", "the text encoder roberta-base of transformers"),
    ],
)
def test_unsupported_architectures_are_refused(model: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ClipConfig(model=model, weights="random").check_plan(Budget())
    with pytest.raises(ValueError, match=reason):
        load_clip(ClipConfig(model=model, weights="random"))


def test_a_wrong_activation_is_an_error_before_anything_is_downloaded() -> None:
    with pytest.raises(ValueError, match=r"differ in their activation function.*QuickGELU.*'ViT-B-16-quickgelu'"):
        load_clip(ClipConfig(model="ViT-B-16", weights="openai"))


def test_a_tag_of_the_architecture_with_the_other_activation_is_answered_with_it() -> None:
    with pytest.raises(ValueError, match=r"another activation function: they need model 'ViT-B-16'"):
        load_clip(ClipConfig(model="ViT-B-16-quickgelu", weights="laion2b_s34b_b88k"))


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("ViT-B-16.pt", "openai"),
        ("ViT-B-16-quickgelu.openai.bin", "openai"),
        ("models--timm--vit_base_patch16_clip_224.openai/snapshots/0a/open_clip_model.safetensors", "openai"),
        ("vit_base_patch16_clip_224.metaclip_400m/open_clip_model.safetensors", "metaclip_400m"),
        ("b16_400m.pt", "metaclip_400m"),
    ],
)
def test_a_recognized_file_with_the_other_activation_is_refused_unread(name: str, tag: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"not read")
    assert recognize_weights(file).tag == tag
    with pytest.raises(ValueError, match="differ in their activation function"):
        load_clip(ClipConfig(model="ViT-B-16", weights=str(file)))


def test_a_renamed_file_is_not_recognized(tmp_path: Path) -> None:
    assert recognize_weights(tmp_path / "mine.pt") is None
    assert recognize_weights(tmp_path / "open_clip_model.safetensors") is None


def test_openais_archive_is_recognized_under_any_name(state: State, tmp_path: Path) -> None:
    extras = {name: torch.tensor(24) for name in OPENAI_EXTRAS}
    archive = _archive({**state, **extras}, tmp_path / "mine.pt")
    assert read_checkpoint(archive).tensors.keys() == state.keys()
    with pytest.raises(ValueError, match=r"differ in their activation function.*QuickGELU"):
        _toy(archive)


def test_missing_weight_file_says_what_was_given() -> None:
    with pytest.raises(ValueError, match=r"no weights for toy-ViT-8 'nowhere\.pt'.*: toy, random; no such file"):
        load_clip(ClipConfig(model=TOY_MODEL, weights="nowhere.pt"))


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("content", [b"", b"\x10\x00", b"hello, I am a text\n" * 9, bytes(range(256))])
def test_a_file_that_is_no_checkpoint_is_refused_in_one_line(suffix: str, content: bytes, tmp_path: Path) -> None:
    broken = tmp_path / f"clip{suffix}"
    broken.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot load weights: .*clip") as caught:
        _toy(broken)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["safetensors", "state dict", "archive"])
def test_a_truncated_file_is_refused_in_one_line(kind: str, state: State, tmp_path: Path) -> None:
    file = FORMATS[kind](state, tmp_path)
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="truncated or no checkpoint"):
        _toy(file)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (tmp_path.joinpath("went off").write_text, ("x",))

    (tmp_path / "a.pt").write_bytes(pickle.dumps(Bomb(), protocol=2))
    with pytest.raises(ValueError, match="no checkpoint"):
        _toy(tmp_path / "a.pt")
    assert not (tmp_path / "went off").exists()


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {}])
def test_a_file_without_named_tensors_is_refused(content: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected tensors by name"):
        _toy(_saved(content, tmp_path / "a.pt"))


def test_weights_of_another_architecture_are_refused(state: State, tmp_path: Path) -> None:
    other = {**state, "visual.proj": torch.zeros(128, 32)}
    with pytest.raises(ValueError, match=r"visual\.proj of the file is \(128, 32\), the model's \(128, 64\)"):
        _toy(_saved(other, tmp_path / "a.safetensors"))


def test_positions_of_another_image_size_are_refused(state: State, tmp_path: Path) -> None:
    other = {**state, "visual.positional_embedding": torch.zeros(1 + 9, 128)}
    with pytest.raises(ValueError, match=r"positional_embedding of the file is \(10, 128\), the model's \(65, 128\)"):
        _toy(_saved(other, tmp_path / "a.safetensors"))


def test_a_partial_file_is_refused(state: State, tmp_path: Path) -> None:
    some = {name: value for name, value in state.items() if name != "visual.proj"} | {"more": torch.ones(1)}
    with pytest.raises(ValueError, match=r"1 of \d+ tensors are missing \(first visual\.proj\), 1 .* \(first more\)"):
        _toy(_saved(some, tmp_path / "a.safetensors"))


def test_weights_that_are_not_finite_are_refused(state: State, tmp_path: Path) -> None:
    other = {**state, "ln_final.bias": torch.full((48,), torch.nan)}
    with pytest.raises(ValueError, match=r"ln_final\.bias is not finite"):
        _toy(_saved(other, tmp_path / "a.safetensors"))


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".bin"])
def test_the_users_folder_comes_first(suffix: str, state: State, folder: Path) -> None:
    file = _saved(state, folder / f"{TOY_MODEL}.mine{suffix}")
    assert find_weights(_mine()) == file
    assert torch.equal(load_clip(ClipConfig(model=TOY_MODEL, weights="mine")).visual.proj, state["visual.proj"])


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_earlier_downloads_are_found_in_the_layout_of_the_hub(name: str, state: State, folder: Path) -> None:
    repository, commit = folder / "models--people--mine", "0" * 40
    for part in ("refs", f"snapshots/{commit}"):
        (repository / part).mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    file = _saved(state, repository / "snapshots" / commit / name)
    assert find_weights(_mine()) == file


def test_pixel_statistics_come_from_the_weights(state: State, folder: Path) -> None:
    _saved(state, folder / f"{TOY_MODEL}.mine.pt")
    encoder = ClipImageEncoder(load_clip(ClipConfig(model=TOY_MODEL, weights="mine")).visual)
    assert (encoder.mean, encoder.std) == (HALF, HALF)


def test_random_weights_have_the_pixel_statistics_that_all_listed_weights_share(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ClipConfig(model=TOY_MODEL, weights="random")
    assert ClipImageEncoder(load_clip(config).visual).mean == HALF
    other = {**open_clip.get_pretrained_cfg(TOY_MODEL, "mine"), "mean": (0.4, 0.4, 0.4)}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED[TOY_MODEL], "other", other)
    assert ClipImageEncoder(load_clip(config).visual).mean == open_clip.OPENAI_DATASET_MEAN


def test_without_network_one_line_says_what_to_download_and_where_to_save_it(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHIMERA_BENCH_WEIGHTS", str(tmp_path))
        with pytest.raises(ValueError, match="cannot be downloaded") as caught:
            load_clip(ClipConfig(model="ViT-B-16", weights="laion2b_s34b_b88k"))
    line = str(caught.value)
    parts = ["laion/CLIP-ViT-B-16-laion2B-s34B-b88K", "open_clip_model.safetensors", f"{tmp_path}/ViT-B-16.laion2b"]
    assert all(part in line for part in parts) and "\n" not in line


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_the_file_that_the_repository_has_is_downloaded(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def request(url: str, *, timeout: float) -> None:
        if not url.endswith(f"/{name}"):
            raise EntryNotFoundError("not there")

    monkeypatch.setattr(weights, "get_hf_file_metadata", request)
    monkeypatch.setattr(weights, "hf_hub_download", lambda repository, file, *, cache_dir: f"{cache_dir}/{file}")
    assert find_weights(_mine()) == folder / name


def test_a_download_that_fails_is_not_reported_as_a_missing_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(repository: str, file: str, *, cache_dir: Path) -> None:
        raise LocalEntryNotFoundError("connection lost")

    monkeypatch.setattr(weights, "get_hf_file_metadata", lambda url, *, timeout: None)
    monkeypatch.setattr(weights, "hf_hub_download", fail)
    with pytest.raises(ValueError, match="connection lost"):
        find_weights(_mine())


def test_one_request_with_a_timeout_precedes_a_download(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts: list[float] = []

    def never_respond(url: str, *, timeout: float) -> None:
        timeouts.append(timeout)
        raise TimeoutError("no response")

    monkeypatch.setattr(weights, "get_hf_file_metadata", never_respond)
    monkeypatch.setattr(weights, "hf_hub_download", lambda *_, **__: pytest.fail("a download was started"))
    with pytest.raises(ValueError, match="no response"):
        find_weights(_mine())
    assert timeouts == [RESPONSE_TIMEOUT_S]
