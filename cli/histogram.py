"""Histograms of block times: in the terminal, and as a picture."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.cli.console import bar
from neuralpedal.cli.picture import BLUE, GREEN, RED, png_figure
from neuralpedal.device.profile import BlockTimes


def bins(times: BlockTimes, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Counts and edges (µs) from the fastest block to the 99.5th percentile; slower blocks fall into the last bin."""
    low, high = times.percentile(0), times.percentile(99.5)
    edges = np.linspace(low, max(high, low * 1.01 + 1e-3), count + 1)
    counts, _ = np.histogram(np.minimum(times.us_per_block, edges[-1]), edges)
    return counts, edges


def terminal_histogram(times: BlockTimes, rows: int = 12, width: int = 48) -> str:
    """A bar per bin, with its range in µs and its number of blocks."""
    counts, edges = bins(times, rows)
    lines = []
    for index, count in enumerate(counts):
        more = "+" if index == rows - 1 else " "
        blocks = bar(count / max(1, counts.max()), width)
        lines.append(f"{edges[index]:9.2f}–{edges[index + 1]:9.2f}{more}µs │{blocks} {count}")
    return "\n".join(lines)


def write_histogram_png(times: BlockTimes, title: str, path: Path) -> None:
    """The histogram with percentiles and the deadline, as PNG.

    Raises:
        DeviceError: Matplotlib is not installed. OutputError: the file cannot be written.
    """
    with png_figure(path, (8, 4.5)) as figure:
        axes = figure.subplots()
        counts, edges = bins(times, 80)
        axes.stairs(counts, edges, fill=True, color=BLUE)
        axes.set_yscale("log")
        for share, colour in ((50, GREEN), (99, RED)):
            value = times.percentile(share)
            axes.axvline(value, color=colour,
                         label=f"p{share}: {value:.1f} µs ({value / times.deadline_us:.1%} of budget)")
        axes.set(title=title, xlabel=f"µs per block (budget {times.deadline_us:.0f} µs)", ylabel="blocks")
        axes.legend()
