"""The runs and plans below one folder.

    ROOT/<id>/                  one run, see `benchmark.store.run_paths`
    ROOT/plans/<study>.json     runs of a study
    ROOT/plans/<study>.memo     cache of how the plan was made, see `benchmark.planning.plan_cache`; may be deleted

Reading changes nothing, creates no folder and needs no torch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.core.run_name import make_text
from benchmark.store.run_folder import RunFolder
from benchmark.utils.atomic_files import format_json, read_value, write_text
from benchmark.utils.did_you_mean import explain_unknown_name

if TYPE_CHECKING:
    from benchmark.core.study import Plan

_MATCHERS: tuple[Callable[[str, str], bool], ...] = (str.__eq__, str.startswith, str.__contains__)
_ID = re.compile(r".+-s\d+-[0-9a-f]{16}")


class Store:
    """Runs and plans below one folder. The object holds no state: every method reads from or writes to disk.

    Attributes:
        root: Folder of the runs; it need not exist.
    """

    def __init__(self, root: Path | str = "runs") -> None:
        self.root = Path(root)

    def run(self, run_id: str) -> RunFolder:
        """Return the folder of a run; it need not exist."""
        return RunFolder(self.root / run_id)

    def list_ids(self) -> list[str]:
        """Return the ids of all runs that have a folder, sorted."""
        if not self.root.is_dir():
            return []
        with os.scandir(self.root) as entries:
            return sorted(entry.name for entry in entries if _ID.fullmatch(entry.name) and entry.is_dir())

    def find(self, text: str) -> str:
        """Return the id that equals, begins with, or contains `text`, in this order of preference.

        A text may also be spelled as in tables: "no SGD", "imported/SAM 3".

        Raises:
            KeyError: No run matches, or several do.
        """
        ids = self.list_ids()
        lowered = text.lower().strip().rstrip("/")
        spellings = dict.fromkeys([lowered, make_text(text, "", {})])
        for fits, wanted in product(_MATCHERS, filter(None, spellings)):
            matches = [run_id for run_id in ids if fits(run_id.lower(), wanted)]
            if len(matches) == 1:
                return matches[0]
            if matches:
                some = ", ".join(matches[:4]) + (", …" if len(matches) > 4 else "")
                raise KeyError(f"{text!r} is ambiguous: it matches {len(matches)} runs in {self.root}: {some}")
        if not ids:
            raise KeyError(f"no run {text!r}: there are no runs in {self.root}; give another folder with --runs")
        raise KeyError(_describe_unknown_run(text, ids, self.root))

    def write_plan(self, plan: Plan) -> Path:
        """Write the plan of a study and return its path."""
        path = self._make_plan_path(plan.study)
        write_text(path, format_json(plan))
        return path

    def read_plan(self, name: str) -> Plan:
        """Read the plan of a study.

        Raises:
            KeyError: The study was never planned here; the message names the nearest plan.
            ValueError: The file is broken.
        """
        from benchmark.core.study import Plan, list_studies

        path = self._make_plan_path(name)
        if path.is_file():
            return read_value(Plan, path)
        if name in list_studies():
            raise KeyError(f"study {name!r} was never planned in {self.root}; begin with: chimera-bench run {name}")
        raise KeyError(f"{explain_unknown_name('plan', name, self.list_plans())} in {self.root}")

    def list_plans(self) -> list[str]:
        """Return the names of all planned studies, sorted."""
        return sorted(path.stem for path in (self.root / "plans").glob("*.json") if not path.name.startswith("."))

    def _make_plan_path(self, name: str) -> Path:
        return self.root / "plans" / f"{name}.json"


def _describe_unknown_run(text: str, ids: list[str], root: Path) -> str:
    line = explain_unknown_name("run", text, ids)
    if len(ids) <= 5:
        return line
    return f"{line.partition(' There are')[0]} {root} holds {len(ids)} runs; see: chimera-bench status"
