"""Bodies from Detectron2's config files."""

from __future__ import annotations

import pickle
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

pytest.importorskip("detectron2", reason="Detectron2 is not installed")

from benchmark.core.method import Method
from benchmark.engine.checkpoint import get_trainable_state
from benchmark.planning.resolve import build, resolve
from methods.blocks.bodies.body import build_body
from methods.blocks.bodies.d2.body import D2Body, D2BodyConfig
from tests.methods.blocks.bodies.small_bodies import FILES, write
from tests.methods.cases import SPLIT, training_batch


def _body(folder: Path, name: str = "resnet.yaml", *, seed: int = 0, **fields: Any) -> D2Body:
    torch.manual_seed(seed)
    body = build_body(D2BodyConfig(**({"config": write(folder, name), "weights": None} | fields)))
    assert isinstance(body, D2Body)
    return body


def _images(*, height: int, width: int) -> torch.Tensor:
    return 255 * torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(1))


def _imagenet_file(folder: Path, body: D2Body, *, blocks: str = "", ending: str = "pkl") -> Path:
    """Weights of a backbone without pyramid, named as in Detectron2's zoo: no prefix, no statistics."""
    prefix = "backbone.bottom_up."
    state = {name.removeprefix(prefix): value for name, value in body.state_dict().items() if name.startswith(prefix)}
    given = {name: value for name, value in state.items() if name.startswith(blocks) and "running" not in name}
    file = folder / f"weights.{ending}"
    if ending == "pth":
        torch.save({"model": given}, file)
    else:
        arrays = {name: value.numpy() for name, value in given.items()}
        file.write_bytes(pickle.dumps({"model": arrays, "__author__": "a test", "matching_heuristics": True}))
    return file


@pytest.mark.parametrize("name", FILES)
def test_all_of_every_family_learns(tmp_path: Path, name: str) -> None:
    asked: dict[str, Any] = {"decoder": "fpn", "stride": 4} if name.endswith(".py") else {}
    body = _body(tmp_path, name, **asked).train()
    features = body(_images(height=32, width=64))
    assert features.shape == (2, body.channels, 8, 16)
    features.square().mean().backward()
    assert all(parameter.grad is not None for parameter in body.parameters())


@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("decoder", ["fpn", "deeplab"])
def test_a_decoder_gives_the_stride_and_width_asked_for(tmp_path: Path, decoder: str, stride: int) -> None:
    body = _body(tmp_path, decoder=decoder, stride=stride, channels=64)
    assert body.eval()(_images(height=64, width=32)).shape == (2, 64, 64 // stride, 32 // stride)


def test_features_are_what_detectron2s_own_model_classifies(tmp_path: Path) -> None:
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
    torch.testing.assert_close(ours, torch.stack([answer["sem_seg"] for answer in theirs]))


def test_images_of_any_size_are_filled_up_with_the_mean_colour(tmp_path: Path) -> None:
    body = _body(tmp_path).eval()
    images = _images(height=36, width=60)
    canvas = body.pixel_mean.flip(0).repeat(2, 1, 64, 64)
    canvas[:, :, :36, :60] = images
    torch.testing.assert_close(body(images), body(canvas)[:, :, :9, :15])


def test_images_that_split_a_feature_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"images are \(30, 32\), the body needs multiples of 4"):
        _body(tmp_path)(_images(height=30, width=32))


def test_the_semantic_head_of_a_config_keeps_its_stride(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"set body\.decoder to fpn or deeplab"):
        _body(tmp_path, stride=8)


def test_a_stride_that_no_feature_has_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"features every 4, 16 pixels: body\.stride is 8"):
        _body(tmp_path, "deeplab.yaml", decoder="fpn")


def test_batch_norm_sees_one_process_alone(tmp_path: Path) -> None:
    kinds = {type(module) for module in _body(tmp_path, "deeplab.yaml").modules()}
    assert nn.BatchNorm2d in kinds and nn.SyncBatchNorm not in kinds


