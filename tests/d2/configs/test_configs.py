"""Configs for Detectron2's own programs: their numbers are those of a run of the suite."""

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
from benchmark.core.split import split_names
from benchmark.d2.configs.configs import Choice, architectures, choose, datasets
from benchmark.d2.configs.lazy import lazy_text
from benchmark.d2.configs.solver import adamw
from benchmark.d2.configs.yacs import yacs_text
from benchmark.d2.models.architectures import add_chimera_config
from benchmark.engine.optimizer import compute_learning_rate, make_optimizer
from benchmark.planning.registry import describe, method_names
from tests.cli.shell import run_command

Written = dict[str, Any]
NO_SGD = "chimera_seg/no SGD"


def chosen(method: str = "chimera_seg", *, split: str = "toybox", **fields: Any) -> Choice:
    return choose(method, split=split, out=Path("given.yaml"), **fields)


def loaded(choice: Choice) -> CfgNode:
    """A yacs config as Detectron2 reads it; with our node where there must be one."""
    values = yaml.safe_load(yacs_text(choice))
    cfg = get_cfg()
    if "CHIMERA" in values:
        add_chimera_config(cfg)
    cfg.merge_from_other_cfg(CfgNode(values))
    return cfg


def lazy(choice: Choice, folder: Path) -> Any:
    (folder / "given.py").write_text(lazy_text(choice))
    return LazyConfig.load(str(folder / "given.py"))


def budget_of(choice: Choice) -> Budget:
    return Budget(**choice.setting.budget.model_dump())


def test_a_yacs_file_is_read_by_the_plain_config(tmp_path: Path) -> None:
    (tmp_path / "given.yaml").write_text(yacs_text(chosen("chimera_seg/no sgd", seed=3)))
    cfg = get_cfg()
    cfg.merge_from_file(str(tmp_path / "given.yaml"))
    assert (cfg.MODEL.META_ARCHITECTURE, cfg.SEED, cfg.OUTPUT_DIR) == (NO_SGD, 3, "output/given")
    assert (cfg.DATASETS.TRAIN, cfg.DATASETS.TEST) == (("chimera_toybox_train",), ("chimera_toybox_test",))


@pytest.mark.parametrize("split", split_names())
def test_both_kinds_name_what_is_registered_for_every_split(split: str, tmp_path: Path) -> None:
    choice = chosen("maskclip", split=split)  # nothing is trained: no labels that Detectron2's mapper could not read
    cfg, config = loaded(choice), lazy(choice, tmp_path)
    assert {*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST} <= set(datasets())
    assert config.dataloader.train.dataset.names in datasets()
    assert cfg.MODEL.META_ARCHITECTURE == config.model.method in architectures()


def test_every_method_with_each_variant_is_an_architecture() -> None:
    assert set(architectures()) <= {name for name, _ in META_ARCH_REGISTRY}
    assert len(architectures()) == sum(1 + len(describe(name).variants) for name in method_names())


def test_a_yacs_file_has_the_budget() -> None:
    solver, budget = loaded(chosen(overrides=["budget.clip_norm=0.5"])).SOLVER, budget_of(chosen())
    assert (budget.iterations, budget.batch_size) == (solver.MAX_ITER, solver.IMS_PER_BATCH)
    assert (budget.learning_rate, budget.weight_decay) == (solver.BASE_LR, solver.WEIGHT_DECAY)
    assert solver.CLIP_GRADIENTS.CLIP_VALUE == 0.5


def test_a_yacs_file_needs_our_node_for_what_only_the_method_knows() -> None:
    assert "CHIMERA" not in yaml.safe_load(yacs_text(chosen(overrides=["budget.iterations=7"])))
    cfg = loaded(chosen(overrides=["budget.iterations=7", "sgd.bank=12"], protocol="zs3"))
    assert (cfg.CHIMERA.OVERRIDES, cfg.CHIMERA.PROTOCOL) == (["sgd.bank=12"], "zs3")


