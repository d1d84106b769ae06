"""Figures of a study, drawn from its run records."""

from benchmark.utils.matplotlib_import import import_matplotlib

import_matplotlib()
