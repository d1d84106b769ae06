"""The engine built on Detectron2's trainer."""
