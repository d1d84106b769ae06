"""Results of single runs, read from their own files, with what rows and tables need to know of their pixel counts."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.core.run_record import RunRecord
from benchmark.core.run_state import RunState
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.jackknife import leave_out_scores
from benchmark.evaluation.sanity import find_alarms
from benchmark.evaluation.scores import Convention, Metric, score
from benchmark.report.result_row import RunResult
from benchmark.report.slim_counts import read_slim_counts
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store


@dataclass(frozen=True)
class ResultReader:
    """Reader of the results of runs.

    Attributes:
        store: Store that holds the runs.
        convention: Convention of the scores.
        metrics: Metrics whose scores without each image are computed while the counts are in memory.
    """

    store: Store
    convention: Convention
    metrics: tuple[Metric, ...]

    def read(self, run_id: str) -> RunResult:
        """Return the result of a run, or why there is none, from its own files alone; its seed is 0."""
        folder = self.store.run(run_id)
        try:
            record = folder.read_record()
            counts = read_slim_counts(folder, record)
        except (ValueError, OSError):  # of a run without a result; the files tell more when read one by one
            return self._read_any_state(folder)
        return self._evaluate(folder, record, counts)

    def _read_any_state(self, folder: RunFolder) -> RunResult:
        """Return the result of a run in any state; its files may be missing or broken."""
        snapshot = folder.read_snapshot()
        state, record = snapshot.state, snapshot.record
        problem = self.store.shorten_paths(snapshot.problem) or state
        if record is not None and record.failure is not None:
            problem = self.store.shorten_paths(record.failure.summary)
        elif record is not None:
            try:
                counts = read_slim_counts(folder, record)
            except ValueError as error:
                state, record, problem = RunState.BROKEN, None, self.store.shorten_paths(str(error))
            else:  # the run was finished just now
                return self._evaluate(folder, record, counts)
        return RunResult(seed=0, run_id=folder.id, state=state, problem=problem, record=record)

    def _evaluate(self, folder: RunFolder, record: RunRecord, counts: Counts) -> RunResult:
        return RunResult(
            seed=0,
            run_id=folder.id,
            state=RunState.DONE,
            record=record,
            counts=counts,
            scores=score(counts, self.convention),
            left_out=leave_out_scores(counts, metrics=self.metrics, convention=self.convention),
            alarms=tuple(find_alarms(counts)),
        )
