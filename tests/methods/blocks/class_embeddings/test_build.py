"""Class embeddings of a method, from a text encoder or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmark.core.method import Config
from benchmark.core.split import Split
from benchmark.core.train_split import make_train_split
from benchmark.planning.resolve import build, resolve
from methods.blocks.class_embeddings import FileEmbeddings, build_class_embeddings
from methods.blocks.class_embeddings import build as module
from methods.blocks.clip import ClipConfig, load_clip
from methods.blocks.dense_clip import DenseClipConfig
from methods.blocks.toy import TOY_CLIP_CONFIG
from methods.chimera_seg import ChimeraConfig
from methods.spnet import SpNetConfig
from tests.methods.blocks.class_embeddings.vectors import (
    NAMES,
    SPLIT,
    UNIT,
    exchange_rows,
    make_families,
    write_file,
    write_toy_file,
)
from tests.methods.cases import prediction_batch


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path / "cache"))


def _resolve_spnet(embeddings: dict[str, Any]) -> Any:
    overrides = {"class_embeddings": embeddings, "body.weights": None}
    return resolve("spnet", split="toybox", seed=0, overrides=overrides)


def _predict(method: Any) -> list[Tensor]:
    method.set_classes(SPLIT.classes)
    with torch.no_grad():
        return [prediction["sem_seg"] for prediction in method.eval().predict(prediction_batch())]


def test_a_file_that_lacks_a_class_of_the_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="'grass'"):
        _resolve_spnet({"kind": "file", "file": write_file(tmp_path, UNIT, NAMES)})


def test_a_run_is_refused_if_its_file_has_changed_since_it_was_planned(tmp_path: Path) -> None:
    spec = _resolve_spnet({"kind": "file", "file": write_toy_file(tmp_path)})
    assert len(spec.config["class_embeddings"]["sha256"]) == 64
    assert build(spec).text.dimension == 64
    exchange_rows(spec.config["class_embeddings"]["file"], 0, 1)
    with pytest.raises(ValueError, match="have changed since this run was planned"):
        build(spec)


def test_a_missing_file_is_refused_when_the_run_is_planned() -> None:
    with pytest.raises(ValueError, match=r"embedding file nowhere\.npy cannot be read"):
        _resolve_spnet({"kind": "file", "file": "nowhere.npy"})


@pytest.mark.parametrize("config", [SpNetConfig, DenseClipConfig, ChimeraConfig])
def test_the_former_name_of_the_config_key_is_answered_with_the_current_one(config: type[Config]) -> None:
    with pytest.raises(ValueError, match="'words' is now called 'class_embeddings'"):
        config.model_validate({"words": {"kind": "file", "file": "x.npy"}})


def test_spnet_with_embeddings_from_a_file_loads_no_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_toy_file(tmp_path, order=range(31, -1, -1))
    monkeypatch.setattr(module, "load_clip", lambda config: pytest.fail("a CLIP was loaded"))
    method = build(_resolve_spnet({"kind": "file", "file": file}))
    assert [len(logits) for logits in _predict(method)] == [32, 32]


@pytest.mark.parametrize("method", ["maskclip", "chimera_seg"])
def test_embeddings_from_a_file_predict_like_the_text_encoder_that_wrote_them(method: str, tmp_path: Path) -> None:
    file = write_toy_file(tmp_path, order=range(31, -1, -1))
    overrides: dict[str, Any] = {} if method == "maskclip" else {"body.weights": None}
    encoded = build(resolve(method, split="toybox", seed=0, overrides=overrides))
    overrides |= {"class_embeddings": {"kind": "file", "file": file}}
    read = build(resolve(method, split="toybox", seed=0, overrides=overrides))
    for expected, actual in zip(_predict(encoded), _predict(read), strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("method", ["maskclip", "chimera_seg"])
def test_two_exchanged_rows_are_detected_by_the_text_encoder(method: str, tmp_path: Path) -> None:
    embeddings = {"kind": "file", "file": exchange_rows(write_toy_file(tmp_path), 3, 7)}
    expected = r"row 3, 'brick wall', is most similar to this CLIP's embedding of 'gravel'.*2 of 32"
    with pytest.raises(ValueError, match=expected):
        build(resolve(method, split="toybox", seed=0, overrides={"class_embeddings": embeddings}))
    trusted, random = {**embeddings, "order": "trusted"}, {"clip.weights": "random"}
    build(resolve(method, split="toybox", seed=0, overrides={"class_embeddings": trusted}))
    build(resolve(method, split="toybox", seed=0, overrides={"class_embeddings": embeddings, **random}))


def test_embeddings_of_another_length_than_clips_are_refused(tmp_path: Path) -> None:
    file = write_file(tmp_path, np.eye(32, dtype=np.float32), SPLIT.classes)
    config = ClipConfig(model="toy-ViT-8", weights="random")
    with pytest.raises(ValueError, match="vectors of length 32, the embeddings of this CLIP have length 64"):
        build_class_embeddings(
            FileEmbeddings(file=file, order="trusted"),
            clip_config=config,
            split=make_train_split(SPLIT),
            clip=load_clip(config),
        )


def test_a_trusted_order_is_not_checked(tmp_path: Path) -> None:
    table = make_families(3, 5, 4, 7, 2, 6)
    file = write_file(tmp_path, np.roll(table.table.numpy(), 1, axis=0), table.names)
    split = make_train_split(Split(name="s", dataset="toybox", classes=table.names, unseen=()))
    build_class_embeddings(FileEmbeddings(file=file, order="trusted"), clip_config=TOY_CLIP_CONFIG, split=split)
    with pytest.raises(ValueError, match=r"class_embeddings\.order=trusted"):
        build_class_embeddings(FileEmbeddings(file=file), clip_config=TOY_CLIP_CONFIG, split=split)
