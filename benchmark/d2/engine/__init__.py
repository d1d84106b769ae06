"""The engine that runs on Detectron2's trainer."""
