"""Configs of bodies; reading them does not need Detectron2."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from benchmark.planning.method_setup import resolve_method
from benchmark.planning.resolve import resolve
from methods.blocks.bodies import SmpBodyConfig, build_body
from methods.blocks.bodies.d2.config import D2BodyConfig
from methods.chimera_seg import ChimeraConfig

NAME = "Misc/semantic_R_50_FPN_1x.yaml"


def test_a_string_names_a_config_of_detectron2() -> None:
    assert ChimeraConfig.model_validate({"body": f"d2:{NAME}"}).body == D2BodyConfig(config=NAME)


@pytest.mark.parametrize("body", [SmpBodyConfig(channels=96), D2BodyConfig(config=NAME, decoder="fpn", stride=16)])
def test_a_config_keeps_its_kind_of_body_when_written_and_read(body: SmpBodyConfig | D2BodyConfig) -> None:
    config = ChimeraConfig(body=body)
    assert ChimeraConfig.model_validate_json(config.model_dump_json()).body == body


def test_the_config_of_an_smp_body_has_no_field_for_its_kind() -> None:
    fields = ["encoder", "weights", "depth", "stride", "channels", "rates", "sha256"]
    assert list(ChimeraConfig().model_dump()["body"]) == fields


def test_another_string_is_answered_with_the_possible_values() -> None:
    with pytest.raises(ValidationError, match="expected d2:<config>, as in d2:Misc"):
        ChimeraConfig.model_validate({"body": "resnet50"})


@pytest.mark.parametrize("method", ["chimera_seg", "spnet"])
def test_one_setting_replaces_the_toy_body(method: str) -> None:
    setup = resolve_method(method, split="toybox", overrides={"body": f"d2:{NAME}"})
    assert setup.config.model_dump()["body"] == D2BodyConfig(config=NAME).model_dump()


def test_a_body_of_detectron2_is_refused_at_plan_time_if_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ["detectron2", *(name for name in sys.modules if name.startswith("detectron2."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=r"Detectron2"):
        resolve("spnet", split="toybox", seed=0, overrides={"body": f"d2:{NAME}"})


def test_the_content_of_a_users_config_file_is_part_of_a_run(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("one")
    planned = D2BodyConfig(config=str(file))
    assert planned.config_sha256 == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    file.write_text("other")
    with pytest.raises(ValidationError, match="has changed since this run was planned"):
        D2BodyConfig.model_validate(planned.model_dump())


def test_bodies_of_detectron2_are_refused_in_one_line_if_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ["detectron2", *(name for name in sys.modules if name.startswith("detectron2."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=r"Detectron2.*") as caught:
        build_body(D2BodyConfig(config=NAME))
    assert "\n" not in str(caught.value)
