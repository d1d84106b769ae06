"""Splits as datasets in Detectron2's catalogs."""
