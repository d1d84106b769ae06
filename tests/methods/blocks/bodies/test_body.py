"""Which body a config describes; Detectron2 is not needed to say so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmark.planning.resolve import resolve
from methods.blocks.bodies.body import BodyConfig, build_body
from methods.blocks.bodies.d2.body import D2BodyConfig
from methods.chimera_seg import ChimeraConfig

NAME = "Misc/semantic_R_50_FPN_1x.yaml"


def test_a_text_names_a_config_of_detectron2() -> None:
    assert ChimeraConfig.model_validate({"body": f"d2:{NAME}"}).body == D2BodyConfig(config=NAME)


@pytest.mark.parametrize("body", [BodyConfig(channels=96), D2BodyConfig(config=NAME, decoder="fpn", stride=16)])
def test_a_config_keeps_its_kind_of_body_when_it_is_written_and_read(body: BodyConfig | D2BodyConfig) -> None:
    config = ChimeraConfig(body=body)
    assert ChimeraConfig.model_validate_json(config.model_dump_json()).body == body


def test_the_text_of_a_body_from_before_is_what_it_was() -> None:
    fields = ["encoder", "weights", "depth", "stride", "channels", "rates", "sha256"]
    assert list(ChimeraConfig().model_dump()["body"]) == fields


def test_another_text_is_answered_with_what_is_possible() -> None:
    with pytest.raises(ValidationError, match="expected d2:<config>, as in d2:Misc"):
        ChimeraConfig.model_validate({"body": "resnet50"})


@pytest.mark.parametrize("method", ["chimera_seg", "spnet"])
def test_one_setting_replaces_the_toy_body(method: str) -> None:
    spec = resolve(method, split="toybox", seed=0, overrides={"body": f"d2:{NAME}"})
    assert spec.config["body"] == D2BodyConfig(config=NAME).model_dump()


def test_a_config_file_of_ones_own_is_part_of_a_run_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("one")
    planned = D2BodyConfig(config=str(file))
    assert planned.config_sha256 == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    file.write_text("other")
    with pytest.raises(ValidationError, match="another content than when this run was planned"):
        D2BodyConfig.model_validate(planned.model_dump())


def test_without_detectron2_its_bodies_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ["detectron2", *(name for name in sys.modules if name.startswith("detectron2."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=r"Detectron2.*") as caught:
        build_body(D2BodyConfig(config=NAME))
    assert "\n" not in str(caught.value)
