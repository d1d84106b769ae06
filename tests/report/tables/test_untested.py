"""Note of a table on external methods that were never tested, or that break rules."""

from __future__ import annotations

from pathlib import Path

from benchmark.report.rows import read_rows
from benchmark.report.tables.untested import describe_contracts
from benchmark.store.contract_record import ContractRecord, save_contract
from benchmark.store.store import Store
from tests.report.world import even, plan_of, save, spec_of


def test_one_note_names_the_rows_and_what_speaks_against_them(tmp_path: Path) -> None:
    store = Store(tmp_path)
    digests = {"included": "", "new": "d1", "leaky": "d2", "good": "d3"}
    ids = {
        label: {0: save(store, spec_of(label, source_digest=digest), even(80, 60))} for label, digest in digests.items()
    }
    for label, broken in {"leaky": ("unseen-names",), "good": ()}.items():
        record = ContractRecord(method="m", source_digest=digests[label], splits={}, broken={label: broken})
        save_contract(tmp_path, record)
    assert describe_contracts(read_rows(store, plan_of(ids), convention="d2-main")) == [
        "Contract and leak tests (chimera-bench test): new: never tested with the code that runs; "
        "leaky: breaks unseen-names."
    ]


def test_a_table_of_included_methods_has_no_note(tmp_path: Path) -> None:
    store = Store(tmp_path)
    plan = plan_of({"paper": {0: save(store, spec_of("paper"), even(80, 60))}})
    assert describe_contracts(read_rows(store, plan, convention="d2-main")) == []