def test_the_schedule_of_a_yacs_file_is_as_near_as_it_says() -> None:
    choice = chosen()
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=choice.setting.budget.learning_rate)
    rates = build_lr_scheduler(loaded(choice), optimizer)._multiplier
    ours = [compute_learning_rate(budget_of(choice), step) / 2e-3 for step in range(600)]
    apart = [our - rates(step / 600) for step, our in enumerate(ours)]
    assert "up to 3.2% of BASE_LR lower" in yacs_text(choice)
    assert max(apart) == pytest.approx(0.032, abs=5e-4)
    assert max(map(abs, apart[30:])) < 1e-12


@pytest.mark.parametrize("warmup", [0, 0.05, 1])
def test_the_schedule_of_a_lazy_config_is_ours(warmup: float, tmp_path: Path) -> None:
    choice = chosen(overrides=[f"budget.warmup={warmup}", "budget.iterations=40"])
    rates, budget = instantiate(lazy(choice, tmp_path).lr_multiplier), budget_of(choice)
    theirs = [budget.learning_rate * rates(step / 40) for step in range(40)]
    assert theirs == pytest.approx([compute_learning_rate(budget, step) for step in range(40)])
    rates(1.0)  # which Detectron2 asks for after the last step


def test_a_warm_up_of_the_whole_training_does_not_divide_by_zero_in_a_yacs_file() -> None:
    cfg = loaded(chosen(overrides=["budget.warmup=1"]))
    scheduler = build_lr_scheduler(cfg, torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0))
    assert scheduler._multiplier(1.0) == 0


def test_no_line_of_a_change_gets_out_of_the_comment(tmp_path: Path) -> None:
    choice = chosen(overrides=["sgd.bank=12\n# and = more"])
    assert lazy(choice, tmp_path).model.overrides == loaded(choice).CHIMERA.OVERRIDES == list(choice.overrides)


def test_pictures_of_the_plain_protocol_keep_their_size() -> None:
    cfg = loaded(chosen())
    for is_train in (True, False):
        resize, *flips = build_augmentation(cfg, is_train)
        assert resize.short_edge_length in ((0,), (0, 0)) and len(flips) == is_train


def test_views_of_a_protocol_that_resizes_and_cuts_out_fill_the_square_at_most() -> None:
    size = loaded(chosen(split="voc12")).INPUT  # zegclip: 512 crops at 0.5 to 2 times 512
    assert (size.MIN_SIZE_TRAIN, size.MAX_SIZE_TRAIN) == ((512,), 512)
    assert (size.CROP.ENABLED, size.CROP.TYPE, size.CROP.SIZE) == (True, "relative_range", [0.5, 0.5])


@pytest.mark.parametrize(
    ("resize", "expected"),
    [
        ("{kind: short sides, sides: [20, 30], longest: 90}", ((20, 30), "choice", 90)),
        ("{kind: ratio, short_side: 20, long_side: 40, low: 0.5, high: 2}", ((10, 40), "range", 80)),
    ],
)
def test_sizes_of_a_protocol_without_crops_are_detectron2s(resize: str, expected: Any) -> None:
    size = loaded(chosen(overrides=[f"protocol.train.resize={resize}"])).INPUT
    assert expected == (size.MIN_SIZE_TRAIN, size.MIN_SIZE_TRAIN_SAMPLING, size.MAX_SIZE_TRAIN)
    assert not size.CROP.ENABLED


def test_a_crop_without_another_size_is_cut_from_the_picture() -> None:
    size = loaded(chosen(overrides=["protocol.train.crop=32", "protocol.train.flip=false"])).INPUT
    assert (size.CROP.TYPE, size.CROP.SIZE, size.MIN_SIZE_TRAIN, size.RANDOM_FLIP) == (
        "absolute",
        [32, 32],
        (0,),
        "none",
    )


def test_scored_images_have_the_size_of_the_protocol() -> None:
    size = loaded(chosen("maskclip", split="voc12", protocol="zsseg")).INPUT
    assert (size.MIN_SIZE_TEST, size.MAX_SIZE_TEST) == (512, 2048)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"split": "ade20k_847"}, "labels of more than 8 bits"),
        ({"overrides": ["protocol.setting=transductive"]}, "which pixels are to be filled"),
    ],
)
def test_labels_that_detectron2s_mapper_cannot_read_need_a_lazy_config(fields: Written, words: str) -> None:
    choice = chosen(**fields)
    assert "SplitMapper" in lazy_text(choice)
    with pytest.raises(ValueError, match=rf"{words}.*--out FILE\.py"):
        yacs_text(choice)


