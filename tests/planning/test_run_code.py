"""The code of a run is what it uses of the harness, and the modules of its method."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.core.run_record import digest_code
from benchmark.core.run_spec import RunSpec
from benchmark.planning.resolve import resolve
from benchmark.planning.run_code import describe_code
from tests.engine.runs import METHOD


def spec(method: str = "spnet", **fields: Any) -> RunSpec:
    return resolve(method, split="toybox", seed=0, **fields)


def test_a_run_uses_its_own_method_only() -> None:
    names = describe_code(spec())
    assert "methods/spnet.py" in names and "methods/blocks/losses.py" in names
    assert not names.keys() & {"methods/maskclip.py", "methods/chimera_seg.py", "methods/blocks/heads/csh.py"}
    assert "methods/blocks/heads/csh.py" in describe_code(spec("chimera_seg"))


@pytest.mark.parametrize(
    ("used", "unused"),
    [
        ("benchmark/evaluation/counter.py", "benchmark/evaluation/stats.py"),
        ("benchmark/data/toybox/scene.py", "benchmark/data/folders/decode.py"),
        ("benchmark/engine/fabric.py", "benchmark/d2/engine/trainer.py"),
        ("benchmark/core/budget.py", "benchmark/core/run_record.py"),
        ("benchmark/execution/runner.py", "benchmark/report/rows.py"),
    ],
)
def test_a_run_uses_the_parts_of_its_engine_and_its_kind_of_dataset(used: str, unused: str) -> None:
    names = describe_code(spec())
    assert used in names and unused not in names


def test_a_run_of_the_other_engine_uses_that_one() -> None:
    names = describe_code(spec(engine="detectron2"))
    assert "benchmark/d2/engine/trainer.py" in names and "benchmark/engine/fabric.py" not in names


def test_wrappers_count_if_the_protocol_needs_them() -> None:
    windows = {"protocol.test.window": 32, "protocol.test.stride": 32}
    name = "benchmark/wrappers/sliding_window.py"
    assert name in describe_code(spec(overrides=windows)) and name not in describe_code(spec())


def test_the_modules_of_an_external_method_are_in_its_identity_instead() -> None:
    names = describe_code(spec(METHOD))
    assert names and not any(name.startswith("tests") for name in names)
    assert digest_code(names) != digest_code(describe_code(spec()))
