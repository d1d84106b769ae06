"""The one YAML loader: plain values mean what they look like, and what is ambiguous is refused.

The loader follows YAML 1.2 where 1.1 surprises: `no`, `on`, `10:30` and `2024-01-01` are texts, `1e-3` is a number. It
refuses a key that is given twice, numbers with leading zeros or misplaced underscores, keys that are not texts or
integers, a second document, and aliases that multiply.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isinf
from typing import Any

import yaml

MAX_COPIES = 100_000
"""Largest number of values that the aliases of a text may add to those that it spells out."""
AMBIGUOUS = "!ambiguous"
"""Tag of plain scalars that different readers of YAML take for different values."""

_TAG = "tag:yaml.org,2002:"
_SUPPORTED = ("null", "bool", "int", "float", "str", "seq", "map")
_SCALARS = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?(0|[1-9][0-9]*|[1-9][0-9]{0,2}(_[0-9]{3})+)|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    "float": (
        r"[-+]?(((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
_AMBIGUOUS_NUMBER = r"[-+]?(0[0-9_]+(\.[0-9]*)?([eE][-+]?[0-9]+)?|[0-9]+_[0-9_]*(\.[0-9_]*)?|0b[01_]+)"


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Loader in C if there is one: a study with a thousand seeds takes a tenth of a second without it."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  declared by PyYAML; not those of YAML 1.1

    def get_single_node(self) -> Any:
        """Read the nodes of the one document, and check their keys and aliases."""
        node = super().get_single_node()
        if node is not None:
            sizes: dict[int, int] = {}
            if _count_values(node, sizes) > len(sizes) + MAX_COPIES:
                raise _make_error(node, f"aliases (*) repeat more than {MAX_COPIES} values")
        return node

    def flatten_mapping(self, node: Any) -> None:
        """Add the keys of merged tables (<<) that a table does not have; those of the first of several count.

        PyYAML 6.0.4 takes the wrong one of equal keys if a merged table merges another one.
        """
        pairs = {key.value: (key, value) for key, value in node.value if key.tag != f"{_TAG}merge"}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for table in [part for key, value in node.value if key.tag == f"{_TAG}merge" for part in _list_merged(value)]:
            self.flatten_mapping(table)
            merged = {key.value: (key, value) for key, value in table.value} | merged
        node.value = [*(pair for key, pair in merged.items() if key not in pairs), *pairs.values()]


class Dumper(yaml.SafeDumper):
    """Dumper of what the loader reads: texts that some reader of YAML takes for another value are in quotes."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Write equal values again in place of aliases, which are harder to read."""
        return True


def _count_values(node: Any, sizes: dict[int, int]) -> int:
    """Check the keys of all tables within a node, and return the number of its values with all copies by aliases.

    Args:
        node: Node of a document.
        sizes: Numbers of values by the identity of nodes that are counted already; 0 for those around this one.

    Raises:
        ConstructorError: A key is given twice or is not a text, or a node is within itself.
    """
    known = sizes.get(id(node))
    if known == 0:
        raise _make_error(node, "an alias (*) stands within its own value")
    if known is not None:
        return known
    sizes[id(node)] = 0
    if isinstance(node, yaml.MappingNode):
        _check_keys([key for key, _ in node.value])
        children = [child for pair in node.value for child in pair]
    else:
        children = node.value if isinstance(node, yaml.SequenceNode) else []
    sizes[id(node)] = 1 + sum(_count_values(child, sizes) for child in children)
    return sizes[id(node)]


def _check_keys(keys: Sequence[yaml.Node]) -> None:
    lines: dict[str, int] = {}
    for key in keys:
        if key.tag.removeprefix(_TAG) not in ("str", "int", "merge", AMBIGUOUS):
            text = key.value if isinstance(key, yaml.ScalarNode) else "a list or a table"
            raise _make_error(key, f"the key {text} is not a text: put it in quotes")
        if key.value in lines:
            first = lines[key.value]
            raise _make_error(key, f"{key.value!r} is given twice, first in line {first}: remove one of them")
        lines[key.value] = key.start_mark.line + 1


def _list_merged(node: yaml.Node) -> list[yaml.Node]:
    """Return the tables that a merge key (<<) names."""
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    if not all(isinstance(part, yaml.MappingNode) for part in nodes):
        raise _make_error(node, "<< merges a table or a list of tables, such as <<: *defaults")
    return list(nodes)


def _make_error(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)


def _construct_int(loader: Any, node: yaml.ScalarNode) -> int:
    try:
        return int(str(loader.construct_scalar(node)).replace("_", ""), 0)
    except ValueError as error:
        raise _make_error(node, f"{node.value[:40]!r} is not an integer") from error


def _construct_float(loader: Any, node: yaml.ScalarNode) -> float:
    text = str(loader.construct_scalar(node)).lower()
    try:
        value = float(re.sub(r"\.(inf|nan)$", r"\1", text))
    except ValueError as error:
        raise _make_error(node, f"{node.value[:40]!r} is not a number") from error
    if isinf(value) and "inf" not in text:
        raise _make_error(node, f"{node.value[:40]!r} is too large for a number")
    return value


def _refuse_ambiguous(_: Any, node: yaml.ScalarNode) -> None:
    text = node.value
    raise _make_error(node, f"{text} is not read alike everywhere: write a plain decimal number, or the text {text!r}")


def _refuse_tag(_: Any, node: yaml.Node) -> None:
    tag = str(node.tag).replace(_TAG, "!!")
    raise _make_error(node, f"the tag {tag} is not supported: remove it, or put the value in quotes")


def _set_up() -> None:
    for name, (pattern, first) in _SCALARS.items():
        Loader.add_implicit_resolver(f"{_TAG}{name}", re.compile(rf"^(?:{pattern})$"), first)
    Loader.add_implicit_resolver(AMBIGUOUS, re.compile(rf"^(?:{_AMBIGUOUS_NUMBER})$"), list("-+0123456789"))
    for character, resolvers in Loader.yaml_implicit_resolvers.items():
        for tag, regexp in resolvers:
            Dumper.add_implicit_resolver(tag, regexp, [character])
    kept = {f"{_TAG}{name}" for name in _SUPPORTED}
    Loader.yaml_constructors = {tag: make for tag, make in Loader.yaml_constructors.items() if tag in kept}
    Loader.add_constructor(f"{_TAG}int", _construct_int)
    Loader.add_constructor(f"{_TAG}float", _construct_float)
    Loader.add_constructor(AMBIGUOUS, _refuse_ambiguous)
    Loader.add_constructor(None, _refuse_tag)


_set_up()
