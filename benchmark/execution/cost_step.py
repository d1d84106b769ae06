"""The last step of a run: the cost of its method, after the result is known and without a risk to it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from benchmark.core.run_record import SWITCHED_OFF, Cost
from benchmark.engine.base import Engine, Observer, Progress, TrainResult
from benchmark.engine.device import move_to_device
from benchmark.engine.optimizer import is_trained
from benchmark.execution.load_run import LoadedRun
from benchmark.profiling.cost import describe_known_cost, measure_cost
from benchmark.store.exceptions import explain_exception

STAGE = "measure cost"

_log = logging.getLogger(__name__)


def determine_cost(
    run: LoadedRun,
    engine: Engine,
    *,
    result: TrainResult,
    predict_s: Sequence[float],
    is_measured: bool,
    observe: Observer,
) -> Cost:
    """Return the cost of a run's method; if it cannot be measured, the cost says why.

    Args:
        run: Run after evaluation.
        engine: Engine of the run.
        result: Result of training.
        predict_s: Seconds of every prediction of the evaluation.
        is_measured: Whether figures that take further passes through the method are measured.
        observe: Function that is called at the begin and at the end of the measurement.
    """
    known = describe_known_cost(run.method, train_seconds=result.seconds)
    if not is_measured:
        return known.model_copy(update={"unmeasured": SWITCHED_OFF})
    observe(Progress(STAGE, 0, 1, {}))
    try:
        measured = _measure(run, engine, predict_s=predict_s)
    except KeyboardInterrupt:
        measured = {"unmeasured": "interrupted"}
    except Exception as error:
        _log.exception("the cost of %s could not be measured; its scores are not affected", run.spec.id)
        measured = {"unmeasured": explain_exception(error).summary}
    observe(Progress(STAGE, 1, 1, {}))
    return known.model_copy(update=measured)


def _measure(run: LoadedRun, engine: Engine, *, predict_s: Sequence[float]) -> dict[str, Any]:
    """Measure the cost of the method on the first scored image and the first micro-batch."""
    budget = run.spec.budget
    image, _ = run.eval_loader.sample(0)
    training = None
    if is_trained(run.method, budget):
        micro_batch = slice(budget.batch_size // budget.micro_batches)
        training = move_to_device(next(run.train_loader.batches(0, 1, slots=micro_batch)), engine.device)
    return measure_cost(
        run.method,
        move_to_device([image], engine.device),
        split=run.split,
        training=training,
        precision=budget.precision,
        predict_s=predict_s,
    )
