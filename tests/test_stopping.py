"""A request to stop interrupts at once, or waits where its answer is deferred."""

from __future__ import annotations

import pytest

from benchmark import stopping


def test_a_request_interrupts_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        stopping.ask()
    assert not stopping.is_asked()


def test_a_deferred_request_waits_and_interrupts_on_leaving() -> None:
    seen = []
    with pytest.raises(KeyboardInterrupt), stopping.deferring():
        stopping.ask()
        seen.append(stopping.is_asked())
    assert seen == [True] and not stopping.is_asked()


def test_nothing_is_left_of_a_request_that_was_answered() -> None:
    with pytest.raises(KeyboardInterrupt), stopping.deferring():
        stopping.ask()
        raise KeyboardInterrupt
    with stopping.deferring():
        assert not stopping.is_asked()


def test_an_error_is_not_hidden_by_a_request() -> None:
    with pytest.raises(ValueError, match="broken"), stopping.deferring():
        stopping.ask()
        raise ValueError("broken")


def test_a_second_request_interrupts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    reached = []
    with pytest.raises(KeyboardInterrupt), stopping.deferring():
        stopping.ask()
        now += stopping.TOGETHER_S + 1
        stopping.ask()
        reached.append("the end")
    assert not reached


def test_signals_of_one_event_are_one_request() -> None:
    reached = []
    with pytest.raises(KeyboardInterrupt), stopping.deferring():
        stopping.ask()
        stopping.ask()
        reached.append("the end")
    assert reached
