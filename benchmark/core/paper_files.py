"""Files of papers: which are included, and how one is read."""

from __future__ import annotations

from pathlib import Path

from benchmark.core.anchored_paths import anchor_method, anchor_value, anchor_yaml
from benchmark.core.paper import Paper, PaperTable
from benchmark.core.table_name import is_paper_file
from benchmark.utils.did_you_mean import explain_missing_yaml
from benchmark.utils.paths import ROOT
from benchmark.utils.yaml_files import read_model

PAPERS = ROOT / "benchmark" / "papers"


def list_papers(folder: Path = PAPERS) -> list[str]:
    """Return the names of the included papers, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def find_paper(name: str, folder: Path = PAPERS) -> Path:
    """Return the file of an included paper, or the file that a path names.

    Raises:
        KeyError: There is no such paper; the message names the nearest.
    """
    path = Path(name).expanduser() if is_paper_file(name) else folder / f"{name.replace('-', '_')}.yaml"
    if not path.is_file():
        raise KeyError(explain_missing_yaml("paper", name, list_papers(folder), key="tables"))
    return path


def read_paper(path: Path) -> Paper:
    """Read a paper as its file has it, with paths as they are written.

    Raises:
        ValueError: The file is not a valid paper; the message says why.
        OSError: The file cannot be read.
    """
    return read_model(Paper, path, kind="paper", name=path.stem)


def anchor_table(table: PaperTable, folder: Path) -> PaperTable:
    """Return a table whose paths, relative to the folder of its file, do not depend on the current folder."""
    rows = tuple(
        row.model_copy(
            update={
                "method": anchor_method(row.method, folder) if row.method else "",
                "set": anchor_value(row.set, folder),
                "set_on": anchor_value(row.set_on, folder),
                "protocol": anchor_yaml(row.protocol, folder),
            }
        )
        for row in table.rows
    )
    datasets = tuple(
        dataset.model_copy(
            update={
                "split": anchor_yaml(dataset.split, folder),
                "resampled": dataset.resampled and dataset.resampled.with_paths_in(folder),
            }
        )
        for dataset in table.datasets
    )
    return table.model_copy(
        update={
            "rows": rows,
            "datasets": datasets,
            "protocol": anchor_yaml(table.protocol, folder),
            "set": anchor_value(table.set, folder),
        }
    )
