"""What a terminal shows while the pedal plays: levels, what a block costs, what went wrong."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from rich.live import Live
from rich.markup import escape
from rich.table import Table

from neuralpedal.cli.console import bar, stderr
from neuralpedal.device.block_meter import MeterReading

_QUIETEST_DBFS = -60.0
_BAR_WIDTH = 40
_NEEDLE_WIDTH = 10


class LiveView:
    """A table on stderr that is drawn again and again; from its ``with`` on.

    Args:
        title: model, engine, card.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        # Drawn when told to, not by a thread of rich's: each thread more is one more that the audio thread waits for.
        self._live = Live(console=stderr, auto_refresh=False, transient=True)

    def __enter__(self) -> "LiveView":
        self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, seconds: float, levels: MeterReading, cost: MeterReading, state: str,
             more: Sequence[tuple[str, str]] = ()) -> None:
        """Draw.

        Args:
            levels: of the last moment. cost: of the last second. state: what the pedal does.
            more: rows behind the xruns, name and text.
        """
        self._live.update(view_table(self._title, seconds, levels, cost, state, more), refresh=True)


def view_table(title: str, seconds: float, levels: MeterReading, cost: MeterReading, state: str,
               more: Sequence[tuple[str, str]] = ()) -> Table:
    """The table of :meth:`LiveView.show`."""
    table = Table(title=escape(title), title_justify="left", show_header=False)
    table.add_column(min_width=8)
    table.add_column(min_width=_BAR_WIDTH + 12)
    table.add_row("input", _level(levels.input_peak_dbfs))
    table.add_row("output", _level(levels.output_peak_dbfs))
    table.add_row("block", f"p50 {cost.us_p50:.0f} µs, p99 {cost.us_p99:.0f} µs, max {cost.us_max:.0f} µs of "
                  f"{cost.deadline_us:.0f} µs")
    table.add_row("deadline", f"{bar(cost.deadline_share_p99, _BAR_WIDTH)} {cost.deadline_share_p99:.0%} at p99")
    table.add_row("xruns", xrun_text(cost))
    for name, text in more:
        table.add_row(name, escape(text))
    table.add_row("late", f"{cost.late_blocks} of {cost.blocks} blocks")
    table.add_row("state", f"{escape(state)}, {seconds:.0f} s")
    return table


def tuner_text(reading: dict[str, Any]) -> str:
    """A reading as a needle over 50 cents to either side."""
    if reading["note"] is None:
        return "– (play one string)"
    cents = reading["cents"]
    scale = ["·"] * (2 * _NEEDLE_WIDTH + 1)
    scale[_NEEDLE_WIDTH] = "|"
    scale[_NEEDLE_WIDTH + round(cents / 50.0 * _NEEDLE_WIDTH)] = "▲"
    return f"{reading['note']:3} {''.join(scale)} {cents:+5.1f} cents, {reading['frequency_hz']:.1f} Hz"


def xrun_text(reading: MeterReading) -> str:
    """How many, and where they come from."""
    if not reading.xruns:
        return "0"
    outside = reading.xruns - reading.xruns_after_late
    return (f"{reading.xruns}: {reading.xruns_after_late} after a late block of the pedal, {outside} from outside "
            "(card, kernel, other programs)")


def _level(peak_dbfs: float) -> str:
    share = 1.0 - max(_QUIETEST_DBFS, peak_dbfs) / _QUIETEST_DBFS
    clipping = " [red]CLIP[/red]" if peak_dbfs > 0.0 else ""
    return f"{bar(share, _BAR_WIDTH)} {peak_dbfs:6.1f} dB{clipping}"
