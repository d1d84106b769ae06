"""CAT-Seg: cost aggregation for open-vocabulary semantic segmentation (arXiv 2303.11797, CVPR 2024).

Idea: the cosines of dense CLIP features and class embeddings are a cost volume, which layers aggregate over positions
and over classes, while CLIP itself is fine-tuned: of all its weights, the query and value projections of both encoders.

Official code: cvlab-kaist/CAT-Seg, commit 6d3a188 (MIT). With the same weights, logits, predictions and training loss
are those of its model definition (`tests/methods/official`): CLIP's value path with the class token as the residual of
the last block, 7 x 7 embedding of the costs, Swin pair, linear attention over classes that are filled up to 256,
decoder, binary cross-entropy over all pixels and classes in which unlabeled pixels are negatives of every class, and
evaluation by four windows of the image at 640 x 640 and one global view. `CLIP_FINETUNE: attention` of that code trains
weights of queries and values alone: no biases and, as its rule for "position" is never reached, no positions.

What differs:

- The classes of training are the seen ones; the official weights have seen masks of all 171 classes of COCO-Stuff.
- Prompts are those of the split; the paper's is `A photo of a {} in the scene` (`splits/prompts/scene.txt`). A class
  with several prompts has their mean.
- CLIP is trained at 0.01 of the learning rate as in the paper, through updates that start at zero
  (`methods/blocks/cost_aggregation/fine_tuning.py`). Weight decay pulls these weights to CLIP's instead of to zero.
- Queries of the last block of the image encoder, which the value path does not use, are not trained.
- Scores are log-odds of the averaged probabilities, which have the same order.
- Crops, augmentation and the bound of the gradient norm are those of protocol and budget.

Scores depend on the set of names: the aggregation over classes sees all of them, seen ones in training and all in
evaluation, and of more than 256 names those with the highest costs in the image take part. A score is not comparable
between vocabularies.

Trained at full size with ViT-B/16: 4,668,641 parameters of aggregator, decoder and upsampling, as in official code, and
19,857,408 of CLIP; with ViT-L/14 at 336 pixels (`side=336`), 5,782,753 and 63,438,848.

Cost: CLIP and aggregator 5 times per image; with `views=null` once, for the image resized to a square.
"""

from __future__ import annotations

from benchmark.api import Budget, Recipe, Supervision, Traits
from methods.blocks import toy_presets
from methods.blocks.cost_aggregation import AggregatorConfig, CostDecoderConfig, FineTuningConfig
from methods.blocks.cost_aggregation.method import CatSegConfig, build, convert_official

VARIANTS: dict[str, CatSegConfig] = {
    "CAT-Seg": CatSegConfig(),
    "no spatial aggregation": CatSegConfig(aggregator=AggregatorConfig(spatial=None)),
    "no class aggregation": CatSegConfig(aggregator=AggregatorConfig(classes=None)),
    "aggregation without guidance": CatSegConfig(aggregator=AggregatorConfig(image_guidance=None, text_guidance=None)),
    "decoder without guidance": CatSegConfig(decoder=CostDecoderConfig(guidance=None)),
    "frozen CLIP": CatSegConfig(fine_tuning=None),
    "all tensors of CLIP's blocks trained": CatSegConfig(fine_tuning=FineTuningConfig(tensors="blocks")),
    "positions of CLIP trained": CatSegConfig(fine_tuning=FineTuningConfig(positions=True)),
}

TOY_SETTINGS = {
    "side": 64,
    "aggregator.width": 16,
    "aggregator.layers": 1,
    "aggregator.heads": 2,
    "aggregator.spatial.window": 4,
    "aggregator.image_guidance": 16,
    "aggregator.text_guidance": 16,
    "aggregator.slots": 64,
    "decoder.widths": [8],
    "decoder.guidance": [4],
    "decoder.upsampled": [32],
    "views": None,
    "fine_tuning.rate": 0.1,
}
"""Sizes for images of 64 pixels and the toy CLIP, and a rate of CLIP that was chosen on `toybox_tune`."""

RECIPE = Recipe(
    title="CAT-Seg",
    paper="arXiv 2303.11797",
    traits=Traits(supervision=Supervision.SEEN_MASKS, cost="CLIP 5 times, and an aggregator of all classes"),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=8e-3),
        "*": Budget(iterations=80_000, batch_size=4, learning_rate=2e-4, weight_decay=1e-4, warmup=0.0, clip_norm=0.01),
    },
    presets=toy_presets(body=False, settings=TOY_SETTINGS),
    convert_official=convert_official,
)
