"""Parts of converters: nothing of a file is lost or invented, and a wrong file is refused in one line."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from methods.blocks.cost_aggregation.official_names import RULES as CAT_SEG_RULES
from methods.blocks.deop.official import ANCHOR_RULES, ENCODER_RULES
from methods.blocks.official_weights import Rule, rename_tensors, split_rows, stack_rows

RULES = (
    (r"decode_head\.layers\.(\d+)\.weight", r"decoder.\1.weight"),
    (r"backbone\.(prompt)", r"encoder.\1"),
    (r".*\.num_batches_tracked", None),  # counters that eval mode does not read
)


def make_file(*names: str) -> dict[str, Tensor]:
    return {name: torch.full((2,), float(number)) for number, name in enumerate(names)}


FILE = make_file("decode_head.layers.0.weight", "decode_head.layers.11.weight", "backbone.prompt")


def test_tensors_get_the_names_that_the_rules_say() -> None:
    renamed = rename_tensors(FILE, RULES)
    assert list(renamed) == ["decoder.0.weight", "decoder.11.weight", "encoder.prompt"]
    assert [tensor[0].item() for tensor in renamed.values()] == [0, 1, 2]


def test_a_rule_without_a_name_leaves_tensors_out_and_need_not_match() -> None:
    assert rename_tensors(FILE | make_file("backbone.bn.num_batches_tracked"), RULES).keys() == {
        "decoder.0.weight",
        "decoder.11.weight",
        "encoder.prompt",
    }


def test_the_first_rule_that_matches_decides() -> None:
    rules = [("a.b", None), (r"a\.(.*)", r"ours.\1")]
    assert list(rename_tensors(make_file("a.b", "a.c"), rules)) == ["ours.c"]


def test_unknown_names_are_counted_and_the_nearest_expected_one_is_given() -> None:
    file = FILE | make_file("decode_head.layer.3.weight", "x", "y", "z")
    message = (
        "the file is not ZegCLIP's: 4 of 7 tensors are unknown (decode_head.layer.3.weight, x, y, …; nearest expected "
        "to the first: decode_head.layers.N.weight)"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        rename_tensors(file, RULES, source="ZegCLIP's")


def test_a_partial_file_is_refused_with_what_it_lacks() -> None:
    with pytest.raises(ValueError, match=r"^the file is not .*: nothing is named backbone\.prompt$"):
        rename_tensors(make_file("decode_head.layers.0.weight"), RULES)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (r"blocks\.(\w+)\.weight", "blocks.….weight"),
        (r"layers\.(\d+)\.norm(\d)\.(weight|bias)", "layers.N.normN.…"),
        (r"(?:_region_)?clip\.(token|transformer)(\..+)?", "…clip.…"),
        (r"head\.((?:mlp|mlp\.fc)\d?)\.[ab]", "head.….…"),
        (r"module\.?(?P<name>prompt)", "module…prompt"),
    ],
)
def test_missing_names_are_shown_without_signs_of_regular_expressions(pattern: str, name: str) -> None:
    with pytest.raises(ValueError) as error:
        rename_tensors({}, [(pattern, "ours")], source="ZegCLIP's")
    assert str(error.value) == f"the file is not ZegCLIP's: nothing is named {name}"


@pytest.mark.parametrize("rule", [*CAT_SEG_RULES, *ENCODER_RULES, *ANCHOR_RULES])
def test_rules_of_methods_are_shown_as_names(rule: Rule) -> None:
    with pytest.raises(ValueError, match=r"nothing is named [\w.…]+$"):
        rename_tensors({}, [(rule[0], "ours")])


def test_another_model_is_refused_with_both() -> None:
    with pytest.raises(ValueError, match=r"1 of 1 tensors are unknown \(conv\), and nothing is named decode_head"):
        rename_tensors(make_file("conv"), RULES)


def test_a_name_must_match_as_a_whole() -> None:
    with pytest.raises(ValueError, match=r"1 of 4 tensors are unknown \(ema\.backbone\.prompt"):
        rename_tensors(FILE | make_file("ema.backbone.prompt"), RULES)


def test_two_tensors_never_become_one() -> None:
    with pytest.raises(ValueError, match=r"two tensors of the file become w, the second is b: correct the rules"):
        rename_tensors(make_file("a", "b"), [("[ab]", "w")])


def test_packed_rows_are_split_in_their_order_and_stacked_again() -> None:
    tensors = {"qkv.weight": torch.arange(12.0).reshape(6, 2)}
    split_rows(tensors, "qkv.weight", into=["q", "k", "v"])
    assert {name: value.tolist() for name, value in tensors.items()} == {
        "q": [[0, 1], [2, 3]],
        "k": [[4, 5], [6, 7]],
        "v": [[8, 9], [10, 11]],
    }
    stack_rows(tensors, ["q", "k", "v"], into="qkv.weight")
    assert tensors["qkv.weight"].tolist() == torch.arange(12.0).reshape(6, 2).tolist()
    assert len(tensors) == 1


def test_a_packed_tensor_that_is_missing_or_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="the file has no tensor in_proj_bias"):
        split_rows({}, "in_proj_bias", into=["q", "k", "v"])
    for tensor, count in ((torch.zeros(4), 4), (torch.zeros(0, 2), 0), (torch.zeros(()), 0)):
        with pytest.raises(ValueError, match=f"w has {count} rows, which cannot be divided into 3 parts"):
            split_rows({"w": tensor}, "w", into=["q", "k", "v"])
    with pytest.raises(ValueError, match=r"a and b have different shapes: \(1,\), \(2,\)"):
        stack_rows({"a": torch.zeros(1), "b": torch.zeros(2)}, ["a", "b"], into="c")
