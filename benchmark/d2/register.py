"""Importing this module makes the suite known to Detectron2: every split, every method with its variants.

Nothing is built, no data are read and no method's code runs: beside loading Detectron2 it takes no time to speak of.
"""

from detectron2.utils.file_io import PathManager

from benchmark.core.split import split_names
from benchmark.d2.catalogs.catalog import register_split
from benchmark.d2.catalogs.files import SplitFiles
from benchmark.d2.models.architectures import register_methods

PathManager.register_handler(SplitFiles())
for _name in split_names():
    register_split(_name)
register_methods()
