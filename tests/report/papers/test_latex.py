"""Tables of papers compile as they are, with a real TeX where one is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmark.core.paper_tables import list_tables, load_table
from benchmark.report.papers.paper_results import collect_paper
from benchmark.report.papers.paper_table import render_paper
from benchmark.report.tables.selection import select_columns
from benchmark.store.store import Store

PACKAGES = ("booktabs", "multirow", "amssymb", "graphicx")


def has_packages() -> bool:
    """Return whether pdflatex and the packages of papers' tables are installed."""
    if shutil.which("pdflatex") is None or shutil.which("kpsewhich") is None:
        return False
    return all(not subprocess.run(["kpsewhich", f"{name}.sty"], capture_output=True).returncode for name in PACKAGES)


def draw(name: str, store: Store) -> str:
    """Return a table of an empty store as LaTeX."""
    named = load_table(name)
    results = collect_paper(store, named, [])
    return render_paper(results, select_columns(named.table.columns), fmt="tex", fill_notes=["a & b_c"])


@pytest.mark.parametrize("name", list_tables())
def test_the_first_line_names_the_packages(name: str, tmp_path: Path) -> None:
    text = draw(name, Store(tmp_path))
    named = re.match(r"% needs \\usepackage\{(.*)\}", text)
    assert named is not None and set(named[1].split(",")) <= set(PACKAGES)
    assert ("checkmark" in text) == ("amssymb" in named[1]) and ("resizebox" in text) == ("graphicx" in named[1])


@pytest.mark.skipif(
    not has_packages(), reason="pdflatex with booktabs, multirow, amssymb and graphicx is not installed"
)
def test_every_table_compiles_and_fits_the_page(tmp_path: Path) -> None:
    body = "\\clearpage\n".join(draw(name, Store(tmp_path / "runs")) for name in list_tables())
    head = f"\\documentclass{{article}}\n\\usepackage{{{','.join(PACKAGES)}}}\n\\begin{{document}}\n"
    (tmp_path / "doc.tex").write_text(f"{head}{body}\n\\end{{document}}\n", encoding="utf-8")
    run = subprocess.run(["pdflatex", "-interaction=nonstopmode", "doc.tex"], cwd=tmp_path, capture_output=True)
    lines = run.stdout.decode(errors="replace").splitlines()
    assert [line for line in lines if line.startswith(("!", "Overfull"))] == [] and (tmp_path / "doc.pdf").is_file()
