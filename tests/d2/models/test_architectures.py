"""Tests of methods as Detectron2 models: contract, configs, and weights that either side can load."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

pytest.importorskip("detectron2", reason="Detectron2 is not installed")

import benchmark.d2.register  # noqa: F401  # first, as it loads Detectron2 without its warnings

# isort: split
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import CfgNode, get_cfg
from detectron2.data import DatasetCatalog, build_detection_test_loader
from detectron2.engine import DefaultTrainer
from detectron2.evaluation import inference_on_dataset
from detectron2.modeling import META_ARCH_REGISTRY, build_model
from detectron2.utils.events import EventStorage

from benchmark.core.budget import Budget
from benchmark.core.split import load_split
from benchmark.core.trainable_state import get_trainable_state
from benchmark.core.types import Batch, Prediction
from benchmark.d2.catalogs.mapper import SplitMapper
from benchmark.d2.evaluator import CountsEvaluator
from benchmark.d2.models.architectures import add_chimera_config, build, register_method, register_methods
from benchmark.d2.models.contract import MetaArchitecture
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.engine.fabric import FabricEngine
from benchmark.engine.optimizer import make_optimizer
from benchmark.engine.training_step import clip_gradients, set_learning_rate
from benchmark.planning.registry import describe_method, list_methods
from benchmark.planning.resolve import load_split_of
from tests.engine.runs import METHOD, fit, same_state, small_spec, toybox

TOYBOX = load_split("toybox")


def build_small(variant: str = "Small", **changes: Any) -> MetaArchitecture:
    """Build the small method of `small_spec`."""
    settings: dict[str, Any] = {"seed": 3, "device": "cpu"} | changes
    return build(f"{METHOD}/{variant}", split="toybox", **settings)


def make_inputs(count: int = 2, *, labels: int = 0) -> list[dict[str, Any]]:
    """Return dicts of noise images, as one of Detectron2's mappers does."""
    noise = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, 8, 8), generator=noise, dtype=torch.uint8)
    return [{"image": image, "sem_seg": torch.full((8, 8), labels)} for image in images]


def train(model: MetaArchitecture, steps_done: int = 12) -> None:
    """Train as a run of `small_spec` does, in a loop of its own."""
    spec = small_spec()
    budget = Budget(**spec.budget.model_dump())
    data = TrainLoader(toybox(), TOYBOX, protocol=spec.protocol, batch_size=budget.batch_size, seed=spec.seed)
    optimizer = make_optimizer(model.method, budget)
    with EventStorage(0) as storage:
        for iteration, batch in enumerate(data.batches(0, steps_done)):
            losses = model([dict(sample) for sample in batch])
            optimizer.zero_grad()
            sum(losses.values()).backward()
            set_learning_rate(optimizer, budget=budget, iteration=iteration)
            clip_gradients(model.parameters(), max_norm=budget.clip_norm)
            optimizer.step()
            storage.step()


def small_config(**changes: Any) -> CfgNode:
    cfg = get_cfg()
    cfg.MODEL.META_ARCHITECTURE, cfg.MODEL.DEVICE, cfg.SEED, cfg.INPUT.FORMAT = "spnet", "cpu", 5, "RGB"
    cfg.DATASETS.TRAIN, cfg.DATASETS.TEST = ("chimera_toybox_train",), ("chimera_toybox_test",)
    cfg.SOLVER.MAX_ITER, cfg.SOLVER.STEPS, cfg.SOLVER.IMS_PER_BATCH = 7, (), 2
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.DATALOADER.NUM_WORKERS = (32,), 0
    for key, value in changes.items():
        cfg.merge_from_list([key.replace("__", "."), value])
    return cfg


def test_every_variant_of_every_method_is_registered() -> None:
    names = {f"{name}/{label}" for name in list_methods() for label in describe_method(name).variants}
    assert names | set(list_methods()) <= {name for name, _ in META_ARCH_REGISTRY}


