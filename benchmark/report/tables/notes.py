"""What stands below a table: everything without which its numbers could be misread."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from textwrap import shorten

from benchmark.core.run_record import RunRecord
from benchmark.core.split import load_split
from benchmark.evaluation.scores import Convention
from benchmark.evaluation.stats import Interval, t_interval
from benchmark.report.paired import Difference
from benchmark.report.rows import SHOWN, Row, Setting

CONVENTION_TEXTS: dict[Convention, str] = {
    "d2-main": "a class without ground truth is left out",
    "d2-0.6": "a class without ground truth counts as 0 where it is predicted, and is left out elsewhere",
    "mmseg": "a class without ground truth counts as 0 where it is predicted; means are rounded to two decimals",
}


def general_notes(rows: Sequence[Row], setting: Setting | None, differences: Sequence[Difference | None]) -> list[str]:
    """What concerns the whole table."""
    texts = _setting_notes(rows, setting) if setting is not None else ["No run is done yet."]
    texts += _interval_notes(rows)
    texts += _ranking_notes(rows)
    texts += _difference_notes(rows, differences)
    texts += _cost_notes(rows)
    texts += _budget_notes(rows)
    texts += [f"{text}." for text in [_shared(rows, _reconstruction)] if text]
    return texts + _source_notes(rows)


def row_notes(rows: Sequence[Row]) -> list[list[str]]:
    """What concerns single rows: what sets them apart from most others, and what went wrong."""
    usual = {text_of: _usual(rows, text_of) for text_of in UNUSUAL}
    shared = _shared(rows, _reconstruction)
    notes = []
    for row in rows:
        texts = [_reconstruction(row)] if _reconstruction(row) != shared else []
        texts += [said + text_of(row) for text_of, said in UNUSUAL.items() if text_of(row) not in ("", usual[text_of])]
        notes.append([text for text in texts if text] + _problems(row))
    return notes


def budget_text(row: Row) -> str:
    """What the row's runs spent on training, in words; empty where no run is done."""
    if not row.records:
        return ""
    budget = row.records[0].spec.budget
    if not budget.iterations:
        return "no training"
    parts = f" in {budget.micro_batches} parts" if budget.micro_batches > 1 else ""
    return (
        f"{budget.iterations} iterations of {budget.batch_size} images{parts}, learning rate "
        f"{budget.learning_rate:g}, weight decay {budget.weight_decay:g}, {budget.precision}"
    )


def gamma_text(row: Row) -> str:
    """The offset of the seen classes in words."""
    return f"{row.gamma:g} off their softmax" if row.gamma else "none"


def runs_digest(rows: Sequence[Row]) -> str:
    """A short hash of which runs with which pixel counts stand behind the rows."""
    known = sorted((record.spec.id, record.counts_digest or "") for row in rows for record in row.records)
    return hashlib.sha256(repr(known).encode()).hexdigest()[:16]


def _setting_notes(rows: Sequence[Row], setting: Setting) -> list[str]:
    counts = next(counts for row in rows for counts in row.counts)
    seen = sum(counts.seen)
    engine = f", engine {_usual(rows, _engine)}" if _usual(rows, _engine) else ""
    where = (
        f"Split {setting.split}: {seen} seen and {len(counts.seen) - seen} unseen classes, "
        f"{len(counts.image_ids)} images{engine}."
    )
    limit = f"TESTING ONLY: scored on the first {setting.max_images} images of the evaluation part."
    done = next(row for row in rows if row.records)
    protocol = done.records[0].spec.protocol
    rules = f"Protocol {protocol.name}: {protocol.in_words()}. Offset gamma of the seen classes: {gamma_text(done)}."
    how = f"Scores in percent; IoU convention {setting.convention}: {CONVENTION_TEXTS[setting.convention]}."
    warning = _split_note(setting)
    return [where, *([warning] if warning else []), *([limit] if setting.max_images else []), rules, how]


def _split_note(setting: Setting) -> str:
    """The warning of the split, as far as its file is still the one that was run."""
    try:
        split = load_split(setting.split)
    except (KeyError, ValueError):
        return ""
    return f"On this split: {split.note}." if split.note and split.digest() == setting.split_digest else ""


def _interval_notes(rows: Sequence[Row]) -> list[str]:
    texts = []
    over_seeds, over_images = (_intervals(rows, kind) for kind in ("seeds", "images"))
    if over_seeds:
        counts = sorted({len(row.done) for row, _ in over_seeds})
        reach = ", ".join(f"{_reach(n):.2f} standard deviations at n = {n}" for n in counts)
        level = over_seeds[0][1].level
        texts.append(
            f"±: half width of Student's t {level:.0%} interval over n seeds ({reach}); does not cover the images."
        )
    if over_images:
        level = over_images[0][1].level
        texts.append(
            f"[low, high]: {level:.0%} bootstrap interval over the images for these n runs; does not cover the seeds."
        )
    if over_seeds and over_images:
        texts.append("The two kinds of interval cover different doubts: do not compare their widths.")
    return texts