def test_changes_reach_the_model_and_the_mappers_of_a_lazy_config(tmp_path: Path) -> None:
    changes = ["sgd.bank=12", "protocol.train={crop: 24, flip: false}"]
    config = lazy(chosen(overrides=changes), tmp_path)
    assert config.model.overrides == config.dataloader.train.mapper.overrides == changes
    record = instantiate(config.dataloader.train.dataset)[0]
    assert instantiate(config.dataloader.train.mapper)(record)["image"].shape == (3, 24, 24)
    config.model.device = "cpu"
    assert instantiate(config.model).method.distillation.bank.shape[0] == 12


def test_a_lazy_config_calibrates_as_the_protocol_says(tmp_path: Path) -> None:
    assert lazy(chosen(split="voc12"), tmp_path).dataloader.evaluator.gamma == 0.1


def test_a_lazy_config_is_shortened_by_one_number(tmp_path: Path) -> None:
    config = LazyConfig.apply_overrides(lazy(chosen(), tmp_path), ["train.max_iter=4"])
    assert config.model.iterations == 4


def test_the_optimizer_is_the_suites_with_one_norm_for_all() -> None:
    model = nn.Linear(2, 2)
    optimizer = adamw(params={"model": model}, lr=0.1, weight_decay=0.3, clip_norm=1.0)
    ours = make_optimizer(model, Budget(learning_rate=0.1, weight_decay=0.3))
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]
    assert [group["params"] for group in optimizer.param_groups] == [group["params"] for group in ours.param_groups]
    (100 * model(torch.ones(1, 2)).sum()).backward()
    optimizer.step()
    assert torch.cat([one.grad.flatten() for one in model.parameters()]).norm() == pytest.approx(1)


def test_there_is_no_optimizer_for_a_model_without_training() -> None:
    with pytest.raises(ValueError, match="--eval-only"):
        adamw(params={"model": nn.ReLU()}, lr=0.1, weight_decay=0, clip_norm=1.0)


@pytest.mark.parametrize(
    ("method", "fields", "words"),
    [
        ("spnett", {}, "did you mean 'spnet'"),
        ("spnet", {"split": "toybx"}, "did you mean 'toybox'"),
        ("chimera_seg/no SDG", {}, "did you mean 'no SGD'"),
        ("chimera_seg", {"overrides": ["sgd.bnk=1"]}, "did you mean 'sgd.bank'"),
        ("chimera_seg", {"overrides": ["sgd"]}, "not KEY=VALUE"),
        ("mine.py", {}, "method 'mine.py' is a file"),
        ("spnet", {"split": "mine.yaml"}, "split 'mine.yaml' is a file"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_line(method: str, fields: Written, words: str) -> None:
    with pytest.raises((KeyError, ValueError), match=words):
        chosen(method, **fields)


@pytest.mark.parametrize("name", ["given.yaml", "given.py"])
def test_the_command_writes_a_file_that_says_how_it_was_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    code, out, _ = run_command(capsys, "d2", "config", NO_SGD, "--set", "sgd=null", "--seed", "3", "--out", str(file))
    assert (code, out) == (0, f"{file}\n")
    command = f"chimera-bench d2 config '{NO_SGD}' --split toybox --seed 3 --set sgd=null --out {name}"
    assert file.read_text().splitlines()[1] == f"# Made by: {command}"


@pytest.mark.parametrize(
    ("name", "words"),
    [("given", "expected a file that ends with .yaml or .py"), ("there.py", "exists already")],
)
def test_the_command_refuses_other_files(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "there.py").write_text("mine = 1\n")
    code, out, err = run_command(capsys, "d2", "config", "spnet", "--out", str(tmp_path / name))
    assert (code, out) == (1, "") and words in err and err.count("\n") == 1
    assert (tmp_path / "there.py").read_text() == "mine = 1\n"


def test_the_command_lists_what_is_registered(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run_command(capsys, "d2", "list", "--json").out)
    assert (found["architectures"], found["datasets"]) == (architectures(), datasets())
    out = run_command(capsys, "d2", "list").out
    assert all(f"  {name}\n" in out for name in architectures())
    assert "  chimera_toybox_test: scored part of toybox, 20 classes\n" in out
