"""Detectron2's backbones and semantic heads as bodies; no other package of `methods` imports Detectron2."""
