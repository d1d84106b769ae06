"""Tests of the copied table: its marks, warnings and labels, read in a real browser."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmark.core.plan import Plan
from benchmark.report.html.page import render_page
from benchmark.store.store import Store
from tests.report.html.pages import CHROMIUM, Script, make_report, run_in_browser
from tests.report.world import hand_counts, plan_of, save, spec_of

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

LABELS = ("[b] \u6f22", "*s_1 %", "plain")
"""Labels that LaTeX would read as arguments of the end of a row, or not print; the last row is of another class."""
SCRIPTS = {
    "all": Script("return [formatMarkdown(), formatLatex()];"),
    "alone": Script(
        'find("filter").value = "-plain"; filterRows(); body.append(body.rows[0]);'
        "return [formatMarkdown(), formatLatex()];"
    ),
}


def study_of_two_classes(store: Store) -> Plan:
    """Save three rows, of which the last learned from other labels, on the first images only."""
    rows: dict[str, dict[int, str]] = {label: {} for label in LABELS}
    for at, label in enumerate(LABELS):
        supervision = "image_text" if at == 2 else "seen_masks"
        for seed in range(3):
            counts = hand_counts([[80 + seed, 80, 60 + image - 10 * at, 60 - 10 * at] for image in range(4)])
            spec = spec_of(f"variant {at}", seed=seed, max_images=4)
            rows[label][seed] = save(store, spec, counts, supervision=supervision)
    return plan_of(rows)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Markdown and LaTeX of the whole table, and of it without the row of the other class in another order."""
    store = Store(tmp_path_factory.mktemp("runs"))
    page = render_page(make_report(store, study_of_two_classes(store)))
    return run_in_browser(page, tmp_path_factory.mktemp("pages"), SCRIPTS)


def test_differences_across_classes_keep_mark_italics_and_note(copied: dict[str, list[str]]) -> None:
    markdown, latex = copied["all"]
    assert "*<sup>\u2021</sup>" in markdown and "\n- <sup>\u2021</sup> Compared" in markdown
    assert "}\\textsuperscript{\\textdaggerdbl{}}" in latex and "\\textit{$-$" in latex
    assert "\n\\textsuperscript{\\textdaggerdbl{}} Compared" in latex


def test_a_warning_is_copied_and_a_note_only_with_its_cells(copied: dict[str, list[str]]) -> None:
    assert all("TESTING ONLY" in text for texts in copied.values() for text in texts)
    assert all("\u2021" not in text and "daggerdbl" not in text for text in copied["alone"])
    assert copied["alone"][0].splitlines()[2].startswith("| \\*s\\_1 % |")


def test_labels_are_copied_to_latex_as_the_table_command_writes_them(copied: dict[str, list[str]]) -> None:
    latex = copied["all"][1]
    assert "\n  {[}b{]} \\benchchar{28450}{6F22} &" in latex and "\n  {*}s\\_1 \\% &" in latex
    assert "pdfLaTeX prints \u6f22 as" in latex and "\\DeclareRobustCommand{\\benchchar}" in latex


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex on this machine")
def test_copied_latex_compiles(copied: dict[str, list[str]], tmp_path: Path) -> None:
    head = "\\documentclass{article}\\usepackage{booktabs}\\usepackage{textcomp}\\begin{document}\n"
    (tmp_path / "copied.tex").write_text(f"{head}{copied['all'][1]}\\end{{document}}", encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "copied.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
