"""Bodies from Detectron2's config files."""

from __future__ import annotations

import argparse
import pickle
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

pytest.importorskip("detectron2", reason="Detectron2 is not installed")

from benchmark.core.method import Method
from benchmark.core.trainable_state import get_trainable_state
from benchmark.planning.resolve import build, resolve
from methods.blocks.bodies import build_body
from methods.blocks.bodies.d2.body import D2Body
from methods.blocks.bodies.d2.config import D2BodyConfig
from tests.methods.blocks.bodies.d2.tiny_configs import FILES, write
from tests.methods.cases import SPLIT, training_batch


def _body(folder: Path, name: str = "resnet.yaml", *, seed: int = 0, **fields: Any) -> D2Body:
    torch.manual_seed(seed)
    body = build_body(D2BodyConfig(**({"config": write(folder, name), "weights": None} | fields)))
    assert isinstance(body, D2Body)
    return body


def _images(*, height: int, width: int) -> torch.Tensor:
    return 255 * torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1))


def _imagenet_file(folder: Path, body: D2Body, *, blocks: str = "", suffix: str = "pkl") -> Path:
    """Write weights of a backbone without pyramid, named as in Detectron2's zoo: no prefix, no statistics."""
    prefix = "backbone.bottom_up."
    state = {name.removeprefix(prefix): value for name, value in body.state_dict().items() if name.startswith(prefix)}
    tensors = {name: value for name, value in state.items() if name.startswith(blocks) and "running" not in name}
    file = folder / f"weights.{suffix}"
    if suffix == "pth":
        torch.save({"model": tensors}, file)
    else:
        arrays = {name: value.numpy() for name, value in tensors.items()}
        file.write_bytes(pickle.dumps({"model": arrays, "__author__": "a test", "matching_heuristics": True}))
    return file


@pytest.mark.parametrize("name", FILES)
def test_every_parameter_of_every_family_learns(tmp_path: Path, name: str) -> None:
    fields: dict[str, Any] = {"decoder": "fpn", "stride": 4} if name.endswith(".py") else {}
    body = _body(tmp_path, name, **fields).train()
    features = body(_images(height=32, width=64))
    assert features.shape == (2, body.channels, 8, 16)
    features.square().mean().backward()
    assert all(parameter.grad is not None for parameter in body.parameters())


@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("decoder", ["fpn", "deeplab"])
def test_a_decoder_has_the_requested_stride_and_width(tmp_path: Path, decoder: str, stride: int) -> None:
    body = _body(tmp_path, decoder=decoder, stride=stride, channels=64)
    assert body.eval()(_images(height=64, width=32)).shape == (2, 64, 64 // stride, 32 // stride)


def test_features_are_those_that_detectron2s_own_model_classifies(tmp_path: Path) -> None:
    from detectron2.config import get_cfg
    from detectron2.modeling import build_model

    body = _body(tmp_path).eval()
    cfg = get_cfg()
    cfg.merge_from_file(str(tmp_path / "resnet.yaml"))
    cfg.MODEL.DEVICE = "cpu"
    model = build_model(cfg).eval()
    model.load_state_dict(body.state_dict(), strict=False)
    images = _images(height=64, width=96)
    with torch.no_grad():
        theirs = model([{"image": image.flip(0), "height": 64, "width": 96} for image in images])  # BGR
        ours = F.interpolate(model.sem_seg_head.predictor(body(images)), scale_factor=4, mode="bilinear")
    torch.testing.assert_close(ours, torch.stack([prediction["sem_seg"] for prediction in theirs]))


def test_images_are_padded_with_the_mean_color(tmp_path: Path) -> None:
    body = _body(tmp_path).eval()
    images = _images(height=36, width=60)
    canvas = body.pixel_mean.flip(0).repeat(2, 1, 64, 64)
    canvas[:, :, :36, :60] = images
    torch.testing.assert_close(body(images), body(canvas)[:, :, :9, :15])


def test_images_that_are_no_multiple_of_the_stride_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"images are \(30, 32\), the body needs multiples of 4"):
        _body(tmp_path)(_images(height=30, width=32))


def test_the_semantic_head_of_a_config_keeps_its_stride(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"set body\.decoder to fpn or deeplab"):
        _body(tmp_path, stride=8)


def test_an_unavailable_stride_is_answered_with_the_available_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"features with strides 4, 16: body\.stride is 8"):
        _body(tmp_path, "deeplab.yaml", decoder="fpn")


def test_batch_norm_is_not_synchronized_over_processes(tmp_path: Path) -> None:
    kinds = {type(module) for module in _body(tmp_path, "deeplab.yaml").modules()}
    assert nn.BatchNorm2d in kinds and nn.SyncBatchNorm not in kinds