def test_an_unknown_config_is_answered_with_the_nearest() -> None:
    with pytest.raises(KeyError, match=r"did you mean 'Misc/semantic_R_50_FPN_1x\.yaml'\?"):
        build_body(D2BodyConfig(config="Misc/semantic_R_50_FPN_9x.yaml"))


@pytest.mark.parametrize(("name", "text"), [("own.py", "optimizer = {}"), ("own.yaml", "MODEL: {NOBODY: 1}")])
def test_a_config_that_describes_no_body_is_refused_in_one_line(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=r"gives no body \(.*\): it needs a backbone") as caught:
        build_body(D2BodyConfig(config=str(tmp_path / name)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["pkl", "pth"])
def test_pretrained_weights_find_their_places_in_the_backbone(tmp_path: Path, ending: str) -> None:
    trained = _body(tmp_path)
    body = _body(tmp_path, seed=1, weights=str(_imagenet_file(tmp_path, trained, ending=ending)))
    new, old = dict(body.named_parameters()), dict(trained.named_parameters())
    same = {name for name in new if new[name].ndim == 4 and torch.equal(new[name], old[name])}
    assert same == {name for name in new if new[name].ndim == 4 and "bottom_up" in name}


def test_layers_are_frozen_only_where_weights_are_loaded(tmp_path: Path) -> None:
    random = _body(tmp_path)
    loaded = _body(tmp_path, weights=str(_imagenet_file(tmp_path, random)))
    assert not loaded.backbone.bottom_up.stem.conv1.weight.requires_grad
    assert all(parameter.requires_grad for parameter in random.parameters())


def test_weights_of_another_body_are_refused(tmp_path: Path) -> None:
    file = _imagenet_file(tmp_path, _body(tmp_path), blocks="res2")
    with pytest.raises(ValueError, match="holds 10 of the 69 parameters of this backbone: it belongs to another one"):
        _body(tmp_path, weights=str(file))


@pytest.mark.parametrize("name", ["weights.pkl", "weights.pth"])
def test_a_broken_file_of_weights_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"no weights at all")
    with pytest.raises(ValueError, match=r"does not hold weights that Detectron2 can read"):
        _body(tmp_path, weights=str(tmp_path / name))


def test_weights_out_of_reach_are_answered_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FVCORE_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match=r"cannot fetch http://localhost:9/a\.pkl .* give its path as body\.weights"):
        _body(tmp_path, weights="http://localhost:9/a.pkl")


def test_a_silent_address_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FVCORE_CACHE", str(tmp_path))
    monkeypatch.setattr("methods.blocks.bodies.d2.weights.ANSWER_SECONDS", 0.2)
    with socket.create_server(("localhost", 0)) as server, pytest.raises(ValueError, match=r"timed out"):
        _body(tmp_path, weights=f"http://localhost:{server.getsockname()[1]}/a.pkl")
    assert socket.getdefaulttimeout() is None


def test_a_file_of_weights_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no file .*missing\.pkl"):
        _body(tmp_path, weights=str(tmp_path / "missing.pkl"))


def _trained(method: Method) -> Method:
    method.set_classes(SPLIT.seen)
    method.train()
    sum(method.losses(training_batch()).values()).backward()
    torch.optim.SGD([one for one in method.parameters() if one.requires_grad], lr=1.0).step()
    return method


@pytest.mark.parametrize("name", ["resnet.yaml", "deeplab.yaml"])
def test_a_checkpoint_holds_all_that_training_changes(tmp_path: Path, name: str) -> None:
    weights = str(_imagenet_file(tmp_path, _body(tmp_path))) if name == "resnet.yaml" else None
    body = {"config": write(tmp_path, name), "weights": weights}
    method = build(resolve("spnet", split="toybox", seed=0, overrides={"body": body}))
    before = {key: value.clone() for key, value in method.state_dict().items()}
    after = _trained(method).state_dict()
    changed = {key for key in after if not torch.equal(before[key], after[key])}
    assert changed and changed <= get_trainable_state(method).keys()
