"""TensorBoard: event files in the folder `tensorboard` of a run."""

from __future__ import annotations

import time
from collections.abc import Mapping

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.store.run_folder import RunFolder

FOLDER = "tensorboard"


class TensorBoardTracker:
    """Writer of an event file per attempt; TensorBoard drops what an earlier attempt wrote beyond its resumption.

    Args:
        run: Folder of the run.
        spec: Spec of the run.
    """

    def __init__(self, run: RunFolder, spec: RunSpec) -> None:
        self._writer = EventFileWriter(str(run.path / FOLDER))
        self._has_begun = False

    def log(self, iteration: int, values: Mapping[str, float]) -> None:
        """Log values by name."""
        if not self._has_begun:
            self._add(Event(step=iteration, session_log=SessionLog(status=SessionLog.START)))
            self._has_begun = True
        entries = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._add(Event(step=iteration, summary=Summary(value=entries)))

    def finish(self, state: RunState, scores: Mapping[str, float], *, iterations: int) -> None:
        """Log the scores and close."""
        if scores:
            self.log(iterations, {f"score/{name}": value for name, value in scores.items()})
        self._writer.close()

    def _add(self, event: Event) -> None:
        event.wall_time = time.time()
        self._writer.add_event(event)
