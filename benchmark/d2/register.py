"""Registration of all splits and of all methods with their variants in Detectron2, on import.

The import builds no model, reads no data and runs no method's code.
"""

from detectron2.utils.file_io import PathManager

from benchmark.core.split import list_splits
from benchmark.d2.catalogs.catalog import register_split
from benchmark.d2.catalogs.files import SplitPathHandler
from benchmark.d2.models.architectures import register_methods

PathManager.register_handler(SplitPathHandler())
for _name in list_splits():
    register_split(_name)
register_methods()
