"""Unknown names of settings are answered with the nearest one of the config, the budget and the protocol."""

from __future__ import annotations

import pytest

from benchmark.core.method import Config
from benchmark.core.protocol import Protocol, Schedule
from benchmark.planning.setting_names import check_setting_names


class Guidance(Config):
    keep_end: float = 0.1


class Settings(Config):
    sgd: Guidance = Guidance()
    loss: str = "dice"


PARTS = {"": Settings(), "budget.": Schedule(iterations=1, batch_size=1), "protocol.": Protocol()}


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("budgt.iterations", "budget.iterations"),
        ("iterations", "budget.iterations"),
        ("gama", "protocol.gamma"),
        ("keep_end", "sgd.keep_end"),
        ("sdg.keep_end", "sgd.keep_end"),
        ("protcol.test.short_side", "protocol.test.short_side"),
    ],
)
def test_the_nearest_setting_of_all_parts_is_suggested(key: str, nearest: str) -> None:
    with pytest.raises(KeyError, match=f"no setting '{key}'; did you mean '{nearest}'\\? There are: sgd, loss, budget"):
        check_setting_names([key], PARTS)


def test_an_unlike_name_gets_a_list_and_no_suggestion() -> None:
    with pytest.raises(KeyError, match=r"no setting 'xyz'\. There are: sgd, loss, budget\.FIELD, protocol\.FIELD"):
        check_setting_names(["xyz"], PARTS)


def test_known_names_pass() -> None:
    check_setting_names(["sgd.keep_end", "loss", "budget.iterations", "protocol.gamma"], PARTS)
