"""Traits that follow from spec and supervision, and those that a record declares."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.budget import Budget
from benchmark.core.protocol import Protocol
from benchmark.core.protocol_class import ProtocolClass
from benchmark.core.run_record import RunRecord
from benchmark.core.run_spec import OfficialWeights
from benchmark.core.spec_traits import derive_traits
from benchmark.store.store import Store
from tests.report.world import even, save, spec_of

TRANSDUCTIVE = Protocol(setting="transductive")


@pytest.mark.parametrize(
    ("supervision", "setting", "vocabulary"),
    [("none", "", "all"), ("tags", "", "image"), ("seen_masks", "transductive", "all"), ("unheard of", "", "")],
)
def test_setting_and_vocabulary_follow_from_supervision_and_protocol(
    supervision: str, setting: str, vocabulary: str
) -> None:
    traits = derive_traits(spec_of(protocol=TRANSDUCTIVE), supervision=supervision)
    assert (traits.setting, traits.vocabulary) == (setting, vocabulary)


def test_how_a_published_checkpoint_was_trained_is_unknown() -> None:
    weights = OfficialWeights(file="x.pth", sha256="0" * 64, num_tensors=3)
    spec = spec_of(weights=weights, budget=Budget(iterations=0))
    assert derive_traits(spec, supervision="seen_masks").setting == ""


def test_a_record_without_traits_is_read_and_has_the_derived_ones(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run_id = save(store, spec_of(), even(80, 60), traits=ProtocolClass())
    text = store.run(run_id).record_path.read_text()
    fields = RunRecord.model_validate_json(text).model_dump(mode="json", exclude={"traits"})
    record = RunRecord.model_validate_json(RunRecord.model_validate(fields).model_dump_json(exclude={"traits"}))
    assert record.traits == ProtocolClass()
    assert record.known_traits == derive_traits(spec_of(), supervision="seen_masks")


def test_declared_traits_come_before_derived_ones(tmp_path: Path) -> None:
    store, declared = Store(tmp_path), ProtocolClass(target_images="unlabeled", backbone="CLIP ViT-B/16")
    known = store.run(save(store, spec_of(), even(80, 60), traits=declared)).read_record().known_traits
    assert (known.target_images, known.backbone, known.setting) == ("unlabeled", "CLIP ViT-B/16", "inductive")