def _intervals(rows: Sequence[Row], kind: str) -> list[tuple[Row, Interval]]:
    shown = [(row, row.estimates[metric].interval) for row in rows for metric in SHOWN if row.done]
    return [(row, interval) for row, interval in shown if interval is not None and interval.kind == kind]


def _reach(n: int) -> float:
    """Half width of the t interval over n seeds in standard deviations of the seeds."""
    unit = [-1.0, 1.0, *[0.0] * (n - 2)]
    interval = t_interval(unit)
    assert interval is not None
    return float(interval.high / (2 / (n - 1)) ** 0.5)


def _ranking_notes(rows: Sequence[Row]) -> list[str]:
    classes = sorted({row.supervision for row in rows if row.supervision})
    ranked = "Best (bold or *): highest as printed among the rows with all runs"
    if len(classes) > 1:
        return [f"{ranked} of one supervision class; classes are not ranked against each other."]
    if sum(row.is_complete for row in rows) > 1:
        return [f"{ranked}. Supervision of every row: {classes[0] if classes else 'not said'}."]
    return [f"Supervision: {classes[0]}."] if classes else []


def _difference_notes(rows: Sequence[Row], differences: Sequence[Difference | None]) -> list[str]:
    found = [one for one in differences if one is not None]
    if not found:
        return []
    kinds = " or ".join(sorted({one.paired.interval.kind for one in found}))
    first = found[0].paired
    return [
        f"ΔhIoU: percentage points more than {rows[0].label!r}, with the {first.interval.level:.0%} interval of a "
        f"paired bootstrap over {kinds} ({first.replicates} replicates); p: two-sided, Holm over {len(found)} "
        f"comparison{'s' if len(found) > 1 else ''}."
    ]


def _cost_notes(rows: Sequence[Row]) -> list[str]:
    costs = [row.cost for row in rows]
    sizes = sorted({"x".join(map(str, cost.image_size)) for cost in costs if cost is not None})
    if not sizes:
        return []
    device = f" on {_usual(rows, _device)}" if _usual(rows, _device) else ""
    return [
        f"Params: trainable / total at test. GFLOPs: one test image of {' or '.join(sizes)}, a multiply-add is two. "
        f"Train, Test: wall time of training and of one image, medians over the runs{device}."
    ]


def _budget_notes(rows: Sequence[Row]) -> list[str]:
    usual = _usual(rows, budget_text)
    if not usual:
        return []
    return [f"Training: {usual}{'' if _shared(rows, budget_text) else ', except where marked'}."]


def _source_notes(rows: Sequence[Row]) -> list[str]:
    known = sum(len(row.records) for row in rows)
    return (
        [f"From {known} runs ({runs_digest(rows)}); their ids are in the csv and json forms of this table."]
        if known
        else []
    )


def _usual(rows: Sequence[Row], text_of: Callable[[Row], str]) -> str:
    """What holds for most rows that have results, the first such text where several do; empty where none repeats."""
    texts = [text_of(row) for row in rows if row.records]
    if not any(texts):
        return ""
    text, times = Counter(texts).most_common(1)[0]
    return text if times > 1 or len(texts) == 1 else ""


def _shared(rows: Sequence[Row], text_of: Callable[[Row], str]) -> str:
    """What holds for all rows that have results; empty where they differ."""
    texts = {text_of(row) for row in rows if row.records}
    return texts.pop() if len(texts) == 1 else ""


def _reconstruction(row: Row) -> str:
    return f"Reconstruction: {row.reconstruction.rstrip('.')}" if row.reconstruction else ""


def _engine(row: Row) -> str:
    return _of_all(row, lambda record: record.spec.engine)


def _device(row: Row) -> str:
    return _of_all(row, lambda record: f"{record.environment.device}, torch threads: {record.environment.threads}")


def _of_all(row: Row, text_of: Callable[[RunRecord], str]) -> str:
    return " and ".join(sorted({text_of(record) for record in row.records}))


def _problems(row: Row) -> list[str]:
    """One text for every way in which runs of the row are not as they should be, with their seeds."""
    seeds: dict[str, list[str]] = {}
    for cell in row.cells:
        if cell.scores is None:
            text = cell.problem if cell.state == cell.problem else f"{cell.state}: {cell.problem}"
            seeds.setdefault(shorten(text, 200, placeholder=" …"), []).append(str(cell.seed))
        elif cell.is_stale:
            seeds.setdefault("stale: made by another version of the code", []).append(str(cell.seed))
    return [f"seed{'s' if len(which) > 1 else ''} {', '.join(which)} {text}" for text, which in seeds.items()]


UNUSUAL: dict[Callable[[Row], str], str] = {budget_text: "", _engine: "engine ", _device: "measured on "}
"""What a row's note tells where it is not as in most rows, and the words before it."""
