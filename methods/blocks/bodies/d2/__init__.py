"""Detectron2's backbones and semantic heads as bodies: the one place among methods that knows Detectron2."""