def test_an_unknown_config_is_answered_with_the_closest_match() -> None:
    with pytest.raises(KeyError, match=r"did you mean 'Misc/semantic_R_50_FPN_1x\.yaml'\?"):
        build_body(D2BodyConfig(config="Misc/semantic_R_50_FPN_9x.yaml"))


@pytest.mark.parametrize(("name", "text"), [("own.py", "optimizer = {}"), ("own.yaml", "MODEL: {NOBODY: 1}")])
def test_a_config_that_describes_no_body_is_refused_in_one_line(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=r"describes no body \(.*\): expected a backbone") as caught:
        build_body(D2BodyConfig(config=str(tmp_path / name)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["pkl", "pth"])
def test_pretrained_weights_are_loaded_into_the_backbone(tmp_path: Path, suffix: str) -> None:
    trained = _body(tmp_path)
    body = _body(tmp_path, seed=1, weights=str(_imagenet_file(tmp_path, trained, suffix=suffix)))
    new, old = dict(body.named_parameters()), dict(trained.named_parameters())
    same = {name for name in new if new[name].ndim == 4 and torch.equal(new[name], old[name])}
    assert same == {name for name in new if new[name].ndim == 4 and "bottom_up" in name}


def test_layers_are_frozen_only_if_weights_are_loaded(tmp_path: Path) -> None:
    random = _body(tmp_path)
    loaded = _body(tmp_path, weights=str(_imagenet_file(tmp_path, random)))
    assert not loaded.backbone.bottom_up.stem.conv1.weight.requires_grad
    assert all(parameter.requires_grad for parameter in random.parameters())


def test_weights_of_another_body_are_refused(tmp_path: Path) -> None:
    file = _imagenet_file(tmp_path, _body(tmp_path), blocks="res2")
    with pytest.raises(
        ValueError, match="holds 10 of the 69 parameters of this backbone: it belongs to another backbone"
    ):
        _body(tmp_path, weights=str(file))


def test_a_checkpoint_with_settings_of_its_training_code_is_read(tmp_path: Path) -> None:
    file = _imagenet_file(tmp_path, _body(tmp_path), suffix="pth")
    torch.save(torch.load(file, weights_only=True) | {"best": np.float64(3.5), "args": argparse.Namespace(lr=1)}, file)
    assert _body(tmp_path, weights=str(file)).backbone is not None


def test_a_web_page_is_refused_as_weights(tmp_path: Path) -> None:
    (tmp_path / "weights.pkl").write_text("<!DOCTYPE html>")
    with pytest.raises(ValueError, match=r"body\.weights: .*weights\.pkl: it is a web page"):
        _body(tmp_path, weights=str(tmp_path / "weights.pkl"))


@pytest.mark.parametrize("name", ["weights.pkl", "weights.pth"])
def test_a_broken_weight_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no weights at all")
    with pytest.raises(ValueError, match=r"does not hold weights that Detectron2 can read"):
        _body(tmp_path, weights=str(tmp_path / name))


def test_weights_that_cannot_be_downloaded_are_answered_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FVCORE_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match=r"cannot download http://localhost:9/a\.pkl .* set body\.weights to its path"):
        _body(tmp_path, weights="http://localhost:9/a.pkl")


def test_a_server_that_does_not_respond_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FVCORE_CACHE", str(tmp_path))
    monkeypatch.setattr("methods.blocks.bodies.d2.weights.RESPONSE_TIMEOUT_S", 0.2)
    with socket.create_server(("localhost", 0)) as server, pytest.raises(ValueError, match=r"timed out"):
        _body(tmp_path, weights=f"http://localhost:{server.getsockname()[1]}/a.pkl")
    assert socket.getdefaulttimeout() is None


def test_a_missing_weight_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no such file: .*missing\.pkl"):
        _body(tmp_path, weights=str(tmp_path / "missing.pkl"))


def _train_one_step(method: Method) -> Method:
    method.set_classes(SPLIT.seen)
    method.train()
    sum(method.losses(training_batch()).values()).backward()
    torch.optim.SGD([value for value in method.parameters() if value.requires_grad], lr=1.0).step()
    return method


@pytest.mark.parametrize("name", ["resnet.yaml", "deeplab.yaml"])
def test_a_checkpoint_holds_everything_that_training_changes(tmp_path: Path, name: str) -> None:
    weights = str(_imagenet_file(tmp_path, _body(tmp_path))) if name == "resnet.yaml" else None
    body = {"config": write(tmp_path, name), "weights": weights}
    method = build(resolve("spnet", split="toybox", seed=0, overrides={"body": body}))
    before = {key: value.clone() for key, value in method.state_dict().items()}
    after = _train_one_step(method).state_dict()
    changed = {key for key in after if not torch.equal(before[key], after[key])}
    assert changed and changed <= get_trainable_state(method).keys()
