"""Protocol classes in a table: their columns, the traits that decide what is ranked, and the note on mixed traits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from benchmark.core.protocol_class import ClassKey, ProtocolClass
from benchmark.report.result_row import ResultRow
from benchmark.report.tables.cells import format_texts
from benchmark.report.tables.column import Column, TableRow
from benchmark.report.tables.headers import describe_supervision

TRAIT_WORDS = {
    "supervision": "supervision",
    "setting": "training setting",
    "vocabulary": "vocabulary at test",
    "target_images": "target images",
    "mask_votes": "mask votes",
    "background": "background",
    "threshold": "threshold of the background",
    "backbone": "backbone",
    "extra_models": "extra models",
}
"""Words for the fields of `ProtocolClass`."""
MAX_VALUES = 4
"""Values of a trait that the note on mixed traits lists."""


def describe_extra_models(traits: ProtocolClass) -> str:
    """Return the extra models in one text; "none" only if the backbone is known, and empty if nothing is."""
    return " + ".join(traits.extra_models) or ("none" if traits.backbone else "")


def name_deciding_traits(rows: Iterable[ResultRow]) -> str:
    """Return in words the traits that split the rows into classes that are ranked apart; empty for a single class.

    A trait that goes with the supervision, as the setting goes with training, is not named beside it.
    """
    keys = {row.traits.key for row in rows if row.supervision}
    kinds = {key.supervision for key in keys}
    names = [
        name for name in ClassKey._fields if len({(key.supervision, getattr(key, name)) for key in keys}) > len(kinds)
    ]
    words = [TRAIT_WORDS[name] for name in (["supervision"] if len(kinds) > 1 else []) + names]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def describe_mixed_traits(rows: Sequence[ResultRow]) -> list[str]:
    """Return the note on the traits in which rows with results differ, supervision apart; none if there are none."""
    done = [row.traits for row in rows if row.done]
    texts = [text for name in TRAIT_WORDS if name != "supervision" for text in _describe_values(name, done)]
    return [f"Rows differ in {', '.join(texts)}."] if texts else []


class TraitDifference(NamedTuple):
    """A trait in which two sides differ, and the values of both, in words."""

    trait: str
    first: str
    second: str


def list_trait_differences(first: ProtocolClass, second: ProtocolClass) -> list[TraitDifference]:
    """Return the traits that are known of both sides and differ."""
    differences = [
        TraitDifference(words, _read(name, first), _read(name, second)) for name, words in TRAIT_WORDS.items()
    ]
    return [known for known in differences if known.first and known.second and known.first != known.second]


def compare_traits(a: ProtocolClass, b: ProtocolClass) -> list[str]:
    """Return the traits, supervision apart, that are known of both sides and differ, with both values."""
    supervision = TRAIT_WORDS["supervision"]
    known = [difference for difference in list_trait_differences(a, b) if difference.trait != supervision]
    return [f"{trait}: A {first}; B {second}" for trait, first, second in known]


def _describe_values(name: str, traits: Sequence[ProtocolClass]) -> list[str]:
    """Return a trait with its values, the most frequent ones first; nothing if fewer than two are known."""
    known = [value for each in traits if (value := _read(name, each))]
    values = sorted(dict.fromkeys(known), key=lambda value: -known.count(value))
    if len(values) < 2:
        return []
    more = len(values) - MAX_VALUES
    shown = "; ".join(values[:MAX_VALUES]) + (f"; {more} more" if more > 0 else "")
    return [f"{TRAIT_WORDS[name]} ({shown})"]


def _read(name: str, traits: ProtocolClass) -> str:
    """Return a trait in words; empty if it is unknown."""
    if name == "supervision":
        return describe_supervision(traits.supervision) if traits.supervision else ""
    return describe_extra_models(traits) if name == "extra_models" else str(getattr(traits, name))


def _get_trait(name: str, table_row: TableRow) -> str:
    return _read(name, table_row.row.traits)


KEY_COLUMNS = (
    Column("training_setting", lambda table_row: table_row.row.traits.key.setting),
    Column("vocabulary", partial(_get_trait, "vocabulary")),
    Column("target_images", partial(_get_trait, "target_images")),
)
"""Columns that, with supervision, decide which rows are ranked with each other."""
TRAIT_COLUMNS = (
    *KEY_COLUMNS,
    *(Column(name, partial(_get_trait, name)) for name in ("mask_votes", "background", "threshold")),
    Column(
        "backbone",
        partial(_get_trait, "backbone"),
        header="Backbone",
        format=partial(format_texts, "backbone"),
        is_text=True,
        is_shown=lambda _frame: False,
    ),
    Column(
        "extra_models",
        partial(_get_trait, "extra_models"),
        header="Extra models",
        format=partial(format_texts, "extra_models"),
        is_text=True,
        is_shown=lambda _frame: False,
    ),
)
"""Columns of all traits but supervision, which is one of the default columns; printed if they are selected."""
