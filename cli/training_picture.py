"""A picture of a training: ESR on the validation part against time, with the quality ladder that players know."""

from pathlib import Path
from typing import Any

from neuralpedal.cli.picture import BLUE, RED, YELLOW, png_figure
from neuralpedal.contract.any_network import make_network

_LADDER = ((0.01, "great"), (0.035, "not bad"), (0.1, "might be fine"))


def write_training_picture(path: Path, training: dict[str, Any]) -> None:
    """Write ``training``'s history (content of training.json) as PNG. Raises as :func:`png_figure`."""
    history = training["history"]
    minutes = [row["elapsed_s"] / 60 for row in history]
    with png_figure(path, (8, 4.5)) as figure:
        axes = figure.subplots()
        axes.semilogy(minutes, [row["esr_validation"] for row in history], marker=".", color=BLUE, label="ESR")
        on_grid = [row["elapsed_s"] / 60 for row in history if row["int8_weights"]]
        if on_grid:
            axes.axvspan(on_grid[0], minutes[-1], color=YELLOW, alpha=0.25, label="weights on the int8 grid")
        for level, name in _LADDER:
            axes.axhline(level, color="#999", linewidth=0.8, linestyle="--")
            axes.annotate(name, (minutes[0], level), fontsize=8, color="#777", va="bottom")
        rate = axes.twinx()
        rate.semilogy(minutes, [row["learning_rate"] for row in history], color=RED, linewidth=0.8)
        rate.set_ylabel("learning rate", color=RED)
        label = make_network(**training["network"]).label
        axes.set(title=f"{label}, best validation ESR {training['esr_validation']:.4f}", xlabel="minutes",
                 ylabel="ESR, validation part")
        axes.legend(loc="upper right")
