"""Tests of records as files: equal tables of code are parsed once, and everything else is as pydantic reads it."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from pydantic import ValidationError

from benchmark.core import run_record
from benchmark.core.run_record import RunRecord, parse_record
from benchmark.core.run_state import RunState
from benchmark.utils.atomic_files import format_json
from tests.core.machines import make_environment
from tests.report.world import spec_of

CODE = {"benchmark/core/split.py": "0f", "methods/demo.py": "1e"}


def make_text(code: dict[str, str], **settings: object) -> bytes:
    record = RunRecord(
        spec=spec_of(config=settings),
        environment=make_environment(),
        code=code,
        state=RunState.DONE,
        attempts=1,
        started="2030-01-01T00:00:00+00:00",
        finished="2030-01-01T00:10:00+00:00",
    )
    return format_json(record).encode()


def test_equal_tables_of_code_are_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Mock(wraps=run_record._TABLE)
    monkeypatch.setattr(run_record, "_TABLE", table)
    code = CODE | {"methods/other.py": "parsed by no other test"}
    records = [parse_record(make_text(code, width=width)) for width in (1, 2, 3)]
    assert table.validate_json.call_count == 1 and all(record.code is records[0].code for record in records)
    assert records == [RunRecord.model_validate_json(make_text(code, width=width)) for width in (1, 2, 3)]


@pytest.mark.parametrize(
    "text",
    [
        make_text({}),
        make_text(CODE).replace(b"\n", b""),
        make_text(CODE).replace(b'"config": {', b'"config": {\n  "code": {\n    "a": "b"\n  },\n  "width": 1'),
        make_text(CODE).replace(b'"state"', b'"code": {"a": "b"},\n  "state"'),
    ],
    ids=["no code", "one line", "another table of this name", "two tables"],
)
def test_a_record_in_another_layout_is_read_as_it_is(text: bytes) -> None:
    assert parse_record(text) == RunRecord.model_validate_json(text)


@pytest.mark.parametrize("damage", [(b'"0f"', b"0"), (b'"0f"', b'"0'), (b'"attempts": 1', b'"attempts": 0')])
def test_a_broken_record_has_the_error_of_the_whole(damage: tuple[bytes, bytes]) -> None:
    text = make_text(CODE).replace(*damage)
    with pytest.raises(ValidationError) as whole:
        RunRecord.model_validate_json(text)
    with pytest.raises(ValidationError) as parsed:
        parse_record(text)
    assert parsed.value.errors() == whole.value.errors()
