"""An evaluation for people: figures in groups, aliasing as a grid, and a bar for each input level."""

import math

import click

from neuralpedal.cli.console import bar, figure, print_table
from neuralpedal.cli.evaluation import Evaluation, Probes
from neuralpedal.contract.esr_profiles import Row
from neuralpedal.contract.probes import (
    ALIASING_FREQUENCIES_HZ,
    ALIASING_LEVELS_DBFS,
    aliasing_figures,
    silence_figures,
)

_BAR_WIDTH = 32
_BAR_DECADES = 4  # an empty bar is an ESR of 0.0001, a full one of 1


def print_evaluation(evaluation: Evaluation, title: str) -> None:
    """Everything on stdout."""
    groups: dict[str, dict[str, float | None]] = {"time domain": {**evaluation.time_domain},
                                                  "spectral": evaluation.spectral}
    if evaluation.probes:
        groups["silence"] = {**silence_figures(evaluation.probes.silence)}
    rows = []
    for group, figures in groups.items():
        rows += [[group, ""], *([f"  {name}", _shown(value)] for name, value in figures.items())]
    print_table(title, ["", "value"], rows)
    if evaluation.probes:
        _print_aliasing(evaluation.probes)
    click.echo("ESR over input level, empty bar 0.0001, full bar 1")
    click.echo("\n".join(level_bars(evaluation.over_level)))
    click.echo(_worst_moment(evaluation.over_time))


def level_bars(rows: list[Row]) -> list[str]:
    """A line per level that was played: range in dBFS, a bar of lg ESR, ESR, and how many seconds it is based on."""
    lines = []
    for row in rows:
        esr = row["esr"]
        if esr is not None:
            share = 1.0 + math.log10(max(esr, 1e-30)) / _BAR_DECADES
            lines.append(f"{row['from_dbfs']:4.0f} … {row['to_dbfs']:3.0f} dBFS │{bar(share, _BAR_WIDTH)}│ "
                         f"{figure(esr):>9}  {row['seconds']:6.1f} s")
    return lines


def _print_aliasing(probes: Probes) -> None:
    figures = aliasing_figures(probes.aliasing)
    cells = [_shown(value) for name, value in figures.items() if name != "aliasing_worst_db"]
    width = len(ALIASING_LEVELS_DBFS)
    rows = [[f"{frequency} Hz", *cells[index * width : (index + 1) * width]]
            for index, frequency in enumerate(ALIASING_FREQUENCIES_HZ)]
    print_table(f"aliasing-to-signal ratio in dB (worst {_shown(figures['aliasing_worst_db'])})",
                ["sine", *(f"{level} dBFS" for level in ALIASING_LEVELS_DBFS)], rows)


def _worst_moment(rows: list[Row]) -> str:
    played = [(row["esr"], row["start_seconds"]) for row in rows if row["esr"] is not None]
    if not played:
        return "no half second of the take is louder than −80 dBFS"
    esr, start_seconds = max(played)
    return f"worst half second: ESR {figure(esr)} from {start_seconds:.1f} s"


def _shown(value: float | None) -> str:
    if value is None:
        return "–"
    return ("yes" if value else "no") if isinstance(value, bool) else figure(value)
