"""Tests of configs for Detectron2's own programs: their values are those of a run of the benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

pytest.importorskip("detectron2", reason="Detectron2 is not installed")

import benchmark.d2.register  # noqa: F401  # first, as it loads Detectron2 without its warnings

# isort: split
from detectron2.config import CfgNode, LazyConfig, get_cfg, instantiate
from detectron2.data.detection_utils import build_augmentation
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.solver import build_lr_scheduler
from torch import nn

from benchmark.core.budget import Budget
from benchmark.core.split import list_splits
from benchmark.d2.configs.config_request import ConfigRequest, list_architectures, list_datasets, make_request
from benchmark.d2.configs.lazy import format_lazy_config
from benchmark.d2.configs.solver import build_adamw
from benchmark.d2.configs.yacs import format_yacs_config
from benchmark.d2.models.architectures import add_chimera_config
from benchmark.engine.optimizer import compute_learning_rate, make_optimizer
from benchmark.planning.registry import describe_method, list_methods
from tests.cli.shell import run_command

Fields = dict[str, Any]
NO_SGD = "chimera_seg/no SGD"


def request_for(method: str = "chimera_seg", *, split: str = "toybox", **fields: Any) -> ConfigRequest:
    return make_request(method, split=split, out=Path("given.yaml"), **fields)


def load_yacs(request: ConfigRequest) -> CfgNode:
    """Load a yacs config as Detectron2 does, with our node if the config has it."""
    values = yaml.safe_load(format_yacs_config(request))
    cfg = get_cfg()
    if "CHIMERA" in values:
        add_chimera_config(cfg)
    cfg.merge_from_other_cfg(CfgNode(values))
    return cfg


def load_lazy(request: ConfigRequest, folder: Path) -> Any:
    (folder / "given.py").write_text(format_lazy_config(request))
    return LazyConfig.load(str(folder / "given.py"))


def budget_of(request: ConfigRequest) -> Budget:
    return Budget(**request.setting.budget.model_dump())


def test_a_yacs_config_can_be_loaded_by_the_default_config(tmp_path: Path) -> None:
    (tmp_path / "given.yaml").write_text(format_yacs_config(request_for("chimera_seg/no sgd", seed=3)))
    cfg = get_cfg()
    cfg.merge_from_file(str(tmp_path / "given.yaml"))
    assert (cfg.MODEL.META_ARCHITECTURE, cfg.SEED, cfg.OUTPUT_DIR) == (NO_SGD, 3, "output/given")
    assert (cfg.DATASETS.TRAIN, cfg.DATASETS.TEST) == (("chimera_toybox_train",), ("chimera_toybox_test",))


@pytest.mark.parametrize("split", list_splits())
def test_configs_of_every_split_contain_registered_names_only(split: str, tmp_path: Path) -> None:
    request = request_for("maskclip", split=split)  # not trained: needs no labels that Detectron2's mapper cannot read
    cfg, config = load_yacs(request), load_lazy(request, tmp_path)
    assert {*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST} <= set(list_datasets())
    assert config.dataloader.train.dataset.names in list_datasets()
    assert cfg.MODEL.META_ARCHITECTURE == config.model.method in list_architectures()


def test_every_variant_of_every_method_is_an_architecture() -> None:
    assert set(list_architectures()) <= {name for name, _ in META_ARCH_REGISTRY}
    assert len(list_architectures()) == sum(1 + len(describe_method(name).variants) for name in list_methods())


def test_a_yacs_config_has_the_values_of_the_budget() -> None:
    solver, budget = load_yacs(request_for(overrides=["budget.clip_norm=0.5"])).SOLVER, budget_of(request_for())
    assert (budget.iterations, budget.batch_size) == (solver.MAX_ITER, solver.IMS_PER_BATCH)
    assert (budget.learning_rate, budget.weight_decay) == (solver.BASE_LR, solver.WEIGHT_DECAY)
    assert solver.CLIP_GRADIENTS.CLIP_VALUE == 0.5


def test_a_yacs_config_has_our_node_only_for_overrides_without_a_field() -> None:
    assert "CHIMERA" not in yaml.safe_load(format_yacs_config(request_for(overrides=["budget.iterations=7"])))
    cfg = load_yacs(request_for(overrides=["budget.iterations=7", "sgd.bank=12"], protocol="zs3"))
    assert (cfg.CHIMERA.OVERRIDES, cfg.CHIMERA.PROTOCOL) == (["sgd.bank=12"], "zs3")


def test_the_schedule_of_a_yacs_config_differs_by_the_documented_amount() -> None:
    request = request_for()
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=request.setting.budget.learning_rate)
    rates = build_lr_scheduler(load_yacs(request), optimizer)._multiplier
    budget = budget_of(request)
    steps, warmup = budget.iterations, request.warmup
    ours = [compute_learning_rate(budget, step) / budget.learning_rate for step in range(steps)]
    differences = [our - rates(step / steps) for step, our in enumerate(ours)]
    assert f"up to {max(differences):.1%} of BASE_LR lower" in format_yacs_config(request)
    assert warmup > 1 and max(differences) > 0.02
    assert max(map(abs, differences[warmup:])) < 1e-12


@pytest.mark.parametrize("warmup", [0, 0.05, 1])
def test_the_schedule_of_a_lazy_config_is_that_of_the_benchmark(warmup: float, tmp_path: Path) -> None:
    request = request_for(overrides=[f"budget.warmup={warmup}", "budget.iterations=40"])
    rates, budget = instantiate(load_lazy(request, tmp_path).lr_multiplier), budget_of(request)
    theirs = [budget.learning_rate * rates(step / 40) for step in range(40)]
    assert theirs == pytest.approx([compute_learning_rate(budget, step) for step in range(40)])
    rates(1.0)  # Detectron2 asks for this value after the last step


def test_a_warm_up_of_the_whole_training_does_not_divide_by_zero_in_a_yacs_config() -> None:
    cfg = load_yacs(request_for(overrides=["budget.warmup=1"]))
    scheduler = build_lr_scheduler(cfg, torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0))
    assert scheduler._multiplier(1.0) == 0


def test_line_breaks_in_overrides_do_not_end_the_comment(tmp_path: Path) -> None:
    request = request_for(overrides=["sgd.bank=12\n# and = more"])
    assert (
        load_lazy(request, tmp_path).model.overrides == load_yacs(request).CHIMERA.OVERRIDES == list(request.overrides)
    )


def test_images_of_the_plain_protocol_keep_their_size() -> None:
    cfg = load_yacs(request_for())
    for is_train in (True, False):
        resize, *flips = build_augmentation(cfg, is_train)
        assert resize.short_edge_length in ((0,), (0, 0)) and len(flips) == is_train


def test_crops_of_a_protocol_that_resizes_first_fit_into_the_square() -> None:
    size = load_yacs(request_for(split="voc12")).INPUT  # zegclip: 512 crops at 0.5 to 2 times 512
    assert (size.MIN_SIZE_TRAIN, size.MAX_SIZE_TRAIN) == ((512,), 512)
    assert (size.CROP.ENABLED, size.CROP.TYPE, size.CROP.SIZE) == (True, "relative_range", [0.5, 0.5])


@pytest.mark.parametrize(
    ("resize", "expected"),
    [
        ("{kind: short sides, sides: [20, 30], longest: 90}", ((20, 30), "choice", 90)),
        ("{kind: ratio, short_side: 20, long_side: 40, low: 0.5, high: 2}", ((10, 40), "range", 80)),
    ],
)
def test_protocols_without_crops_use_detectron2s_sizes(resize: str, expected: Any) -> None:
    size = load_yacs(request_for(overrides=[f"protocol.train.resize={resize}"])).INPUT
    assert expected == (size.MIN_SIZE_TRAIN, size.MIN_SIZE_TRAIN_SAMPLING, size.MAX_SIZE_TRAIN)
    assert not size.CROP.ENABLED


def test_protocols_without_resizing_use_absolute_crops() -> None:
    size = load_yacs(request_for(overrides=["protocol.train.crop=32", "protocol.train.flip=false"])).INPUT
    assert (size.CROP.TYPE, size.CROP.SIZE, size.MIN_SIZE_TRAIN, size.RANDOM_FLIP) == (
        "absolute",
        [32, 32],
        (0,),
        "none",
    )


def test_evaluation_images_have_the_size_of_the_protocol() -> None:
    size = load_yacs(request_for("maskclip", split="voc12", protocol="zsseg")).INPUT
    assert (size.MIN_SIZE_TEST, size.MAX_SIZE_TEST) == (512, 2048)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"split": "ade20k_847"}, "labels of more than 8 bits"),
        ({"overrides": ["protocol.setting=transductive"]}, "needs the mask of pixels to fill"),
        ({"method": "pacl"}, "'pacl/PACL' is trained with captions"),
        ({"method": "clip_points"}, "'clip_points/CLIP points' is trained with points"),
        ({"method": "clip_es"}, "'clip_es/CLIP-ES' is scored with tags"),
    ],
)
def test_what_detectron2s_mapper_does_not_support_needs_a_lazy_config(fields: Fields, message: str) -> None:
    request = request_for(**fields)
    assert "SplitMapper" in format_lazy_config(request)
    with pytest.raises(ValueError, match=rf"{message}.*--out FILE\.py"):
        format_yacs_config(request)


def test_overrides_reach_the_model_and_the_mappers_of_a_lazy_config(tmp_path: Path) -> None:
    changes = ["sgd.bank=12", "protocol.train={crop: 24, flip: false}"]
    config = load_lazy(request_for(overrides=changes), tmp_path)
    assert config.model.overrides == config.dataloader.train.mapper.overrides == changes
    record = instantiate(config.dataloader.train.dataset)[0]
    assert instantiate(config.dataloader.train.mapper)(record)["image"].shape == (3, 24, 24)
    config.model.device = "cpu"
    assert instantiate(config.model).method.distillation.bank.vectors.shape[0] == 12


def test_a_lazy_config_has_the_gamma_of_the_protocol(tmp_path: Path) -> None:
    assert load_lazy(request_for(split="voc12"), tmp_path).dataloader.evaluator.gamma == 0.1


def test_the_length_of_a_lazy_config_is_a_single_value(tmp_path: Path) -> None:
    config = LazyConfig.apply_overrides(load_lazy(request_for(), tmp_path), ["train.max_iter=4"])
    assert config.model.iterations == 4


def test_the_optimizer_is_the_benchmarks_and_clips_the_norm_of_all_gradients() -> None:
    model = nn.Linear(2, 2)
    optimizer = build_adamw(params={"model": model}, lr=0.1, weight_decay=0.3, clip_norm=1.0)
    ours = make_optimizer(model, Budget(learning_rate=0.1, weight_decay=0.3))
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]
    assert [group["params"] for group in optimizer.param_groups] == [group["params"] for group in ours.param_groups]
    (100 * model(torch.ones(1, 2)).sum()).backward()
    optimizer.step()
    assert torch.cat([parameter.grad.flatten() for parameter in model.parameters()]).norm() == pytest.approx(1)


def test_a_model_without_trainable_parameters_has_no_optimizer() -> None:
    with pytest.raises(ValueError, match="--eval-only"):
        build_adamw(params={"model": nn.ReLU()}, lr=0.1, weight_decay=0, clip_norm=1.0)


@pytest.mark.parametrize(
    ("method", "fields", "message"),
    [
        ("spnett", {}, "did you mean 'spnet'"),
        ("spnet", {"split": "toybx"}, "did you mean 'toybox'"),
        ("chimera_seg/no SDG", {}, "did you mean 'no SGD'"),
        ("chimera_seg", {"overrides": ["sgd.bnk=1"]}, "did you mean 'sgd.bank'"),
        ("chimera_seg", {"overrides": ["sgd"]}, "not KEY=VALUE"),
        ("mine.py", {}, "method 'mine.py' is a file"),
        ("spnet", {"split": "mine.yaml"}, "split 'mine.yaml' is a file"),
        ("spnet", {"split": "toybox@3-s0-00"}, "is drawn, .*: write its file into the folder of splits"),
    ],
)
def test_invalid_requests_are_refused(method: str, fields: Fields, message: str) -> None:
    with pytest.raises((KeyError, ValueError), match=message):
        request_for(method, **fields)


@pytest.mark.parametrize("name", ["given.yaml", "given.py"])
def test_the_command_writes_a_file_that_contains_the_command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    code, out, _ = run_command(capsys, "d2", "config", NO_SGD, "--set", "sgd=null", "--seed", "3", "--out", str(file))
    assert (code, out) == (0, f"{file}\n")
    command = f"chimera-bench d2 config '{NO_SGD}' --split toybox --seed 3 --set sgd=null --out {name}"
    assert file.read_text().splitlines()[1] == f"# Made by: {command}"


@pytest.mark.parametrize(
    ("name", "message"),
    [("given", "expected a file name that ends with .yaml or .py"), ("there.py", "already exists")],
)
def test_the_command_refuses_other_suffixes_and_existing_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "there.py").write_text("mine = 1\n")
    code, out, err = run_command(capsys, "d2", "config", "spnet", "--out", str(tmp_path / name))
    assert (code, out) == (1, "") and message in err and err.count("\n") == 1
    assert (tmp_path / "there.py").read_text() == "mine = 1\n"


def test_the_command_lists_all_registered_names(capsys: pytest.CaptureFixture[str]) -> None:
    listed = json.loads(run_command(capsys, "d2", "list", "--json").out)
    assert (listed["architectures"], listed["datasets"]) == (list_architectures(), list_datasets())
    out = run_command(capsys, "d2", "list").out
    assert all(f"  {name}\n" in out for name in list_architectures())
    assert "  chimera_toybox_test: evaluation subset of toybox, 32 classes\n" in out
