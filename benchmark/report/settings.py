"""Evaluation settings: what rows must share to be compared, and names for several settings in one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmark.core.protocol import Protocol
from benchmark.core.run_spec import RunSpec
from benchmark.evaluation.scores import Convention

DIGEST_LENGTH = 8
"""Characters of a digest that a name shows."""

_digests: dict[int, tuple[Protocol, str]] = {}


class EvaluationSetting(NamedTuple):
    """Conditions that rows must share to be compared with each other."""

    split: str
    split_digest: str
    protocol: str
    protocol_digest: str
    dataset_fingerprint: str
    max_images: int
    convention: Convention

    def without_split(self) -> EvaluationSetting:
        """Return what splits of one dataset may share."""
        return self._replace(split="", split_digest="")


def read_setting(spec: RunSpec, convention: Convention) -> EvaluationSetting:
    """Return the setting of a run under a convention."""
    return EvaluationSetting(
        split=spec.split,
        split_digest=spec.split_digest,
        protocol=spec.protocol.name,
        protocol_digest=digest_protocol(spec.protocol),
        dataset_fingerprint=spec.dataset_fingerprint,
        max_images=spec.max_images,
        convention=convention,
    )


def digest_protocol(protocol: Protocol) -> str:
    """Return the digest of a protocol, once for all specs that share it."""
    known = _digests.get(id(protocol))
    if known is None:
        # The entry keeps the protocol alive, so that its identity stays its own
        known = _digests[id(protocol)] = (protocol, protocol.digest())
    return known[1]


def name_settings(settings: Sequence[EvaluationSetting]) -> list[str]:
    """Return a name per setting: its split and, in parentheses, what else tells it apart from the others on the split.

    Args:
        settings: Different settings under one convention.
    """
    return [
        _name_setting(setting, [other for other in settings if other.split == setting.split]) for setting in settings
    ]


def _name_setting(setting: EvaluationSetting, settings: Sequence[EvaluationSetting]) -> str:
    others = [other for other in settings if other.split == setting.split]
    words = []
    for field, describe in _WORDS.items():
        alike = [other for other in others if getattr(other, field) == getattr(setting, field)]
        words += [describe(setting)] if len(alike) < len(others) else []
        others = alike
    return f"{setting.split} ({', '.join(words)})" if words else setting.split


def _describe_number(setting: EvaluationSetting) -> str:
    return f"first {setting.max_images} images" if setting.max_images else "all images"


_WORDS: dict[str, Callable[[EvaluationSetting], str]] = {
    "max_images": _describe_number,
    "protocol": lambda setting: f"protocol {setting.protocol}",
    "split_digest": lambda setting: f"split file {setting.split_digest[:DIGEST_LENGTH]}",
    "protocol_digest": lambda setting: f"protocol file {setting.protocol_digest[:DIGEST_LENGTH]}",
    "dataset_fingerprint": lambda setting: f"data {setting.dataset_fingerprint[:DIGEST_LENGTH]}",
}
"""Words for a field of a setting, in the order in which a name has them."""
