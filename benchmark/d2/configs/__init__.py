"""Configs for Detectron2's own tools."""
