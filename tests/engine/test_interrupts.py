"""A request to stop interrupts at once, or waits where its answer is deferred."""

from __future__ import annotations

import pytest

from benchmark.engine import interrupts


def test_a_request_interrupts_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupts.ask()
    assert not interrupts.is_asked()


def test_a_deferred_request_waits_and_interrupts_on_leaving() -> None:
    seen = []
    with pytest.raises(KeyboardInterrupt), interrupts.deferring():
        interrupts.ask()
        seen.append(interrupts.is_asked())
    assert seen == [True] and not interrupts.is_asked()


def test_nothing_is_left_of_a_request_that_was_answered() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.deferring():
        interrupts.ask()
        raise KeyboardInterrupt
    with interrupts.deferring():
        assert not interrupts.is_asked()


def test_an_error_is_not_hidden_by_a_request() -> None:
    with pytest.raises(ValueError, match="broken"), interrupts.deferring():
        interrupts.ask()
        raise ValueError("broken")


def test_a_second_request_interrupts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts.deferring():
        interrupts.ask()
        now += interrupts.TOGETHER_S + 1
        interrupts.ask()
        reached.append("the end")
    assert not reached


def test_signals_of_one_event_are_one_request() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts.deferring():
        interrupts.ask()
        interrupts.ask()
        reached.append("the end")
    assert reached
