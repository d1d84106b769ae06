"""Where the suite meets Detectron2: the engine built on it, and our data sets, methods and scores in its own world.

Importing anything of this package loads Detectron2, and raises ValueError with one line where that cannot be done.
"""

from benchmark.utils.optional_packages import require_detectron2

require_detectron2()
