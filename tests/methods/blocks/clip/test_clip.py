"""CLIP's weights: found, recognised, loaded whole or refused."""

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

from methods.blocks.clip import weights
from methods.blocks.clip.checkpoint import OPENAI_EXTRAS, read_checkpoint
from methods.blocks.clip.config import TOY_MODEL, Clip, ClipConfig, load_clip
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.clip.weights import ANSWER_SECONDS, Pretraining, find_weights, listed, recognise

State = Mapping[str, Tensor]
HALF = (0.5, 0.5, 0.5)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return load_clip(ClipConfig(model=TOY_MODEL, weights="random")).state_dict()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights, and a tag "mine" of the toy model, as if open_clip listed it."""
    load_clip(ClipConfig(model=TOY_MODEL, weights="random"))  # the architecture is known from here on
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
    known = listed(TOY_MODEL, "mine")
    assert known is not None
    return known


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


def test_misspelt_model_names_the_nearest() -> None:
    with pytest.raises(KeyError, match="did you mean 'ViT-B-16'"):
        load_clip(ClipConfig(model="ViT-B16"))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("RN50", "no plain ViT"),
        ("ViT-B-16-SigLIP", "no plain ViT"),
        ("coca_ViT-B-32", "no plain ViT"),
        ("ViT-H-14-CLIPA", "no_ln_pre"),
        ("ViT-H-14-worldwide", "tokenizer of its own"),
    ],
)
def test_towers_that_would_be_taken_apart_wrongly_are_refused(model: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        load_clip(ClipConfig(model=model, weights="random"))


def test_wrong_activation_is_an_error_before_anything_is_fetched() -> None:
    with pytest.raises(ValueError, match=r"differ in their activation function.*QuickGELU.*'ViT-B-16-quickgelu'"):
        load_clip(ClipConfig(model="ViT-B-16", weights="openai"))


def test_a_tag_of_the_sibling_with_the_other_activation_says_so() -> None:
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
def test_a_known_file_with_the_other_activation_is_refused_unread(name: str, tag: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"not read")
    assert recognise(file).tag == tag
    with pytest.raises(ValueError, match="differ in their activation function"):
        load_clip(ClipConfig(model="ViT-B-16", weights=str(file)))


def test_a_renamed_file_is_not_recognised(tmp_path: Path) -> None:
    assert recognise(tmp_path / "mine.pt") is None
    assert recognise(tmp_path / "open_clip_model.safetensors") is None


def test_openais_archive_is_known_under_any_name(state: State, tmp_path: Path) -> None:
    extras = {name: torch.tensor(24) for name in OPENAI_EXTRAS}
    archive = _archive({**state, **extras}, tmp_path / "mine.pt")
    assert read_checkpoint(archive).tensors.keys() == state.keys()
    with pytest.raises(ValueError, match=r"differ in their activation function.*QuickGELU"):
        _toy(archive)


def test_missing_weight_file_says_what_was_given() -> None:
    with pytest.raises(ValueError, match=r"no weights for toy-ViT-16 'nowhere\.pt'.*no such file"):
        load_clip(ClipConfig(model=TOY_MODEL, weights="nowhere.pt"))


@pytest.mark.parametrize("ending", [".safetensors", ".pt"])
@pytest.mark.parametrize("content", [b"", b"\x10\x00", b"hello, I am a text\n" * 9, bytes(range(256))])
def test_a_file_that_is_no_checkpoint_is_one_clear_line(ending: str, content: bytes, tmp_path: Path) -> None:
    broken = tmp_path / f"clip{ending}"
    broken.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot load weights: .*clip") as caught:
        _toy(broken)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["safetensors", "state dict", "archive"])
def test_a_file_cut_short_is_one_clear_line(kind: str, state: State, tmp_path: Path) -> None:
    file = FORMATS[kind](state, tmp_path)
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="cut short or no checkpoint"):
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
    with pytest.raises(ValueError, match="holds no tensors by name"):
        _toy(_saved(content, tmp_path / "a.pt"))


def test_weights_of_another_architecture_are_refused(state: State, tmp_path: Path) -> None:
    other = {**state, "visual.proj": torch.zeros(128, 32)}
    with pytest.raises(ValueError, match=r"visual\.proj of the file is \(128, 32\), the model's \(128, 64\)"):
        _toy(_saved(other, tmp_path / "a.safetensors"))


def test_positions_of_another_image_size_are_refused_not_resized(state: State, tmp_path: Path) -> None:
    other = {**state, "visual.positional_embedding": torch.zeros(1 + 9, 128)}
    with pytest.raises(ValueError, match=r"positional_embedding of the file is \(10, 128\), the model's \(17, 128\)"):
        _toy(_saved(other, tmp_path / "a.safetensors"))


def test_a_partial_file_is_refused(state: State, tmp_path: Path) -> None:
    some = {name: value for name, value in state.items() if name != "visual.proj"} | {"more": torch.ones(1)}
    with pytest.raises(ValueError, match=r"1 of \d+ tensors are missing \(first visual\.proj\), 1 .* \(first more\)"):
        _toy(_saved(some, tmp_path / "a.safetensors"))


def test_weights_that_are_not_finite_are_refused(state: State, tmp_path: Path) -> None:
    other = {**state, "ln_final.bias": torch.full((48,), torch.nan)}
    with pytest.raises(ValueError, match=r"ln_final\.bias holds numbers that are not finite"):
        _toy(_saved(other, tmp_path / "a.safetensors"))


@pytest.mark.parametrize("ending", [".safetensors", ".pt", ".bin"])
def test_the_users_folder_comes_first(ending: str, state: State, folder: Path) -> None:
    file = _saved(state, folder / f"{TOY_MODEL}.mine{ending}")
    assert find_weights(_mine()) == file
    assert torch.equal(load_clip(ClipConfig(model=TOY_MODEL, weights="mine")).visual.proj, state["visual.proj"])


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_what_the_hub_gave_before_is_found_in_its_layout(name: str, state: State, folder: Path) -> None:
    repository, commit = folder / "models--people--mine", "0" * 40
    for part in ("refs", f"snapshots/{commit}"):
        (repository / part).mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    file = _saved(state, repository / "snapshots" / commit / name)
    assert find_weights(_mine()) == file


def test_pixel_statistics_are_those_of_the_weights(state: State, folder: Path) -> None:
    _saved(state, folder / f"{TOY_MODEL}.mine.pt")
    trunk = ClipImageEncoder(load_clip(ClipConfig(model=TOY_MODEL, weights="mine")).visual)
    assert (trunk.mean, trunk.std) == (HALF, HALF)
    assert ClipImageEncoder(load_clip(ClipConfig(model=TOY_MODEL, weights="random")).visual).mean != HALF


def test_without_network_and_file_one_line_says_what_to_fetch_and_where_to_put_it(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHIMERA_BENCH_WEIGHTS", str(tmp_path))
        with pytest.raises(ValueError, match="cannot be fetched") as caught:
            load_clip(ClipConfig(model="ViT-B-16", weights="laion2b_s34b_b88k"))
    line = str(caught.value)
    needed = ["laion/CLIP-ViT-B-16-laion2B-s34B-b88K", "open_clip_model.safetensors", f"{tmp_path}/ViT-B-16.laion2b"]
    assert all(part in line for part in needed) and "\n" not in line


@pytest.mark.parametrize("name", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
def test_the_file_that_the_repository_has_is_fetched(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(url: str, *, timeout: float) -> None:
        if not url.endswith(f"/{name}"):
            raise EntryNotFoundError("not there")

    monkeypatch.setattr(weights, "get_hf_file_metadata", asked)
    monkeypatch.setattr(weights, "hf_hub_download", lambda repository, file, *, cache_dir: f"{cache_dir}/{file}")
    assert find_weights(_mine()) == folder / name


def test_a_download_that_breaks_off_is_not_taken_for_a_missing_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks_off(repository: str, file: str, *, cache_dir: Path) -> None:
        raise LocalEntryNotFoundError("the line went dead")

    monkeypatch.setattr(weights, "get_hf_file_metadata", lambda url, *, timeout: None)
    monkeypatch.setattr(weights, "hf_hub_download", breaks_off)
    with pytest.raises(ValueError, match="the line went dead"):
        find_weights(_mine())


def test_the_hub_is_asked_once_with_a_limit_before_any_download(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def silent(url: str, *, timeout: float) -> None:
        asked.append(timeout)
        raise TimeoutError("nobody answers")

    monkeypatch.setattr(weights, "get_hf_file_metadata", silent)
    monkeypatch.setattr(weights, "hf_hub_download", lambda *_, **__: pytest.fail("a download was begun"))
    with pytest.raises(ValueError, match="nobody answers"):
        find_weights(_mine())
    assert asked == [ANSWER_SECONDS]
