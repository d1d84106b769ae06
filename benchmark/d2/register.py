"""Importing this module makes the suite known to Detectron2: every split, every method with its variants.

Nothing is built, no data are read and no method's code runs: beside loading Detectron2 it takes no time to speak of.
"""

from detectron2.utils.file_io import PathManager

from benchmark.d2.architectures import register_methods
from benchmark.d2.catalog import register_split
from benchmark.d2.files import SplitFiles
from benchmark.split import split_names

PathManager.register_handler(SplitFiles())
for _name in split_names():
    register_split(_name)
register_methods()
