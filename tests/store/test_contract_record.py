"""Records of contract checks: by the digest of a method's code, one entry for each variant."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.store.contract_record import (
    NEVER_TESTED,
    ContractRecord,
    describe_contract,
    describe_contracts,
    save_contract,
)
from tests.report.world import spec_of

PAPER = spec_of("paper", source_digest="d1")


def _make_record(variant: str, *broken: str, digest: str = "d1") -> ContractRecord:
    return ContractRecord(method="demo", source_digest=digest, splits={variant: "toybox"}, broken={variant: broken})


def test_an_included_method_needs_no_record(tmp_path: Path) -> None:
    assert describe_contract(tmp_path, spec_of("paper")) == ""


def test_other_code_or_another_variant_was_never_tested(tmp_path: Path) -> None:
    save_contract(tmp_path, _make_record("paper", digest="d2"))
    save_contract(tmp_path, _make_record("no SGD"))
    assert describe_contract(tmp_path, PAPER) == NEVER_TESTED


def test_later_checks_of_other_variants_add_to_the_record(tmp_path: Path) -> None:
    save_contract(tmp_path, _make_record("paper", "unseen-names"))
    save_contract(tmp_path, _make_record("no SGD"))
    assert describe_contract(tmp_path, PAPER) == "breaks unseen-names"
    assert describe_contract(tmp_path, spec_of("no SGD", source_digest="d1")) == ""


def test_a_repeated_check_replaces_what_was_found_before(tmp_path: Path) -> None:
    save_contract(tmp_path, _make_record("paper", "unseen-names"))
    save_contract(tmp_path, _make_record("paper"))
    assert describe_contract(tmp_path, PAPER) == ""


def test_a_broken_file_counts_as_never_tested(tmp_path: Path) -> None:
    path = save_contract(tmp_path, _make_record("paper"))
    path.write_text("{")
    assert describe_contract(tmp_path, PAPER) == NEVER_TESTED


def test_a_test_that_was_saved_in_the_default_folder_counts_in_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CHIMERA_BENCH_RUNS", raising=False)
    monkeypatch.chdir(tmp_path)
    save_contract(Path("runs"), _make_record("paper"))
    assert describe_contract(tmp_path / "drafts", PAPER) == ""
    save_contract(tmp_path / "drafts", _make_record("paper", "build"))
    assert describe_contract(tmp_path / "drafts", PAPER) == "breaks build"


def test_each_variant_is_named_once_whatever_its_seeds(tmp_path: Path) -> None:
    specs = [spec_of(variant, seed=seed, source_digest="d1") for variant in ("paper", "no SGD") for seed in (0, 1)]
    texts = describe_contracts(tmp_path, specs)
    assert {text: [spec.variant for spec in some] for text, some in texts.items()} == {
        NEVER_TESTED: ["paper", "no SGD"]
    }