def test_registering_a_method_does_not_run_its_code(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("VARIANTS = {'a': 1, 'b/c': 2}\nRECIPE = Recipe(title='Broken')\nraise RuntimeError\n")
    register_method(str(path))
    assert f"{path}/b/c" in META_ARCH_REGISTRY


def test_a_broken_method_is_skipped_when_all_are_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = tmp_path / "broken.py", tmp_path / "whole.py"
    broken.write_text("VARIANTS =")
    whole.write_text("VARIANTS = {'a': 1}\nRECIPE = Recipe(title='Whole')\n")
    monkeypatch.setattr("benchmark.d2.models.architectures.list_methods", lambda: [str(broken), str(whole)])
    register_methods()
    assert str(whole) in META_ARCH_REGISTRY and "broken.py is not valid Python" in caplog.text


def test_a_config_determines_the_setup_of_a_model() -> None:
    setup = build_model(small_config()).setup
    assert setup.setting.split.name == "toybox" and setup.setting.variant == "SPNet"
    assert (setup.seed, setup.iterations, setup.image_format) == (5, 7, "RGB")


def test_a_config_can_override_settings_of_the_method() -> None:
    cfg = small_config()
    add_chimera_config(cfg)
    cfg.CHIMERA.OVERRIDES, cfg.CHIMERA.PROTOCOL = ["body.weights=null", "protocol.train.crop=32"], "zsseg"
    setting = build_model(cfg).setup.setting
    assert setting.config.model_dump()["body"]["weights"] is None
    assert (setting.protocol.name, setting.protocol.train.crop) == ("zsseg", 32)


@pytest.mark.parametrize("names", [(), ("coco_2017_train",)])
def test_a_model_cannot_be_built_without_a_split(names: tuple[str, ...]) -> None:
    cfg = small_config(DATASETS__TRAIN=names, DATASETS__TEST=())
    with pytest.raises(ValueError, match="a method is built for a split, so expected its subsets"):
        build_model(cfg)


def test_training_mode_returns_losses_over_seen_classes() -> None:
    model = build_small()
    with EventStorage(0):
        losses = model(make_inputs())
    assert set(losses) == {"classify", "remember"} and model.method.names == TOYBOX.seen


def test_evaluation_mode_returns_scores_of_all_classes_at_the_requested_size() -> None:
    model = build("spnet", split="toybox", device="cpu").eval()
    inputs = [record | {"height": 5, "width": 11} for record in make_inputs(2)]
    with torch.no_grad():
        scores = [prediction["sem_seg"] for prediction in model(inputs)]
    assert [tuple(score.shape) for score in scores] == [(len(TOYBOX.classes), 5, 11)] * 2


def test_random_draws_for_an_image_do_not_depend_on_other_images(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build_small().eval()

    def predict(batch: Batch) -> list[Prediction]:
        return [{"sem_seg": torch.rand(1, sample["height"], sample["width"])} for sample in batch]

    monkeypatch.setattr(model.method, "predict", predict)
    first, second = (record | {"image_id": name} for name, record in zip("ab", make_inputs(), strict=True))
    together, alone = model([first, second]), model([second])
    assert together[1]["sem_seg"].equal(alone[0]["sem_seg"]) and not together[0]["sem_seg"].equal(alone[0]["sem_seg"])


def test_training_mode_after_evaluation_has_seen_classes_only() -> None:
    model = build_small()
    model.eval()
    assert model.method.names == TOYBOX.classes
    assert model.train().method.names == TOYBOX.seen


def test_images_can_be_bgr() -> None:
    rgb_model, bgr_model = build_small().eval(), build_small(image_format="BGR").eval()
    flipped = [sample | {"image": sample["image"].flip(0)} for sample in make_inputs()]
    for prediction, expected in zip(bgr_model(flipped), rgb_model(make_inputs()), strict=True):
        assert prediction["sem_seg"].equal(expected["sem_seg"])


def test_an_unknown_image_format_is_refused() -> None:
    with pytest.raises(ValueError, match=r"image format 'YUV-BT.601': expected one of RGB, BGR"):
        build_small(image_format="YUV-BT.601")


def test_labels_outside_the_seen_classes_are_refused() -> None:
    count = len(TOYBOX.seen)
    with EventStorage(0), pytest.raises(ValueError, match=f"labels {count} to {count}, expected 0 to {count - 1}"):
        build_small()(make_inputs(labels=count))


def test_a_training_image_without_labels_is_refused() -> None:
    with EventStorage(0), pytest.raises(ValueError, match="training image '0' has no 'sem_seg'"):
        build_small()([{"image": make_inputs(1)[0]["image"]}])


def test_only_methods_with_these_supervisions_get_captions_and_need_tags() -> None:
    given = [record | {"captions": ("a caption",), "tags": ("a tag",)} for record in make_inputs(1)]
    for method, keys in {"pacl_sup": (False, False), "pacl": (True, False), "clip_es": (False, True)}.items():
        model = build(method, split="toybox", device="cpu")
        trained, scored = (model.train(mode)._to_sample(given[0], 0) for mode in (True, False))
        assert ("captions" in trained, "tags" in scored) == keys and "tags" not in trained and "captions" not in scored
    with pytest.raises(ValueError, match=r"evaluation image '0' has no 'tags'.*SplitMapper with the name"):
        model(make_inputs(1))


def test_transductive_protocols_need_the_mask_of_pixels_to_fill() -> None:
    model = build("spnet", split="toybox", protocol="zegclip-transductive", device="cpu")
    with EventStorage(0), pytest.raises(ValueError, match=r"no 'unlabeled': .*SplitMapper"):
        model(make_inputs())


def test_training_longer_than_the_setup_is_refused() -> None:
    with EventStorage(12), pytest.raises(ValueError, match="iteration 12 of a training of 12"):
        build_small()(make_inputs())


def test_training_in_another_loop_gives_the_weights_of_a_run(tmp_path: Path) -> None:
    model = build_small()
    train(model)
    assert same_state(model.method, fit(small_spec(), tmp_path / "checkpoint.pt"))


def test_the_state_has_the_names_of_a_checkpoint_of_a_run() -> None:
    model = build_small()
    state = model.state_dict()
    assert state.keys() == get_trainable_state(model.method).keys() and not any("color_map" in name for name in state)


def test_detectron2_counts_a_run_exactly_as_our_engine_does(tmp_path: Path) -> None:
    spec, path = small_spec(), tmp_path / "checkpoint.pt"
    method = fit(spec, path)
    method.set_classes(TOYBOX.classes)
    loader = EvalLoader(toybox(), load_split_of(spec), protocol=spec.protocol, max_images=3)
    expected = FabricEngine().evaluate(
        method, loader, classes=TOYBOX.classes, seen=TOYBOX.is_seen, gamma=0.0, observe=lambda _: None
    )
    model, evaluator = build_small(), CountsEvaluator("chimera_toybox_test")
    DetectionCheckpointer(model).load(str(path))
    records = DatasetCatalog.get("chimera_toybox_test")[:3]
    batches = build_detection_test_loader(records, mapper=SplitMapper("chimera_toybox_test"), batch_size=2)
    inference_on_dataset(model, batches, evaluator)
    assert evaluator.counts == expected


def test_a_method_can_load_weights_saved_by_detectron2(tmp_path: Path) -> None:
    model = build_small()
    train(model, 2)
    DetectionCheckpointer(model, str(tmp_path)).save("model")
    state = torch.load(tmp_path / "model.pth", weights_only=True)["model"]
    method = build_small().method
    assert not method.load_state_dict(state, strict=False).unexpected_keys
    assert same_state(method, model.method)


def test_a_wrapper_module_can_save_and_load_the_state() -> None:
    class Wrapper(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

    model, other = build_small(), build_small(seed=4)
    state = Wrapper(model).state_dict()
    assert state.keys() == {f"module.{name}" for name in get_trainable_state(model.method)}
    assert not same_state(model.method, other.method)
    Wrapper(other).load_state_dict(state)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())


def test_a_copy_loads_its_own_state() -> None:
    model = build_small()
    other = copy.deepcopy(model)
    with torch.no_grad():
        model.method.rows.zero_()
    other.load_state_dict(other.state_dict())
    assert other.state_dict()["rows"].any() and not model.state_dict()["rows"].any()


@pytest.mark.parametrize("variant", ["Small", "drop 0.5, wide"])
def test_weights_of_another_model_are_refused(variant: str) -> None:
    state = build_small(variant, overrides={"width": 3}).state_dict()
    del state["rows"]
    state["colums"] = torch.zeros(2)
    with pytest.raises(ValueError, match=r"do not fit 'Small': rows is missing, colums is unknown \(2 in all\)"):
        build_small().load_state_dict(state)


def test_the_method_is_initialized_before_the_first_iteration() -> None:
    model = build_small()
    assert not model.method.mean.any()
    with EventStorage(0):
        model(make_inputs())
    assert model.method.mean.any()


def test_the_method_is_not_initialized_if_weights_were_loaded() -> None:
    model = build_small()
    model.load_state_dict(build_small(seed=4).state_dict())
    with EventStorage(0):
        model(make_inputs())
    assert not model.method.mean.any()


def test_a_plain_default_trainer_trains_and_resumes(tmp_path: Path) -> None:
    cfg = small_config(OUTPUT_DIR=str(tmp_path), SOLVER__MAX_ITER=2, DATASETS__TEST=())
    DefaultTrainer(cfg).train()
    cfg.SOLVER.MAX_ITER = 3
    trainer = DefaultTrainer(cfg)
    trainer.resume_or_load(resume=True)
    assert trainer.start_iter == 2
    trainer.train()
    assert (tmp_path / "last_checkpoint").read_text() == "model_final.pth"
