"""Methods under Detectron2's names: its contract, its configs, and weights that go from its runs to ours and back."""

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
from benchmark.d2.catalogs.mapper import SplitMapper
from benchmark.d2.evaluator import CountsEvaluator
from benchmark.d2.models.architectures import add_chimera_config, build, register_method, register_methods
from benchmark.d2.models.contract import MetaArchitecture
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.engine.checkpoint import get_trainable_state
from benchmark.engine.fabric import FabricEngine
from benchmark.engine.optimizer import make_optimizer
from benchmark.engine.training_step import clip_gradients, set_learning_rate
from benchmark.planning.registry import describe, method_names
from benchmark.planning.resolve import split_of
from tests.engine.runs import METHOD, fit, same_state, small_spec, toybox

TOYBOX = load_split("toybox")


def small(variant: str = "Small", **changes: Any) -> MetaArchitecture:
    """The small method of `small_spec`."""
    settings: dict[str, Any] = {"seed": 3, "device": "cpu"} | changes
    return build(f"{METHOD}/{variant}", split="toybox", **settings)


def given(count: int = 2, *, labels: int = 0) -> list[dict[str, Any]]:
    """Dicts as a mapper of Detectron2 makes them, of noise."""
    noise = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, 8, 8), generator=noise, dtype=torch.uint8)
    return [{"image": image, "sem_seg": torch.full((8, 8), labels)} for image in images]


def trained(model: MetaArchitecture, steps_done: int = 12) -> None:
    """Train as a run of `small_spec` does, in a loop that knows nothing of the suite."""
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
            clip_gradients(model.parameters(), max_norm=budget.clip_norm, iteration=iteration)
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
    names = {f"{name}/{label}" for name in method_names() for label in describe(name).variants}
    assert names | set(method_names()) <= {name for name, _ in META_ARCH_REGISTRY}


def test_a_method_is_registered_without_running_its_code(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("VARIANTS = {'a': 1, 'b/c': 2}\nRECIPE = Recipe(title='Broken')\nraise RuntimeError\n")
    register_method(str(path))
    assert f"{path}/b/c" in META_ARCH_REGISTRY


def test_a_broken_method_keeps_no_other_from_being_registered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = tmp_path / "broken.py", tmp_path / "whole.py"
    broken.write_text("VARIANTS =")
    whole.write_text("VARIANTS = {'a': 1}\nRECIPE = Recipe(title='Whole')\n")
    monkeypatch.setattr("benchmark.d2.models.architectures.method_names", lambda: [str(broken), str(whole)])
    register_methods()
    assert str(whole) in META_ARCH_REGISTRY and "broken.py is not valid Python" in caplog.text


def test_a_config_says_everything_of_a_model() -> None:
    occasion = build_model(small_config()).occasion
    assert occasion.setting.split.name == "toybox" and occasion.setting.variant == "SPNet"
    assert (occasion.seed, occasion.iterations, occasion.image_format) == (5, 7, "RGB")


def test_a_config_may_override_settings_of_the_method() -> None:
    cfg = small_config()
    add_chimera_config(cfg)
    cfg.CHIMERA.OVERRIDES, cfg.CHIMERA.PROTOCOL = ["body.weights=null", "protocol.train.crop=32"], "zsseg"
    setting = build_model(cfg).occasion.setting
    assert setting.config.model_dump()["body"]["weights"] is None
    assert (setting.protocol.name, setting.protocol.train.crop) == ("zsseg", 32)


@pytest.mark.parametrize("names", [(), ("coco_2017_train",)])
def test_a_model_is_built_for_a_split_or_not_at_all(names: tuple[str, ...]) -> None:
    cfg = small_config(DATASETS__TRAIN=names, DATASETS__TEST=())
    with pytest.raises(ValueError, match="a method is built for a split, so expected its parts"):
        build_model(cfg)


def test_in_training_there_are_losses_among_seen_classes() -> None:
    model = small()
    with EventStorage(0):
        losses = model(given())
    assert set(losses) == {"classify", "remember"} and model.method.names == TOYBOX.seen


def test_in_evaluation_there_are_scores_of_all_classes_at_the_size_that_is_asked_for() -> None:
    model = build("spnet", split="toybox", device="cpu").eval()
    asked = [one | {"height": 5, "width": 11} for one in given(2)]
    with torch.no_grad():
        answers = [answer["sem_seg"] for answer in model(asked)]
    assert [tuple(answer.shape) for answer in answers] == [(20, 5, 11)] * 2


def test_what_is_drawn_for_an_image_does_not_depend_on_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    model = small().eval()
    monkeypatch.setattr(model.method, "predict", lambda batch: [{"sem_seg": torch.rand(3)} for _ in batch])
    one, other = (sample | {"image_id": name} for name, sample in zip("ab", given(), strict=True))
    together, alone = model([one, other]), model([other])
    assert together[1]["sem_seg"].equal(alone[0]["sem_seg"]) and not together[0]["sem_seg"].equal(alone[0]["sem_seg"])


def test_training_again_after_an_evaluation_knows_seen_classes_only() -> None:
    model = small()
    model.eval()
    assert model.method.names == TOYBOX.classes
    assert model.train().method.names == TOYBOX.seen


def test_blue_may_come_first() -> None:
    one, other = small().eval(), small(image_format="BGR").eval()
    flipped = [sample | {"image": sample["image"].flip(0)} for sample in given()]
    for answer, expected in zip(other(flipped), one(given()), strict=True):
        assert answer["sem_seg"].equal(expected["sem_seg"])


def test_an_image_format_that_is_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match=r"image format 'YUV-BT.601': expected one of RGB, BGR"):
        small(image_format="YUV-BT.601")


