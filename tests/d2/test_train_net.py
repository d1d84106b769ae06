"""Tests of our train_net and of Detectron2's own lazyconfig_train_net, on a few images and iterations."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("detectron2", reason="Detectron2 is not installed")

import benchmark.d2.register  # noqa: F401  # first, as it loads Detectron2 without its warnings

# isort: split
import detectron2
from detectron2.config import CfgNode, get_cfg
from detectron2.data import DatasetCatalog
from detectron2.engine import default_argument_parser
from torch import nn

from benchmark.d2 import train_net
from benchmark.d2.configs.config_request import make_request
from benchmark.d2.configs.lazy import format_lazy_config
from benchmark.d2.configs.yacs import format_yacs_config
from benchmark.d2.models.architectures import add_chimera_config
from benchmark.evaluation.counts import Counts, load
from benchmark.evaluation.detectron2_scores import compute_sem_seg_results

pytestmark = [  # Detectron2 does not close the config file that it copies into its log
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in.*FileIO:pytest.PytestUnraisableExceptionWarning"),
]

FEW = 4
SHORT = ["budget.iterations=2", "budget.batch_size=2"]
LAZY_TOOL = Path(detectron2.__file__).parents[1] / "tools" / "lazyconfig_train_net.py"


@pytest.fixture(autouse=True)
def work_in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in a folder with configs of a short training; each dataset has a few images."""
    whole = type(DatasetCatalog).get
    monkeypatch.setattr(type(DatasetCatalog), "get", lambda catalog, name: whole(catalog, name)[:FEW])
    monkeypatch.chdir(tmp_path)
    for file, text in ((Path("short.yaml"), format_yacs_config), (Path("short.py"), format_lazy_config)):
        file.write_text(text(make_request("spnet", split="toybox", out=file, overrides=SHORT)))
    rng_state = torch.random.get_rng_state()
    yield tmp_path
    torch.random.set_rng_state(rng_state)  # Detectron2 seeds the global generator


CPU = ("MODEL.DEVICE", "cpu", "DATALOADER.NUM_WORKERS", "0")
LAZY_CPU = ("train.device=cpu", "dataloader.train.num_workers=0", "dataloader.test.num_workers=0")


def run_ours(*options: str) -> dict[str, Any] | None:
    """Run our program and return its results."""
    arguments = ["--config-file", "short.yaml", "--num-gpus", "0", *options, *CPU]
    return train_net.main(default_argument_parser().parse_args(arguments))


def run_theirs(*options: str) -> None:
    """Run Detectron2's unmodified program."""
    if not LAZY_TOOL.is_file():
        pytest.skip("Detectron2 is installed without its tools")
    arguments = ["--config-file", "short.py", "--num-gpus", "0", *options, *LAZY_CPU]
    runpy.run_path(str(LAZY_TOOL))["main"](default_argument_parser().parse_args(arguments))


def read_metrics() -> list[dict[str, Any]]:
    """Read the lines of metrics.json."""
    return [json.loads(line) for line in Path("output/short/metrics.json").read_text().splitlines()]


def read_counts() -> Counts:
    """Read the counts of the latest evaluation."""
    return load(Path("output/short/inference/counts.npz"))


def read_weights(name: str) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = torch.load(f"output/short/{name}.pth", weights_only=True)["model"]
    return weights


def make_cfg(*changes: Any) -> CfgNode:
    cfg = get_cfg()
    add_chimera_config(cfg)
    cfg.merge_from_file("short.yaml")
    cfg.merge_from_list(list(changes))
    return cfg


def test_training_ends_with_an_evaluation_that_writes_counts() -> None:
    run_ours()
    assert len(read_counts().image_ids) == FEW
    assert read_metrics()[-1]["sem_seg/mIoU"] == compute_sem_seg_results(read_counts(), "d2-main")["sem_seg"]["mIoU"]


def test_eval_only_reproduces_the_scores_at_the_end_of_training() -> None:
    run_ours()
    results = run_ours("--eval-only", "MODEL.WEIGHTS", "output/short/model_final.pth")
    assert results is not None
    assert results["sem_seg"]["mIoU"] == read_metrics()[-1]["sem_seg/mIoU"]


def test_training_resumes_from_the_last_checkpoint() -> None:
    run_ours()
    before = read_weights("model_final")
    run_ours("--resume", "SOLVER.MAX_ITER", "3")
    assert [line["iteration"] for line in read_metrics() if "total_loss" in line] == [1, 2]
    after = read_weights("model_final")
    assert all(torch.equal(before[name], read_weights("model_0000001")[name]) for name in before)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_a_warm_up_as_long_as_the_training_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match=r"SOLVER\.WARMUP_ITERS=2 is not below SOLVER\.MAX_ITER=2"):
        run_ours("SOLVER.WARMUP_ITERS", "2")
    assert not Path("output").exists()


def test_adamw_is_built_from_the_values_of_the_config() -> None:
    cfg = make_cfg("SOLVER.BASE_LR", 0.5, "SOLVER.CLIP_GRADIENTS.CLIP_VALUE", 0.25)
    model = nn.Linear(2, 2)
    optimizer = train_net.BenchmarkTrainer.build_optimizer(cfg, model)
    assert isinstance(optimizer, torch.optim.AdamW) and optimizer.param_groups[0]["lr"] == 0.5
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert torch.cat([parameter.grad.flatten() for parameter in model.parameters()]).norm() == pytest.approx(0.25)


def test_gradients_are_not_clipped_if_the_config_disables_clipping() -> None:
    model = nn.Linear(1, 1)
    optimizer = train_net.BenchmarkTrainer.build_optimizer(make_cfg("SOLVER.CLIP_GRADIENTS.ENABLED", False), model)
    (100 * model(torch.ones(1, 1))).sum().backward()
    optimizer.step()
    assert [parameter.grad.item() for parameter in model.parameters()] == [100, 100]


@pytest.mark.parametrize(
    ("changes", "gamma"),
    [((), 0.0), (("CHIMERA.PROTOCOL", "zegclip"), 0.1), (("CHIMERA.OVERRIDES", ["protocol.gamma=0.3"]), 0.3)],
)
def test_the_evaluator_has_the_gamma_of_the_protocol(
    changes: Any, gamma: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {}
    monkeypatch.setattr(train_net, "CountsEvaluator", lambda name, **fields: options.update(fields))
    train_net.BenchmarkTrainer.build_evaluator(make_cfg(*changes), "chimera_toybox_test")
    assert options["gamma"] == gamma


def test_a_lazy_config_trains_under_detectron2s_own_program() -> None:
    run_theirs()
    assert read_metrics()[-1]["sem_seg/mIoU"] == compute_sem_seg_results(read_counts(), "d2-main")["sem_seg"]["mIoU"]


def test_a_lazy_config_is_resumed_and_evaluated_by_detectron2s_own_program() -> None:
    run_theirs()
    run_theirs("--resume", "train.max_iter=3")
    before = read_counts()
    run_theirs("--eval-only", "train.init_checkpoint=output/short/model_final.pth")
    assert [line["iteration"] for line in read_metrics() if "total_loss" in line] == [1, 2]
    assert read_counts().digest() == before.digest()
