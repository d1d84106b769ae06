"""Names of runs keep every swept value and stay short."""

from __future__ import annotations

import pytest

from benchmark.core.run_name import HARD_LIMIT, MAX_LENGTH, format_changes, make_setting, make_text


def test_a_short_name_is_given_in_full() -> None:
    text = make_text("spnet", "SPNet", {"sgd.keep_end": 0.1, "budget.iterations": 20})
    assert text == "spnet-spnet-budget.iterations=20-sgd.keep-end=0.1"


@pytest.mark.parametrize("value", [0.125, "bf16-mixed", None, True, 1e-05])
def test_a_long_name_keeps_the_swept_value(value: object) -> None:
    swept = {"distillation.temperature": 0.07, "budget.learning_rate": 0.001, "sgd.keep_end": value}
    text = make_text("a_method_with_a_long_name", "a variant that has a very long label, too", swept)
    assert len(text) <= MAX_LENGTH
    assert all(part in text for part in ("0.07", "0.001", str(value).lower()))


def test_a_name_has_a_largest_length() -> None:
    overrides = {f"part.field_{number}": "x" * 40 for number in range(20)}
    assert len(make_text("m", "v", overrides)) <= HARD_LIMIT
    assert len(make_setting("s" * 100, "p" * 100)) <= MAX_LENGTH


def test_a_path_is_named_by_its_file_and_labeled_in_full() -> None:
    assert make_text("m", "v", {"clip.weights": "/data/w.pt"}) == make_text("m", "v", {"clip.weights": "../w.pt"})
    assert format_changes({"class_embeddings": {"kind": "file", "file": "/a/x.npy"}}) == (
        "class_embeddings={kind: file, file: /a/x.npy}"
    )


SGD = {"keep_end": 0.3, "temperature": 0.123456789, "schedule": "cosine with a long warm up", "bins": [0.7, 16]}


def test_tables_are_named_by_their_values() -> None:
    text = "spnet-spnet-sgd.keep-end=0.3-sgd.mode=hard"
    assert make_text("spnet", "SPNet", {"sgd": {"keep_end": 0.3, "mode": "hard"}}) == text
    assert make_text("spnet", "SPNet", {"parts": [{"scale": 2}, 0.5]}) == "spnet-spnet-parts.0.scale=2-parts.1=0.5"


def test_a_long_name_keeps_the_numbers_of_tables() -> None:
    embeddings = {"kind": "file", "file": "a/very/long/path/of/embeddings-of-classes.npy", "order": "trusted"}
    text = make_text("chimera_seg", "a variant with a long label", {"sgd": SGD, "class_embeddings": embeddings})
    words = text.split("-")
    assert {"keep=0.3", "temp=0.123456789", "0.7", "16", "kind=file", "orde=trusted"} <= set(words)
    assert len(text) <= HARD_LIMIT


def test_a_name_that_stays_too_long_loses_whole_values_texts_first() -> None:
    tables = {f"part_{number}": {"size": number + 0.125, "note": "x" * 40} for number in range(8)}
    text = make_text("m", "v", tables)
    assert len(text) <= HARD_LIMIT
    assert all(f"size={number}.125" in text.split("-") for number in range(8))


def test_a_drawn_split_gives_a_name_without_signs_that_shells_or_globs_read() -> None:
    assert make_setting("toybox@stuff3+things3-s0-03", "zegclip") == "toybox-stuff3-things3-s0-03-zegclip"
