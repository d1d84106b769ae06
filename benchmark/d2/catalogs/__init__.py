"""Splits in Detectron2's catalogs."""
