"""What would make a run fail is said when the run is planned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.core.run_spec import RunSpec
from benchmark.planning.resolve import resolve
from methods.blocks.clip.assets import TOY_WEIGHTS


def plan(method: str, **overrides: Any) -> RunSpec:
    changes = {key.replace("__", "."): value for key, value in overrides.items()}
    return resolve(method, split="toybox", seed=0, overrides=changes)


def explain(method: str, **overrides: Any) -> str:
    with pytest.raises((KeyError, ValueError)) as caught:
        plan(method, **overrides)
    return str(caught.value.args[0])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"budget__batch_size": 1},
            "budget.batch_size=1 gives one image per forward pass, and batch norm in",
        ),
        ({"budget__batch_size": 2, "budget__micro_batches": 2}, "set budget.batch_size to 4 or more"),
        ({"body__channels": 64}, "body.weights=toy belong to a body with body.channels=96, given 64"),
        ({"body__encoder": "resnet18"}, "body.weights=toy belong to a body with body.encoder=tu-test_resnet"),
        ({"clip__model": "ViT-B-16"}, "clip.weights=toy belong to toy-ViT-8, and clip.model is ViT-B-16: set both"),
        ({"clip__model": "toy-Vit-8"}, "no open_clip model 'toy-Vit-8'; did you mean 'toy-ViT-8'?"),
        (
            {"clip__model": "RN50-quickgelu", "clip__weights": "random"},
            "uses CLIP's embeddings of patches, but the image encoder of RN50-quickgelu is a ResNet",
        ),
        ({"head__blocks": 9}, "head.blocks is 9, but this CLIP has only 3 blocks"),
        ({"body__weights": "gone.pt"}, "body.weights: gone.pt: there is no such file"),
        ({"body__depth": 9, "body__weights": None}, "depth should be in range"),
        ({"body__encoder": "resnet51", "body__weights": None}, "no encoder 'resnet51'; did you mean 'resnet5"),
    ],
)
def test_settings_that_cannot_be_built_or_trained_are_refused(overrides: dict[str, Any], message: str) -> None:
    assert message in explain("chimera_seg", **overrides)


def test_the_same_settings_are_accepted_where_nothing_is_trained() -> None:
    plan("chimera_seg", budget__batch_size=1, budget__iterations=0)


def test_a_clip_with_a_resnet_is_accepted_where_whole_images_are_embedded() -> None:
    plan("zsseg", clip__model="RN50-quickgelu", clip__weights="random")


def test_a_method_that_is_trained_needs_iterations_or_images_for_its_start() -> None:
    message = "budget.iterations=0: 'SPNet' is trained (600 iterations by default), and would be scored with random"
    assert explain("spnet", budget__iterations=0).startswith(message)
    plan("spnet", budget__iterations=0, budget__init_images=1)


def test_more_images_than_the_subset_has_are_refused() -> None:
    with pytest.raises(ValueError, match=r"max_images=401: subset 'test' of toybox has 400 images; give at most 400"):
        resolve("maskclip", split="toybox", seed=0, max_images=401)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            1601,
            "protocol trains on 1601 images, but subset 'train' of 'toybox' has 1600: give train_images at most 1600",
        ),
        ("some", "expected 'all', 'labeled', 'without unseen' or a whole number"),
    ],
)
def test_training_images_that_there_are_not_are_refused(images: int | str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve("maskclip", split="toybox", seed=0, overrides={"protocol.train_images": images})


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the file is empty"), (b"<html>", "it is a web page"), (b"version https://git-lfs", "pointer of Git LFS")],
)
def test_a_file_that_holds_no_weights_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(content)
    for key in ("clip__weights", "body__weights"):
        assert message in explain("chimera_seg", **{key: str(tmp_path / "a.pt")})


def test_weights_of_another_clip_are_refused(tmp_path: Path) -> None:
    torch.save({"visual.conv1.weight": torch.ones(64, 3, 16, 16)}, tmp_path / "a.pt")
    text = explain("maskclip", clip__weights=str(tmp_path / "a.pt"))
    assert "visual.conv1.weight of the file is (64, 3, 16, 16), the model's (128, 3, 8, 8)" in text
    plan("maskclip", clip__weights=str(TOY_WEIGHTS))


def test_weights_that_are_missing_are_answered_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    text = explain("maskclip", clip__model="ViT-B-16", clip__weights="laion2b_s34b_b88k")
    assert "cannot be downloaded" in text and "set clip.model=toy-ViT-8 and clip.weights=toy" in text


def test_an_ensemble_of_prompts_is_offered_to_be_averaged(tmp_path: Path) -> None:
    embeddings = write_embeddings(tmp_path, np.eye(192, 64, dtype=np.float32).reshape(32, 6, 64))
    message = "of shape (32, 6, 64): 6 prompts for each of 32 names; set class_embeddings.ensemble=mean to average them"
    assert message in explain("spnet", **embeddings)


def write_embeddings(folder: Path, array: Any) -> dict[str, Any]:
    np.save(folder / "a.npy", array)
    return {"class_embeddings": {"kind": "file", "file": str(folder / "a.npy"), "names": "toybox"}}


def test_embeddings_of_another_length_than_the_clips_are_refused(tmp_path: Path) -> None:
    embeddings = write_embeddings(tmp_path, np.eye(32, 32, dtype=np.float32))
    message = "has vectors of length 32, the embeddings of this CLIP have length 64"
    assert message in explain("chimera_seg", **embeddings)
    assert message in explain("maskclip", **embeddings)


def test_a_clip_that_is_not_loaded_is_not_checked(tmp_path: Path) -> None:
    embeddings = write_embeddings(tmp_path, np.eye(32, 32, dtype=np.float32))
    assert plan("spnet", clip__weights="gone.pt", **embeddings).method == "spnet"
    assert "gone.pt" in explain("spnet", clip__weights="gone.pt")
