"""Faulty method files, run for real: each mistake gives one line with file, line, function and what was expected."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmark.execution.runner import execute
from benchmark.planning.resolve import resolve
from benchmark.store.store import Store

SOURCE = """
import torch
from torch import nn

from benchmark.api import Budget, Config, Method, Recipe, Supervision, Traits


class Faulty(Method):
    def __init__(self):
        super().__init__()
        self.linear = nn.Conv2d(3, 32, 1)

    def set_classes(self, names):
        self.names = names
        SET_CLASSES

    def losses(self, batch):
        loss = self.linear(batch[0]["image"]).square().mean() / 1e6
        LOSSES
        return {"loss": loss}

    def predict(self, batch):
        sample = batch[0]
        logits = self.linear(sample["image"])[: len(self.names)]
        PREDICT
        return [{"sem_seg": logits}]


VARIANTS = {"Faulty": Config()}
RECIPE = Recipe(
    title="Faulty",
    paper="",
    traits=Traits(supervision=Supervision.SEEN_MASKS),
    variants=VARIANTS,
    build=lambda config, split: Faulty(),
    budgets={"*": Budget(iterations=1, batch_size=1)},
)
"""

NO_DETECTRON2 = pytest.mark.skipif(find_spec("detectron2") is None, reason="Detectron2 is not installed")
ENGINES = ["fabric", pytest.param("detectron2", marks=NO_DETECTRON2)]

LOSSES = {
    "return None": "MethodOutputError in faulty.py:16 (losses): returned None (is a return statement missing?), "
    'expected a dict of scalar losses by name, such as {"loss": loss}',
    "return [loss]": "MethodOutputError in faulty.py:16 (losses): returned a list of length 1, expected a dict of",
    "return loss": "MethodOutputError in faulty.py:16 (losses): returned a Tensor of shape (), expected a dict of",
    'return {"loss": loss.detach()}': "MethodOutputError in faulty.py:16 (losses): no loss has a gradient (loss): ",
    'return {"loss": loss, "b": loss.detach()}': "MethodOutputError in faulty.py:16 (losses): loss 'b' has no gradient",
    'return {"loss": loss.item()}': "MethodOutputError in faulty.py:16 (losses): loss 'loss' is a float, expected a",
    'return {"loss": loss[None]}': "MethodOutputError in faulty.py:16 (losses): loss 'loss' has shape (1,), expected a",
    'return {"loss": loss * float("nan")}': "LossNotFiniteError in faulty.py:16 (losses): loss is not finite at "
    "iteration 0: loss=nan",
    'raise RuntimeError("my own bug")': "RuntimeError in faulty.py:18 (losses): my own bug",
    "import sys; sys.exit('bye')": "SystemExit in faulty.py:18 (losses): it ended the process with the message 'bye'",
    "raise KeyboardInterrupt": "KeyboardInterrupt in faulty.py:18 (losses): no message; raised by: raise Keyboard",
    "assert loss.ndim": "AssertionError in faulty.py:18 (losses): no message; raised by: assert loss.ndim",
}

PREDICTIONS = {
    "return None": "MethodOutputError in faulty.py:21 (predict): returned None (is a return statement missing?), "
    'expected a list with one dict per sample, [{"sem_seg": scores (K, height, width)}, ...]',
    "return (logits, logits)": "MethodOutputError in faulty.py:21 (predict): returned a tuple of length 2, expected a",
    'return {"sem_seg": logits}': "MethodOutputError in faulty.py:21 (predict): returned a dict, expected a list with",
    "return []": "MethodOutputError in faulty.py:21 (predict): returned 0 predictions for one sample, expected a list",
    "return [logits]": "MethodOutputError in faulty.py:21 (predict): prediction of image ID is a Tensor of shape (32, "
    "64, 64), expected a dict with 'sem_seg'",
    'return [{"logits": logits}]': "MethodOutputError in faulty.py:21 (predict): prediction of image ID has no "
    "'sem_seg' (its keys: 'logits'): return the scores",
    'sample["sem_seg"]': "KeyError in faulty.py:24 (predict): missing key 'sem_seg'; samples have no 'sem_seg' in "
    "predict, only in losses",
    "logits = logits[:, ::2, ::2]": "MethodOutputError in faulty.py:21 (predict): prediction of image ID has height "
    "and width (32, 32), expected (64, 64)",
    "logits = logits[:3]": "MethodOutputError in faulty.py:21 (predict): logits of image ID have shape (3, 64, 64), "
    "expected (32, H, W)",
    "logits = logits.argmax(0)": "MethodOutputError in faulty.py:21 (predict): prediction of image ID has torch.int64 "
    "as 'sem_seg', expected floats",
    "logits = logits.detach().numpy()": "MethodOutputError in faulty.py:21 (predict): prediction of image ID has a "
    "ndarray of shape (32, 64, 64) as 'sem_seg', expected a tensor",
    'logits = logits * float("inf")': "MethodOutputError in faulty.py:21 (predict): 131072 of 131072 logits of image "
    "ID are not finite",
    '{}["x"]': "KeyError in faulty.py:24 (predict): missing key 'x'",
    "self.linear(logits)": "RuntimeError in faulty.py:24 (predict): Given groups=1, weight of size [32, 3, 1, 1]",
    'logits + torch.ones(1, device="meta")': "RuntimeError in faulty.py:24 (predict): Tensor on device meta is not "
    "on the expected device cpu!; hold tensors as parameters or buffers (register_buffer), or create them on the "
    "images' device",
}


def run(folder: Path, *, engine: str = "fabric", setting: str = "", **code: str) -> str:
    """Run a faulty method and return its failure in one line, with ID for the image."""
    source = SOURCE
    for place in ("set_classes", "losses", "predict"):
        source = source.replace(place.upper(), code.get(place, "pass"))
    (folder / "faulty.py").write_text(source.lstrip())
    overrides = {"protocol.test.window": 64, "protocol.test.stride": 64} if setting == "window" else {}
    path = str(folder / "faulty.py")
    spec = resolve(path, split="toybox", seed=0, overrides=overrides, engine=engine, max_images=1)
    record = execute(spec, store=Store(folder))
    assert record.failure is not None
    return record.failure.summary.replace("'000000'", "ID")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("line", LOSSES)
def test_a_mistake_in_losses_is_named(line: str, engine: str, tmp_path: Path) -> None:
    assert run(tmp_path, losses=line, engine=engine).startswith(LOSSES[line])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("line", PREDICTIONS)
def test_a_mistake_in_predict_is_named(line: str, engine: str, tmp_path: Path) -> None:
    assert PREDICTIONS[line] in run(tmp_path, predict=line, engine=engine)


def test_the_mistake_of_a_method_in_a_sliding_window_is_its_own(tmp_path: Path) -> None:
    assert "in faulty.py:21 (predict): returned None" in run(tmp_path, predict="return None", setting="window")


def test_an_exception_in_set_classes_is_named(tmp_path: Path) -> None:
    failure = run(tmp_path, set_classes='raise KeyError("cat")')
    assert failure == "KeyError in faulty.py:14 (set_classes): missing key 'cat'"
