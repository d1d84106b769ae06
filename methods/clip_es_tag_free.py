"""CLIP-ES without tags: activation maps of a frozen CLIP for classes that it chooses itself (arXiv 2212.09506).

Idea: the maps of CLIP-ES (see `clip_es`) for the classes that CLIP's own patches vote for, each for the class that is
nearest to its value in the last block (MaskCLIP), or for all classes.

Supervision: none, so that results compare with those of zero-shot methods. The paper has no such setting: maps,
affinity and boxes are those of the official code (linyq2117/CLIP-ES at 3893f81, MIT); the vote, its share, and the
weights of all classes are ours. As each map is scaled to 0-1, an absent class would score as high as a present one if
all have a map: there, maps are multiplied by the probabilities of their classes, at a lower inverse temperature.

Cost: as `clip_es`, with a backward pass of the last block for each class that gets a map; for more classes than CLIP's
embeddings have dimensions, one for each dimension.
"""

from __future__ import annotations

from benchmark.api import Supervision, Traits
from methods.blocks.clip_es import AllTagsConfig, ClipEsConfig, VotedTagsConfig, make_clip_es_recipe

VARIANTS = {
    "tags from CLIP": ClipEsConfig(tags=VotedTagsConfig()),
    "tags from CLIP, no affinity": ClipEsConfig(tags=VotedTagsConfig(), affinity=None),
    "all classes": ClipEsConfig(tags=AllTagsConfig(), weighting="probability", temperature=10.0),
    "all classes, no affinity": ClipEsConfig(
        tags=AllTagsConfig(), weighting="probability", temperature=10.0, affinity=None
    ),
}

RECIPE = make_clip_es_recipe(
    title="CLIP-ES without tags",
    traits=Traits(
        supervision=Supervision.NONE,
        reconstruction="The choice of the classes that get a map is ours: CLIP-ES is given tags.",
        is_deterministic=True,
        cost="CLIP once, back through its last block once",
    ),
    variants=VARIANTS,
    toy={"affinity.blocks": 1},
)
