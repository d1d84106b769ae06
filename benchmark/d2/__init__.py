"""Integration with Detectron2: an engine built on it, and the benchmark's datasets, methods and scores in its APIs.

Importing this package loads Detectron2 and raises ValueError with a one-line reason if that is not possible.
"""

from benchmark.utils.optional_packages import require_detectron2

require_detectron2()
