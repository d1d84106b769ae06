"""Makers of small pages for the tests, and a browser that runs a script in one."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.core.plan import Plan
from benchmark.core.run_record import Failure
from benchmark.report.compute.compute_rows import collect_compute
from benchmark.report.html.page import render_page
from benchmark.report.html.report_table import select_report_columns
from benchmark.report.html.study_report import ReportSources, StudyReport, build_report, describe_compute
from benchmark.report.rows import read_rows
from benchmark.report.tables.table_files import collect_rows
from benchmark.store.store import Store
from tests.report.world import plan_of, save, spec_of, two_rows


class Script(NamedTuple):
    """Body of a function that returns a value, and the width of the window that it sees."""

    body: str
    width: int = 1200


HOSTILE = "</script><script>alert(1)</script> & \"x\" 'y'"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
RESULT = "test-result"


def study_of_three(store: Store) -> Plan:
    """Save the rows of `two_rows`, losses of a run, a row that failed and a hostile label; return their plan."""
    rows = {row.label: dict(row.ids) for row in two_rows(store).rows}
    for at in range(5):
        store.run(rows["paper"][0]).append_losses(at, {"pixel": 1 / (at + 1), "distill": 0.5})
    failure = Failure(kind="ValueError", message="no <b>luck</b>", log_tail="first line\n<i>last line</i>")
    return plan_of(rows | {HOSTILE: {0: save(store, spec_of("lost"), failure)}})


def make_report(store: Store, plan: Plan, **changes: Any) -> StudyReport:
    """Return the report of a plan without published numbers."""
    columns = select_report_columns(has_ranks=True, has_pools=len(plan.splits) > 1)
    results = collect_rows(read_rows(store, plan, metrics=columns.metrics), columns)
    sources = ReportSources(
        plan=plan, names=("demo",), columns=columns, compute=describe_compute(collect_compute(store, plan))
    )
    return build_report(results, store, replace(sources, **changes))


def make_page(folder: Path) -> str:
    """Return the page of `study_of_three`."""
    store = Store(folder)
    return render_page(make_report(store, study_of_three(store)))


def run_in_browser(page: str, folder: Path, scripts: Mapping[str, Script]) -> dict[str, Any]:
    """Run scripts in copies of a page in a headless browser and return their values, which JSON can hold, by name.

    Args:
        page: Page.
        folder: Folder for the pages and the profile of the browser.
        scripts: Scripts by name; each is the body of a function and runs after the scripts of the page.
    """
    assert CHROMIUM is not None
    frames = ""
    for name, script in scripts.items():
        report = (
            '<script>window.addEventListener("load", () => { let value; try { value = (() => { '
            f"{script.body} }})(); }} catch (error) {{ value = String(error); }}"
            f'parent.postMessage(["{name}", value], "*"); }})</script>'
        )
        (folder / f"{name}.html").write_text(page.replace("</body>", f"{report}</body>"), encoding="utf-8")
        frames += f'<iframe src="{name}.html" width="{script.width}" height="900" style="border:0"></iframe>'
    collect = (
        f'<pre id="{RESULT}"></pre><script>const values = {{}}; addEventListener("message", (event) => {{ '
        f"values[event.data[0]] = event.data[1]; "
        f'document.getElementById("{RESULT}").textContent = JSON.stringify(values); }});</script>'
    )
    (folder / "frames.html").write_text(f"<!DOCTYPE html>{collect}{frames}", encoding="utf-8")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    command = [CHROMIUM, *options, "--virtual-time-budget=20000", "--dump-dom", (folder / "frames.html").as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False).stdout
    _, found, rest = dom.partition(f'<pre id="{RESULT}">')
    assert found, "the browser printed no page"
    return dict(json.loads(html.unescape(rest.partition("</pre>")[0])))
