"""Every study that the page about studies shows can be planned, with the labels that it states."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

import pytest

from benchmark.cli.run_options import EPILOG
from benchmark.core.split import SPLITS
from benchmark.core.study import STUDIES, Study, StudyRow, load_study
from benchmark.planning.expand import expand
from benchmark.planning.new_method import write_new_method
from benchmark.planning.requested_study import Request
from benchmark.planning.selection import select_runs
from benchmark.store.store import Store

PAGE = (STUDIES / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.partition("\n")[0].removeprefix("title: "))
def test_every_study_on_the_page_can_be_planned(tmp_path: Path, block: str) -> None:
    write_new_method("my_method", tmp_path)
    shutil.copy(SPLITS / "toybox.yaml", tmp_path / "my_split.yaml")
    file = tmp_path / "sgd.yaml"
    file.write_text(block, encoding="utf-8")
    stated = re.findall(r"# labels?: (.*?)(?:, …)?$", block, flags=re.MULTILINE)
    assert set(stated) <= {row.label for row in expand(load_study(str(file))).plan.rows}


def test_the_study_in_the_help_is_the_grid_in_one_line(tmp_path: Path) -> None:
    text, line = re.findall(r"\x08\n(.*?)\n\n", f"{EPILOG}\n\n", flags=re.DOTALL)[:2]
    file = tmp_path / "sgd.yaml"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    request = Request("chimera_seg/Chimera-Seg", seeds=(0, 1, 2), sweep={"sgd.weight": (0.5, 1, 2)})
    ids = select_runs(request, store=Store(tmp_path), keep=False).ids
    assert line.split()[2:5] == ["chimera_seg/Chimera-Seg", "--set", "sgd.weight=0.5,1,2"]
    assert expand(load_study(str(file))).plan.ids == ids


def test_the_page_names_every_field() -> None:
    fields = {*Study.model_fields, *StudyRow.model_fields}
    assert {name for name in fields if f"`{name}`" not in PAGE} == set()
    assert len(BLOCKS) >= 7
