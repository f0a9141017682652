"""A picture as a PNG file, written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neuralpedal.contract.atomic import replacing
from neuralpedal.contract.errors import DeviceError

BLUE, RED, GREEN, YELLOW = "#4c78a8", "#e45756", "#54a24b", "#f2cf5b"


@contextmanager
def png_figure(path: Path, size_inches: tuple[float, float], title: str | None = None) -> Iterator[Any]:
    """An empty Matplotlib figure; what was drawn on it when the block ends becomes the file.

    Raises:
        DeviceError: Matplotlib is not installed. OutputError: the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DeviceError(f"{path}: a picture needs Matplotlib; pip install 'neuralpedal[plot]'") from error
    figure = Figure(figsize=size_inches, dpi=120, layout="constrained")
    if title:
        figure.suptitle(title)
    yield figure
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
