"""The runs and plans below one folder.

    ROOT/<id>/                  one run, see `benchmark.store.run_paths`
    ROOT/plans/<study>.json     runs of a study
    ROOT/plans/<study>.memo     cache of how the plan was made, see `benchmark.planning.plan_cache`; may be deleted
    ROOT/index/                 what was read from a large store, see `benchmark.store.index`; may be deleted

Reading changes nothing but the index, creates no other folder and needs no torch.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.core.run_name import make_text
from benchmark.store.exact_names import is_called
from benchmark.store.run_folder import RunFolder
from benchmark.utils.atomic_files import UnreadableError, describe_unreadable, format_json, read_value, write_text
from benchmark.utils.did_you_mean import explain_unknown_name, find_near_name
from benchmark.utils.paths import find_runs_folder

if TYPE_CHECKING:
    from benchmark.core.plan import Plan

_MATCHERS: tuple[Callable[[str, str], bool], ...] = (str.__eq__, str.startswith, str.__contains__)
FEW_RUNS = 5
"""Largest number of runs that a message lists."""
RUN_ID = r".+-s\d+-[0-9a-f]{16}"
"""Regular expression of the names of runs' folders."""
_ID = re.compile(RUN_ID)


class Store:
    """Runs and plans below one folder. The object holds no state: every method reads from or writes to disk.

    Attributes:
        root: Folder of the runs; it need not exist.
        options: Global options that the user gave beside the folder, which printed commands repeat.
    """

    def __init__(self, root: Path | str = "runs", *, options: Sequence[str] = ()) -> None:
        self.root = Path(root)
        self.options = tuple(options)

    def run(self, run_id: str) -> RunFolder:
        """Return the folder of a run; it need not exist."""
        return RunFolder(self.root / run_id)

    def shorten_paths(self, text: str) -> str:
        """Return a text in which paths below the folder of the runs are relative to it, as on every machine."""
        for root in (os.path.abspath(self.root), str(self.root)):
            text = re.sub(rf"(?<![\w./-]){re.escape(root.rstrip(os.sep))}{re.escape(os.sep)}", "", text)
        return text

    def list_ids(self) -> list[str]:
        """Return the ids of all runs that have a folder, sorted.

        Raises:
            UnreadableError: The folder of the runs cannot be read.
        """
        return sorted(entry.name for entry in _list_folder(self.root) if _ID.fullmatch(entry.name) and entry.is_dir())

    def find(self, text: str) -> str:
        """Return the id that equals, begins with, or contains `text`, in this order of preference.

        A text may also be spelled as in tables: "no SGD", "imported/SAM 3". Of several runs, the one that is called so
        comes before those whose names are longer.

        Raises:
            KeyError: No run matches, or several do.
        """
        ids = self.list_ids()
        lowered = text.lower().strip().rstrip("/")
        spellings = dict.fromkeys([lowered, make_text(text, "", {})])
        for fits, wanted in product(_MATCHERS, filter(None, spellings)):
            matches = [run_id for run_id in ids if fits(run_id.lower(), wanted)]
            if len(matches) > 1:
                matches = [run_id for run_id in matches if is_called(self.run(run_id), text)] or matches
            if len(matches) == 1:
                return matches[0]
            if matches:
                some = ", ".join(matches[:4]) + (", …" if len(matches) > 4 else "")
                raise KeyError(f"{text!r} is ambiguous: it matches {len(matches)} runs in {self.root}: {some}")
        if not ids:
            raise KeyError(f"no run {text!r}: there are no runs in {self.root}; give another folder with --runs")
        raise KeyError(self._describe_unknown_run(text, ids))

    def write_plan(self, plan: Plan) -> Path:
        """Write the plan of a study and return its path."""
        path = self._make_plan_path(plan.study)
        write_text(path, format_json(plan))
        return path

    def read_plan(self, name: str) -> Plan:
        """Read the plan of a study.

        Raises:
            KeyError: The study was never planned here; the message names the nearest plan.
            ValueError: The file is broken, or of another version; the message says what to do.
        """
        from benchmark.core.plan import Plan

        if name not in self.list_plans():
            raise KeyError(self._describe_unknown_plan(name))
        try:
            return read_value(Plan, self._make_plan_path(name))
        except ValueError as error:
            is_old = "older version" in str(error) and _is_included_study(name)
            advice = f": {self.format_command('plan', name)}" if is_old else ""
            raise ValueError(f"{error}{advice}") from error

    def _describe_unknown_plan(self, name: str) -> str:
        if _is_included_study(name):
            begin = self.format_command("run", name)
            return f"study {name!r} was never planned in {self.root}; begin with: {begin}"
        return f"{explain_unknown_name('plan', name, self.list_plans())} in {self.root}"

    def read_plans(self) -> tuple[dict[str, Plan], list[str]]:
        """Read all plans; returns those that can be read by name, and one line about each that cannot."""
        plans, problems = {}, []
        try:
            names = self.list_plans()
        except UnreadableError as error:
            return {}, [str(error)]
        for name in names:
            try:
                plans[name] = self.read_plan(name)
            except ValueError as error:
                problems.append(str(error))
            except KeyError:  # deleted since it was listed
                continue
        return plans, problems

    def format_command(self, *words: str) -> str:
        """Return a command line that the user can run next, on this store."""
        root = str(self.root)
        is_default = root == find_runs_folder()
        return shlex.join(["chimera-bench", *([] if is_default else ["--runs", root]), *self.options, *words])

    def list_plans(self) -> list[str]:
        """Return the names of all planned studies, sorted.

        Raises:
            UnreadableError: The folder of the plans cannot be read.
        """
        paths = [Path(entry) for entry in _list_folder(self.root / "plans")]
        return sorted(path.stem for path in paths if path.suffix == ".json" and not path.name.startswith("."))

    def _make_plan_path(self, name: str) -> Path:
        return self.root / "plans" / f"{name}.json"

    def _describe_unknown_run(self, text: str, ids: list[str]) -> str:
        if len(ids) <= FEW_RUNS:
            return explain_unknown_name("run", text, ids)
        near = find_near_name(text, ids)
        hint = ";" if near is None else f"; did you mean {near!r}?"
        return f"no run {text!r}{hint} {self.root} holds {len(ids)} runs; see: {self.format_command('status')}"


def _list_folder(folder: Path) -> list[os.DirEntry[str]]:
    """Return the entries of a folder; none if there is no such folder.

    Raises:
        UnreadableError: The folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UnreadableError(describe_unreadable(folder, error)) from error


def _is_included_study(name: str) -> bool:
    from benchmark.core.study import list_studies  # takes a tenth of the time of `status`

    return name in list_studies()
