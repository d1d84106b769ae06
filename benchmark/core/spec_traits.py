"""Traits of a run that follow from its spec and supervision, so that records without declared traits have them, too."""

from __future__ import annotations

from typing import cast, get_args

from benchmark.core.protocol_class import ProtocolClass, Targets
from benchmark.core.run_spec import RunSpec

WITHOUT_TRAINING_IMAGES = ("", "none", "tags")
"""Supervision of methods that see no training image of the dataset, and the unknown one."""


def derive_traits(spec: RunSpec, *, supervision: str) -> ProtocolClass:
    """Return the traits that are known from a spec and a supervision; everything else is unknown.

    Nothing of this program looks at images of the test distribution before the test, and only tags name the classes of
    an image. The training setting of a published checkpoint is unknown.

    Args:
        spec: Spec of the run. Imported label maps are taken to have been made under its protocol.
        supervision: What the method learns from.
    """
    if supervision not in get_args(Targets) or not supervision:
        return ProtocolClass()
    is_trained_here = supervision not in WITHOUT_TRAINING_IMAGES and not spec.is_published_result
    return ProtocolClass(
        supervision=cast(Targets, supervision),
        setting=spec.protocol.setting if is_trained_here else "",
        vocabulary="image" if supervision == "tags" else "all",
        target_images="none",
        mask_votes="" if spec.is_imported else "none",
    )
