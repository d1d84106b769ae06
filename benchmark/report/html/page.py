"""The page of a report: one HTML file with its styles, scripts, fonts, figures and data inside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmark.report.html.copied_table import describe_copied_table
from benchmark.report.html.inline_svg import list_grays
from benchmark.report.html.run_details import RUN_FIELDS
from benchmark.report.html.study_report import StudyReport
from benchmark.utils.plain_text import clean_text

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("base.js", "table.js", "copy.js", "details.js", "classes.js", "images.js")
"""Scripts in the order of the page."""
LINE = 0x1F
"""Darkest level of gray in the dark theme, which white becomes."""


def render_page(report: StudyReport) -> str:
    """Return the page of a report; texts of users are escaped everywhere."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["clean"] = lambda text: clean_text(str(text))
    environment.filters["svg"] = lambda figure: Markup(figure.svg)  # drawn by matplotlib, which escapes texts
    return environment.get_template("page.html.j2").render(
        report=report,
        style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),
        grays=_list_theme_grays(figure.svg for figure in report.figures if figure.is_themed),
        scripts=[Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in SCRIPTS],
        data=Markup(dump_data(describe_data(report))),
    )


def describe_data(report: StudyReport) -> dict[str, Any]:
    """Return what the scripts of a page read."""
    embedded = report.embedded
    return {
        "runFields": RUN_FIELDS,
        "columns": [{"key": column.key, "header": column.header} for column in report.table.columns],
        "copied": describe_copied_table(report.table),
        "rows": [{"label": row.label, "group": row.group, **row.details} for row in report.rows],
        "groups": [
            {"name": name, "baseline": baseline, **vars(scores)}
            for name, baseline, scores in zip(report.groups, report.baselines, report.scores, strict=True)
        ],
        "embedded": {name: vars(image) for name, image in embedded.by_image.items()},
    }


def dump_data(value: Any) -> str:
    """Return JSON that may stand in a script element: no markup, and no line ends that scripts know alone."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=dict)
    return re.sub(r"[<>&\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text)


def _list_theme_grays(figures: Iterable[str]) -> list[tuple[str, str]]:
    """Return levels of gray of the figures, each with the level that takes its place in the dark theme."""
    return [
        (level, f"{LINE + round((255 - int(level, 16)) * (1 - LINE / 255)):02x}") for level in list_grays([*figures])
    ]