def test_labels_that_are_not_of_the_training_part_are_refused() -> None:
    with EventStorage(0), pytest.raises(ValueError, match="labels 17 to 17, expected 0 to 14"):
        small()(given(labels=17))


def test_a_training_image_without_labels_is_refused() -> None:
    with EventStorage(0), pytest.raises(ValueError, match="training image '0' has no 'sem_seg'"):
        small()([{"image": given(1)[0]["image"]}])


def test_pixels_to_be_filled_are_asked_for_where_the_protocol_fills_some() -> None:
    model = build("spnet", split="toybox", protocol="zegclip-transductive", device="cpu")
    with EventStorage(0), pytest.raises(ValueError, match=r"no 'unlabelled': .*SplitMapper"):
        model(given())


def test_training_longer_than_was_said_is_refused() -> None:
    with EventStorage(12), pytest.raises(ValueError, match="iteration 12 of a training of 12"):
        small()(given())


def test_trained_in_any_loop_it_becomes_what_a_run_makes_of_it(tmp_path: Path) -> None:
    model = small()
    trained(model)
    assert same_state(model.method, fit(small_spec(), tmp_path / "checkpoint.pt"))


def test_its_state_is_what_a_checkpoint_of_a_run_holds() -> None:
    model = small()
    state = model.state_dict()
    assert state.keys() == get_trainable_state(model.method).keys() and not any("color_map" in name for name in state)


def test_a_run_is_scored_by_detectron2_to_the_last_pixel(tmp_path: Path) -> None:
    spec, path = small_spec(), tmp_path / "checkpoint.pt"
    method = fit(spec, path)
    method.set_classes(TOYBOX.classes)
    view = EvalLoader(toybox(), split_of(spec), protocol=spec.protocol, max_images=3)
    expected = FabricEngine().evaluate(
        method, view, classes=TOYBOX.classes, seen=TOYBOX.is_seen, gamma=0.0, observe=lambda _: None
    )
    model, evaluator = small(), CountsEvaluator("chimera_toybox_test")
    DetectionCheckpointer(model).load(str(path))
    records = DatasetCatalog.get("chimera_toybox_test")[:3]
    loader = build_detection_test_loader(records, mapper=SplitMapper("chimera_toybox_test"), batch_size=2)
    inference_on_dataset(model, loader, evaluator)
    assert evaluator.counts == expected


def test_weights_of_detectron2_fit_our_method(tmp_path: Path) -> None:
    model = small()
    trained(model, 2)
    DetectionCheckpointer(model, str(tmp_path)).save("model")
    state = torch.load(tmp_path / "model.pth", weights_only=True)["model"]
    method = small().method
    assert not method.load_state_dict(state, strict=False).unexpected_keys
    assert same_state(method, model.method)


def test_state_goes_through_a_wrapper_as_well() -> None:
    class Wrapper(nn.Module):
        def __init__(self, module: nn.Module) -> None:
            super().__init__()
            self.module = module

    model, other = small(), small(seed=4)
    state = Wrapper(model).state_dict()
    assert state.keys() == {f"module.{name}" for name in get_trainable_state(model.method)}
    assert not same_state(model.method, other.method)
    Wrapper(other).load_state_dict(state)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())


def test_a_copy_has_a_state_of_its_own() -> None:
    model = small()
    other = copy.deepcopy(model)
    with torch.no_grad():
        model.method.rows.zero_()
    other.load_state_dict(other.state_dict())
    assert other.state_dict()["rows"].any() and not model.state_dict()["rows"].any()


@pytest.mark.parametrize("variant", ["Small", "drop 0.5, wide"])
def test_weights_of_something_else_are_refused(variant: str) -> None:
    state = small(variant, overrides={"width": 3}).state_dict()
    del state["rows"]
    state["colums"] = torch.zeros(2)
    with pytest.raises(ValueError, match=r"do not fit 'Small': rows is missing, colums is not its \(2 in all\)"):
        small().load_state_dict(state)


def test_training_images_are_looked_at_before_the_first_iteration() -> None:
    model = small()
    assert not model.method.mean.any()
    with EventStorage(0):
        model(given())
    assert model.method.mean.any()


def test_no_training_image_is_looked_at_where_weights_were_loaded() -> None:
    model = small()
    model.load_state_dict(small(seed=4).state_dict())
    with EventStorage(0):
        model(given())
    assert not model.method.mean.any()


def test_a_plain_default_trainer_trains_it_and_goes_on(tmp_path: Path) -> None:
    cfg = small_config(OUTPUT_DIR=str(tmp_path), SOLVER__MAX_ITER=2, DATASETS__TEST=())
    DefaultTrainer(cfg).train()
    cfg.SOLVER.MAX_ITER = 3
    trainer = DefaultTrainer(cfg)
    trainer.resume_or_load(resume=True)
    assert trainer.start_iter == 2
    trainer.train()
    assert (tmp_path / "last_checkpoint").read_text() == "model_final.pth"
