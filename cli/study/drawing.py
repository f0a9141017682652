"""Figures as SVG inside the page: text and axes take the page's colour, so that they suit dark pages and light ones."""

import io
import re
from collections.abc import Callable
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

INK = "#010203"
"""A colour that nothing else has: the page replaces it by its own colour of text."""
BLUE, RED, GREEN, ORANGE = "#4a8fd9", "#e45756", "#4fa35a", "#f28e2b"
PURPLE, TEAL, GREY = "#a97ad0", "#2aa6a6", "#8a8a8a"
COLOURS = (BLUE, RED, GREEN, ORANGE, PURPLE, TEAL)

_STYLE = {
    "svg.fonttype": "none", "font.size": 10, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": GREY,
    "axes.titlesize": 10.5, "axes.titlecolor": INK, "xtick.color": INK, "ytick.color": INK, "axes.facecolor": "none",
    "figure.facecolor": "none", "grid.color": GREY, "grid.alpha": 0.3, "axes.grid": True, "legend.frameon": False,
    "legend.fontsize": 9, "axes.spines.top": False, "axes.spines.right": False,
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def svg(name: str, size_inches: tuple[float, float], draw: Callable[[Any], None], dpi: int = 110) -> str:
    """The SVG element that ``draw`` makes of an empty Matplotlib figure.

    Args:
        name: unlike that of any other figure on the page: the parts of an SVG refer to one another by derived names.
        dpi: of pictures inside (spectrograms).
    """
    with rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size_inches, layout="constrained", dpi=dpi)
        draw(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata=_NO_METADATA, dpi=dpi)
    text = buffer.getvalue()
    # HTML knows SVG: declarations and namespaces are for files of its own.
    text = text[text.index("<svg") :]
    text = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", text)
    for size in ("width", "height"):
        text = re.sub(rf'(<svg[^>]*?) {size}="[^"]*"', r"\1", text, count=1)
    # Every axis is numbered alike in every figure, and nothing refers to these names.
    text = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", text)
    return text.replace(INK, "currentColor")
