"""Runs that a study or a table of a paper lacks, as a study of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.core.grid import make_grid
from benchmark.core.plan import Plan
from benchmark.core.run_state import RunState
from benchmark.core.study import Study, StudyRow
from benchmark.planning.outline import outline_runs
from benchmark.planning.requested_study import Request, make_requested_study
from benchmark.planning.selection import Selection, select_runs
from benchmark.store.store import Store


@dataclass(frozen=True)
class MissingRuns:
    """Runs of a study that are not done.

    Attributes:
        selection: All runs of the study.
        states: State of every run by its ID.
        study: Study of the runs that are not done; None if all are.
        obstacle: Reason why it is not known here which runs are done, so that all count as missing; empty if it is.
    """

    selection: Selection
    states: Mapping[str, RunState]
    study: Study | None
    obstacle: str = ""

    @property
    def left(self) -> tuple[str, ...]:
        """IDs of the runs that are not done."""
        return tuple(run_id for run_id, state in self.states.items() if state is not RunState.DONE)


def find_missing(request: Request, store: Store, *, name: str = "missing") -> MissingRuns:
    """Find the runs of a study or a table that are not done.

    Args:
        request: Study or table, and changes of its settings.
        store: Store that holds the runs.
        name: Name of the study of the missing runs.

    Raises:
        KeyError: A name is unknown; the message names the nearest.
        ValueError: The runs are impossible; the message says why.
    """
    try:
        selection, obstacle = select_runs(request, store=store, keep=False), ""
    except (OSError, ValueError) as error:
        selection = outline_runs(request)  # impossible runs are refused here again
        obstacle = str(error)
    assert selection.plan is not None
    states = {run_id: RunState.MISSING if obstacle else store.run(run_id).read_state() for run_id in selection.ids}
    study = make_requested_study(request)
    return MissingRuns(selection, states, _make_missing_study(study, selection.plan, states, name=name), obstacle)


def _make_missing_study(study: Study, plan: Plan, states: Mapping[str, RunState], *, name: str) -> Study | None:
    """Return the study of the runs that are not done, one row per row and set of seeds; None if all are done."""
    rows: list[StudyRow] = []
    for given, row in zip(make_grid(study), plan.rows, strict=True):
        seeds = tuple(seed for seed, run_id in row.ids.items() if states.get(run_id) not in (RunState.DONE, None))
        if not seeds:
            continue
        new = StudyRow(
            method=given.method,
            label=row.label,
            set=dict(given.overrides),
            split=(given.split,),
            protocol=given.protocol,
            seeds=seeds,
            weights=given.weights,
        )
        same = next(
            (index for index, old in enumerate(rows) if old.model_copy(update={"split": new.split}) == new), None
        )
        if same is None:
            rows.append(new)
        else:
            rows[same] = rows[same].model_copy(update={"split": (*rows[same].split, given.split)})
    if not rows:
        return None
    return Study(
        name=name,
        title=f"{study.title} (missing runs)",
        rows=tuple(rows),
        engine=study.engine,
        max_images=study.max_images,
    )


def join_missing(parts: list[MissingRuns], *, name: str, title: str) -> Study | None:
    """Return one study of the missing runs of several; None if all are done."""
    studies = [part.study for part in parts if part.study is not None]
    if not studies:
        return None
    rows = tuple(row for study in studies for row in study.rows)
    return studies[0].model_copy(update={"name": name, "title": title, "rows": rows})
