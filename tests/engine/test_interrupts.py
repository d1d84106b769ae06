"""A stop request interrupts immediately, or waits while it is deferred."""

from __future__ import annotations

import pytest

from benchmark.engine import interrupts


def test_a_request_interrupts_immediately() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupts.request_stop()
    assert not interrupts.is_stop_requested()


def test_a_deferred_request_waits_and_interrupts_at_the_end() -> None:
    is_requested = []
    with pytest.raises(KeyboardInterrupt), interrupts.defer_stop():
        interrupts.request_stop()
        is_requested.append(interrupts.is_stop_requested())
    assert is_requested == [True] and not interrupts.is_stop_requested()


def test_a_handled_request_leaves_nothing_behind() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.defer_stop():
        interrupts.request_stop()
        raise KeyboardInterrupt
    with interrupts.defer_stop():
        assert not interrupts.is_stop_requested()


def test_an_error_is_not_hidden_by_a_request() -> None:
    with pytest.raises(ValueError, match="broken"), interrupts.defer_stop():
        interrupts.request_stop()
        raise ValueError("broken")


def test_a_second_request_interrupts_immediately(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts.defer_stop():
        interrupts.request_stop()
        now += interrupts.SAME_EVENT_S + 1
        interrupts.request_stop()
        reached.append("the end")
    assert not reached


def test_signals_of_one_event_are_one_request() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts.defer_stop():
        interrupts.request_stop()
        interrupts.request_stop()
        reached.append("the end")
    assert reached
