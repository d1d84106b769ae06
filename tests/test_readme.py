"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmark.core.run_state import RunState
from benchmark.execution.runner import execute
from benchmark.planning.resolve import resolve
from benchmark.store.store import Store

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("variant", ["", "/wide"])
def test_the_method_in_the_readme_runs(variant: str, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    file = tmp_path / "colour_words.py"
    file.write_text(code)
    spec = resolve(f"{file}{variant}", split="toybox", seed=0, overrides={"budget.iterations": 2}, max_images=4)
    record = execute(spec, store=Store(tmp_path / "runs"))
    assert record.failure is None
    assert record.state == RunState.DONE


def test_every_file_that_the_readme_names_is_there() -> None:
    named = re.findall(r"\]\(([^)h][^)]*)\)", README)
    assert named
    assert [name for name in named if not (Path(__file__).resolve().parents[1] / name).is_file()] == []
