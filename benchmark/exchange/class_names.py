"""Files that say which class an id or a color in a label map stands for.

JSON: {"0": "aeroplane", "1": null, …}, {"aeroplane": 0, …}, {"#800000": "aeroplane", …} for color images, a list of
names in the order of the ids, or a table with one of these as "classes", such as the classes.json that `predict`
writes. Text: one name per line in the order of the ids, or lines such as "7 aeroplane" and "7: aeroplane".
"""

from __future__ import annotations

import json
import re
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.utils.did_you_mean import explain_missing_file

NamesById = dict[int, str | None]
"""Name of the class by id, or by color as 0xRRGGBB; None for no class."""

_NUMBERED_LINE = re.compile(r"(\d+)(?:\s*[:,=\t]\s*|\s+)(.*)")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class ClassNames:
    """Names of the ids in label maps.

    Attributes:
        names: Name of the class by id, or by color.
        is_by_color: Whether the keys are colors, so that the label maps are color images.
    """

    names: NamesById
    is_by_color: bool = False


def read_class_names(path: Path) -> ClassNames:
    """Read a file of names by id.

    Raises:
        KeyError: There is no such file.
        ValueError: The file has none of the forms above, or an id twice; the message names the file.
    """
    if not path.is_file():
        raise KeyError(explain_missing_file("file of class names", str(path), f"*{path.suffix or '.json'}"))
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            return interpret_names(json.loads(text, object_pairs_hook=_read_pairs))
        return _parse_lines(text)
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} does not name classes ({error}); expected JSON such as "
            '{"0": "aeroplane", "1": "bicycle"}, a list of names, or a text file with one name per line'
        ) from error


def interpret_names(value: Any) -> ClassNames:
    """Return the names in a JSON value that has one of the forms above.

    Raises:
        ValueError: It has none of them.
    """
    if isinstance(value, Mapping) and isinstance(value.get("classes"), Mapping | list):
        value = value["classes"]
    if isinstance(value, list):
        return ClassNames(dict(enumerate(map(_check_name, value))))
    if not isinstance(value, Mapping) or not value:
        raise ValueError("it holds no names")
    keys = [str(key) for key in value]
    if all(map(_COLOR.fullmatch, keys)):
        return ClassNames({int(key[1:], 16): _check_name(name) for key, name in value.items()}, is_by_color=True)
    if all(isinstance(number, int) and not isinstance(number, bool) for number in value.values()):
        _refuse_repeated("id", value.values())
        return ClassNames({number: name for name, number in value.items()})
    return ClassNames({_read_id(key): _check_name(name) for key, name in value.items()})


def _parse_lines(text: str) -> ClassNames:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise ValueError("it holds no names")
    numbered = [_NUMBERED_LINE.fullmatch(line) for line in lines]
    if all(numbered):
        pairs = [(int(match[1]), match[2].strip()) for match in numbered if match is not None]
        _refuse_repeated("id", [number for number, _ in pairs])
        return ClassNames(dict(pairs))
    return ClassNames(dict(enumerate(lines)))


def _read_pairs(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_repeated("key", [key for key, _ in pairs])
    return dict(pairs)


def _refuse_repeated(kind: str, values: Iterable[Any]) -> None:
    repeated = [value for value, times in Tally(values).items() if times > 1]
    if repeated:
        raise ValueError(f"the {kind} {repeated[0]!r} is given twice")


def _read_id(key: str) -> int:
    if not key.isdecimal():
        raise ValueError(f"{key!r} is no id, expected a whole number or a color such as '#800000'")
    return int(key)


def _check_name(name: Any) -> str | None:
    if name is not None and not isinstance(name, str):
        raise ValueError(f"{name!r} is no name of a class")
    return name
