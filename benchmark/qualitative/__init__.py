"""Predictions of trained methods, drawn as images."""

from benchmark.utils.matplotlib_import import import_matplotlib

import_matplotlib()
