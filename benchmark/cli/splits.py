"""`splits`: the unseen classes of splits, drawn ones and those of a study among them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.completion import complete_splits_and_studies
from benchmark.cli.console import format_count, print_columns, print_json, print_line, print_note
from benchmark.cli.options import AsJson
from benchmark.cli.out_files import make_out_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark.core.split import Split


def splits(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="SPLIT | STUDY...",
            help="Splits, such as toybox or toybox@6-s0-00, and studies, for all of their splits.",
            autocompletion=complete_splits_and_studies,
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        make_out_folder("Folder to write a YAML file per split to."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the unseen classes of splits, and in how many of them each class is unseen."""
    from benchmark.core.split import load_split
    from benchmark.core.split_file import write_splits

    loaded: dict[str, tuple[Split, str]] = {}
    for source in (source for name in names for source in _list_sources(name)):
        split = load_split(source)
        loaded.setdefault(split.digest(), (split, source))
    different = [split for split, _ in loaded.values()]
    paths = write_splits(different, out) if out is not None else []
    if as_json:
        print_json(_describe(different))
    else:
        _print_splits(different, [source for _, source in loaded.values()])
    if paths:
        print_note(f"{format_count(len(paths), 'file')} in {out}")


def _list_sources(name: str) -> Sequence[str]:
    """Return the splits that a name stands for: those of a study, or the split of this name."""
    from benchmark.core.grid import make_grid
    from benchmark.core.split import list_splits
    from benchmark.core.split_draw import is_drawn
    from benchmark.core.study import list_studies, load_study
    from benchmark.utils.did_you_mean import explain_missing_yaml

    is_file = name.endswith((".yaml", ".yml"))
    if is_file and not Path(name).expanduser().is_file():
        raise KeyError(explain_missing_yaml("file of a split or study", name, ()))
    if name in list_splits() or is_drawn(name) or (is_file and _holds_split(Path(name).expanduser())):
        return [name]
    if is_file or name in list_studies():
        return list(dict.fromkeys(row.split for row in make_grid(load_study(name))))
    raise KeyError(explain_missing_yaml("split or study", name, [*list_splits(), *list_studies()]))


def _holds_split(path: Path) -> bool:
    """Return whether a YAML file holds a split, and not a study."""
    from benchmark.utils.yaml_files import read_table

    return "classes" in read_table(path, kind="split or study")


def _group(loaded: Sequence[Split]) -> dict[str, list[Split]]:
    """Return splits by their dataset."""
    groups: dict[str, list[Split]] = {}
    for split in loaded:
        groups.setdefault(split.dataset, []).append(split)
    return groups


def _count_unseen(group: Sequence[Split]) -> dict[str, int]:
    """Return in how many splits of one dataset each of their classes is unseen."""
    classes = dict.fromkeys(name for split in group for name in split.classes)
    return {name: sum(name in split.unseen for split in group) for name in classes}


def _describe(loaded: Sequence[Split]) -> dict[str, Any]:
    """Return splits as JSON values."""
    fields = {"name", "dataset", "unseen", "kinds", "never_unseen", "protocol", "source"}
    described = [split.model_dump(mode="json", include=fields) | {"seen": list(split.seen)} for split in loaded]
    counts = {dataset: _count_unseen(group) for dataset, group in _group(loaded).items()}
    return {"splits": described, "times_unseen": counts}


def _print_splits(loaded: Sequence[Split], sources: Sequence[str]) -> None:
    """Print splits, those that share a name as they were given."""
    times = Counter(split.name for split in loaded)
    names = [split.name if times[split.name] == 1 else source for split, source in zip(loaded, sources, strict=True)]
    rows = [
        [name, f"{len(split.seen)} + {len(split.unseen)}", ", ".join(split.unseen)]
        for name, split in zip(names, loaded, strict=True)
    ]
    print_columns(["split", "seen + unseen", "unseen classes"], rows)
    for dataset, group in _group(loaded).items():
        if len(group) > 1:
            print_line(f"\nIn how many of {len(group)} splits of {dataset} each class is unseen")
            counts = _count_unseen(group)
            cells = [[name, _describe_class(name, group), str(count)] for name, count in counts.items()]
            print_columns(["class", "kind", "unseen in"], cells)


def _describe_class(name: str, group: Sequence[Split]) -> str:
    """Return the kind of a class, and whether no draw withholds it."""
    split = next(split for split in group if name in split.classes)
    kind = next((kind for kind, names in split.kinds.items() if name in names), "-")
    return f"{kind} (never unseen)" if name in split.never_unseen else kind
