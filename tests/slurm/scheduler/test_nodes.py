"""Nodes that a job can do without."""

from __future__ import annotations

from pathlib import Path

import pytest

from slurm.scheduler.nodes import Node, _parse_nodes, choose_avoidable, expand_nodes

SINFO = """
n1|main*|idle|a100,ib|gpu:2
n1|low|idle|a100,ib|gpu:2
n2|main*|mix|(null)|(null)
n3|main*|down*|(null)|gpu:2
n4|main*|drain|(null)|gpu:2
n5|main*|idle*|(null)|gpu:2
"""


def _nodes(count: int) -> list[Node]:
    return [Node(f"n{number}", is_usable=True, has_gpus=True) for number in range(1, count + 1)]


def test_nodes_that_are_down_drained_or_silent_are_not_usable() -> None:
    nodes = list(_parse_nodes(SINFO, is_default=True))
    assert [node.name for node in nodes] == ["n1", "n2", "n3", "n4", "n5"]
    assert [node.name for node in nodes if node.is_usable] == ["n1", "n2"]
    assert (nodes[0].features, nodes[0].has_gpus, nodes[1].has_gpus) == (frozenset({"a100", "ib"}), True, False)


@pytest.mark.parametrize(("size", "failed", "avoided"), [(4, 1, 1), (4, 4, 2), (3, 3, 1), (2, 2, 1), (1, 1, 0)])
def test_at_most_half_of_the_nodes_are_avoided_the_worst_first(size: int, failed: int, avoided: int) -> None:
    reasons = {f"n{number}": "why" for number in range(1, failed + 1)}
    assert list(choose_avoidable(reasons, _nodes(size), num_needed=1)) == list(reasons)[:avoided]


def test_as_many_nodes_are_left_as_the_job_needs() -> None:
    assert choose_avoidable({"n1": "why", "n2": "why"}, _nodes(4), num_needed=4) == {}
    assert choose_avoidable({"n1": "why", "n2": "why"}, _nodes(4), num_needed=3) == {"n1": "why"}


def test_only_nodes_that_the_job_could_use_are_counted() -> None:
    nodes = [Node("n1", True, frozenset({"a100"}), True), Node("n2", True, frozenset({"v100"}), True), *_nodes(9)[2:]]
    assert choose_avoidable({"n1": "why"}, nodes, num_needed=1, constraint="a100") == {}
    assert choose_avoidable({"n1": "why"}, nodes, num_needed=1, constraint="a100|v100") == {"n1": "why"}
    without = [*nodes[:1], *(Node(f"c{number}", is_usable=True) for number in range(9))]
    assert choose_avoidable({"n1": "why"}, without, num_needed=1, needs_gpus=True) == {}


def test_a_failed_node_that_is_down_is_avoided_unless_no_other_node_is_left() -> None:
    down = Node("n9", is_usable=False)
    assert choose_avoidable({"n9": "why"}, [*_nodes(1), down], num_needed=1) == {"n9": "why"}
    assert choose_avoidable({"n9": "why"}, [down], num_needed=1) == {}


def test_without_an_answer_of_slurm_no_node_is_avoided() -> None:
    assert choose_avoidable({"n1": "why"}, [], num_needed=1) == {}


def test_single_nodes_need_no_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert expand_nodes("n1") == ["n1"]
    assert expand_nodes("") == []
    assert expand_nodes("n1,m2") == ["n1", "m2"]
