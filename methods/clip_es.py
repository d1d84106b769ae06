"""CLIP-ES: activation maps of a frozen CLIP for the classes that an image is tagged with (arXiv 2212.09506, CVPR 2023).

Idea: GradCAM of the probability of a tagged class among the other tags and words for the background, at the last block
of CLIP; an affinity made from the attention of the last eight blocks spreads each map from boxes around its high
values.

Supervision: tags. Each image is given the names of all its classes, unseen ones included, also when it is scored; the
tags are those of the masks, whereas the official code reads the lists of objects of VOC and COCO. Results do not
compare with those of zero-shot methods; `clip_es_tag_free` needs no tags.

Official code: linyq2117/CLIP-ES at 3893f81 (MIT). Exact: maps, affinity, boxes (which leave out the last row and the
last column; `affinity.borders`), both scalings to 0-1. All classes share one backward pass of the last block, in
float32; the official code repeats forward and backward pass for each class in half precision, and rounds positions to
half precision, too. Ours: images are padded to whole patches, not resized; prompts are those of the split, not "a clean
origami {}." with hand-picked synonyms (`splits/prompts/origami.txt`); background words that name a class are dropped,
as in the official list for COCO; classes without a tag score below all others, and a class "background" gets 1 minus
the largest map. The CRF is in PyTorch and sees the colors themselves; the official code lets them overflow after it has
subtracted their mean. The student that is trained on the maps is not part of this method.

On toybox the affinity lowers the scores, with one block by less than with more, so the preset there is one block; "no
affinity" shows what the maps are worth.

Cost: one pass of CLIP for each image; all tags are traced back through its last block together, which takes about a
tenth of a pass each. An image of one row or column of patches lies outside of the official boxes: there, "no affinity"
is of use.
"""

from __future__ import annotations

from benchmark.api import Supervision, Traits
from methods.blocks.clip_es import ClipEsConfig, make_clip_es_recipe
from methods.blocks.refinement import DenseCrfConfig

VARIANTS = {
    "CLIP-ES": ClipEsConfig(),
    "with CRF": ClipEsConfig(crf=DenseCrfConfig()),
    "no affinity": ClipEsConfig(affinity=None),
    "no softmax": ClipEsConfig(objective="cosine"),
    "no background words": ClipEsConfig(background=()),
}

RECIPE = make_clip_es_recipe(
    title="CLIP-ES",
    traits=Traits(
        supervision=Supervision.TAGS,
        reconstruction="CLIP-ES has no student, and its prompts are those of the split.",
        is_deterministic=True,
        cost="CLIP once, back through its last block once",
    ),
    variants=VARIANTS,
    toy={"affinity.blocks": 1},
)
