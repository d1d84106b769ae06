"""Rows that are measured in processes of their own, within a time limit."""

from __future__ import annotations

import time

from benchmark.execution.measure_devices import PUBLISHED, SMALL, SpeedRow, measure_rows
from benchmark.planning.resolve import outline
from tests.engine.runs import METHOD

TINY = SpeedRow("tiny", METHOD, "toybox", "plain", "32-true", ("color_map", "body"))


def test_a_row_that_does_not_end_in_time_is_stopped_and_the_next_is_not_started() -> None:
    begin_s = time.monotonic()
    results = list(measure_rows([TINY, TINY], deadline_s=begin_s + 0.5, threads=1))
    assert [speed.note for _, speed in results] == ["stopped: time is up", "no time left"]
    assert time.monotonic() - begin_s < 10


def test_a_row_that_fails_does_not_lose_the_next() -> None:
    wrong = SpeedRow("wrong", METHOD, "toybox", "plain", "32-true", ("no_such_part",))
    results = list(measure_rows([wrong, TINY], deadline_s=time.monotonic() + 300, threads=1))
    (_, failed), (_, whole) = results
    assert "no_such_part" in failed.note and failed.step_ms
    assert whole.note == "" and whole.bare_ms and whole.eval_ratio


def test_all_rows_are_possible_and_have_the_sizes_that_they_are_called_by() -> None:
    for case in (*PUBLISHED, *SMALL):
        spec = outline(case.method, split=case.split, protocol=case.protocol, seed=0)
        side = spec.protocol.train.crop
        assert f"{side} x {side}" in case.title or " x " not in case.title or case in SMALL
