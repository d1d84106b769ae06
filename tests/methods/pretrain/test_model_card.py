"""Model cards."""

from __future__ import annotations

import re
from pathlib import Path

from methods.blocks.clip.assets import ASSETS
from methods.pretrain.command import BODY_CARD, BODY_FILE, read_history_with_file
from methods.pretrain.model_card import write_body_card


def test_the_included_card_of_the_toy_body_is_what_the_command_writes(tmp_path: Path) -> None:
    included = (ASSETS / BODY_CARD).read_text(encoding="utf-8")
    (accuracy,) = re.findall(r"of those \d+ forms: ([\d.]+) %", included)
    history = read_history_with_file(ASSETS / BODY_FILE)
    write_body_card(tmp_path / BODY_CARD, history=history, accuracy=float(accuracy))
    assert (tmp_path / BODY_CARD).read_text(encoding="utf-8") == included
