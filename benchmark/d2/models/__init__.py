"""Methods as Detectron2 meta-architectures."""
