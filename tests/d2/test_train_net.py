"""Our train_net and Detectron2's own lazyconfig_train_net, on a few images and iterations."""

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
from benchmark.d2.configs.configs import choose
from benchmark.d2.configs.lazy import lazy_text
from benchmark.d2.configs.yacs import yacs_text
from benchmark.d2.models.architectures import add_chimera_config
from benchmark.evaluation.counts import Counts, load
from benchmark.evaluation.detectron2_scores import sem_seg_results

pytestmark = [  # of Detectron2, which does not close the config that it copies into its log
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in.*FileIO:pytest.PytestUnraisableExceptionWarning"),
]

FEW = 4
SHORT = ["budget.iterations=2", "budget.batch_size=2"]
LAZY_TOOL = Path(detectron2.__file__).parents[1] / "tools" / "lazyconfig_train_net.py"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a test, with configs of a short training; each data set has a few images."""
    whole = type(DatasetCatalog).get
    monkeypatch.setattr(type(DatasetCatalog), "get", lambda catalog, name: whole(catalog, name)[:FEW])
    monkeypatch.chdir(tmp_path)
    for file, text in ((Path("short.yaml"), yacs_text), (Path("short.py"), lazy_text)):
        file.write_text(text(choose("spnet", split="toybox", out=file, overrides=SHORT)))
    before = torch.random.get_rng_state()
    yield tmp_path
    torch.random.set_rng_state(before)  # Detectron2 seeds what is everybody's


CPU = ("MODEL.DEVICE", "cpu", "DATALOADER.NUM_WORKERS", "0")
LAZY_CPU = ("train.device=cpu", "dataloader.train.num_workers=0", "dataloader.test.num_workers=0")


def ours(*options: str) -> dict[str, Any] | None:
    """What our program makes of a call."""
    given = ["--config-file", "short.yaml", "--num-gpus", "0", *options, *CPU]
    return train_net.main(default_argument_parser().parse_args(given))


def theirs(*options: str) -> None:
    """Detectron2's program, as it is."""
    if not LAZY_TOOL.is_file():
        pytest.skip("Detectron2 is installed without its tools")
    given = ["--config-file", "short.py", "--num-gpus", "0", *options, *LAZY_CPU]
    runpy.run_path(str(LAZY_TOOL))["main"](default_argument_parser().parse_args(given))


def told() -> list[dict[str, Any]]:
    """What trainings wrote into metrics.json."""
    return [json.loads(line) for line in Path("output/short/metrics.json").read_text().splitlines()]


def counted() -> Counts:
    """What the latest evaluation left."""
    return load(Path("output/short/inference/counts.npz"))


def weights(name: str) -> dict[str, torch.Tensor]:
    kept: dict[str, torch.Tensor] = torch.load(f"output/short/{name}.pth", weights_only=True)["model"]
    return kept


def cfg_of(*changes: Any) -> CfgNode:
    cfg = get_cfg()
    add_chimera_config(cfg)
    cfg.merge_from_file("short.yaml")
    cfg.merge_from_list(list(changes))
    return cfg


def test_a_training_is_scored_at_its_end_and_leaves_its_counts() -> None:
    ours()
    assert len(counted().image_ids) == FEW
    assert told()[-1]["sem_seg/mIoU"] == sem_seg_results(counted(), "d2-main")["sem_seg"]["mIoU"]


def test_scoring_alone_gives_what_the_training_ended_with() -> None:
    ours()
    scored = ours("--eval-only", "MODEL.WEIGHTS", "output/short/model_final.pth")
    assert scored is not None
    assert scored["sem_seg"]["mIoU"] == told()[-1]["sem_seg/mIoU"]


def test_a_resumed_training_goes_on_from_its_last_checkpoint() -> None:
    ours()
    before = weights("model_final")
    ours("--resume", "SOLVER.MAX_ITER", "3")
    assert [line["iteration"] for line in told() if "total_loss" in line] == [1, 2]
    after = weights("model_final")
    assert all(torch.equal(before[name], weights("model_0000001")[name]) for name in before)
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_a_warm_up_that_leaves_no_iteration_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match=r"SOLVER\.WARMUP_ITERS=2 is not below SOLVER\.MAX_ITER=2"):
        ours("SOLVER.WARMUP_ITERS", "2")
    assert not Path("output").exists()


def test_the_numbers_of_the_config_are_those_of_adamw() -> None:
    cfg = cfg_of("SOLVER.BASE_LR", 0.5, "SOLVER.CLIP_GRADIENTS.CLIP_VALUE", 0.25)
    model = nn.Linear(2, 2)
    optimizer = train_net.Trainer.build_optimizer(cfg, model)
    assert isinstance(optimizer, torch.optim.AdamW) and optimizer.param_groups[0]["lr"] == 0.5
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert torch.cat([one.grad.flatten() for one in model.parameters()]).norm() == pytest.approx(0.25)


def test_gradients_are_left_alone_where_the_config_does_not_clip() -> None:
    model = nn.Linear(1, 1)
    optimizer = train_net.Trainer.build_optimizer(cfg_of("SOLVER.CLIP_GRADIENTS.ENABLED", False), model)
    (100 * model(torch.ones(1, 1))).sum().backward()
    optimizer.step()
    assert [one.grad.item() for one in model.parameters()] == [100, 100]


@pytest.mark.parametrize(
    ("changes", "gamma"),
    [((), 0.0), (("CHIMERA.PROTOCOL", "zegclip"), 0.1), (("CHIMERA.OVERRIDES", ["protocol.gamma=0.3"]), 0.3)],
)
def test_scores_are_calibrated_as_the_protocol_says(
    changes: Any, gamma: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(train_net, "CountsEvaluator", lambda name, **fields: given.update(fields))
    train_net.Trainer.build_evaluator(cfg_of(*changes), "chimera_toybox_test")
    assert given["gamma"] == gamma


def test_a_lazy_config_runs_under_detectron2s_own_program() -> None:
    theirs()
    assert told()[-1]["sem_seg/mIoU"] == sem_seg_results(counted(), "d2-main")["sem_seg"]["mIoU"]


def test_a_lazy_config_is_resumed_and_scored_by_detectron2s_own_program() -> None:
    theirs()
    theirs("--resume", "train.max_iter=3")
    done = counted()
    theirs("--eval-only", "train.init_checkpoint=output/short/model_final.pth")
    assert [line["iteration"] for line in told() if "total_loss" in line] == [1, 2]
    assert counted().digest() == done.digest()
