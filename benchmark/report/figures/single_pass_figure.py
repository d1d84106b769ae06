"""Figure that is drawn once when it is saved."""

from __future__ import annotations

from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine


class SinglePassFigure(Figure):
    """Figure whose artists are drawn once when it is saved; the file has the same bytes as that of a plain figure.

    matplotlib saves a figure with a layout engine in two passes: the first, without output, places the axes, and the
    second, with a placeholder for the engine, draws. The first pass of a plain figure draws every artist too.
    """

    def draw(self, renderer: RendererBase) -> None:
        """Draw the figure, or only lay it out if it still has a layout engine."""
        engine = self.get_layout_engine()
        if engine is None or isinstance(engine, PlaceHolderLayoutEngine):
            super().draw(renderer)
        elif self.axes:
            engine.execute(self)
