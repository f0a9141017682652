"""``neuralpedal profile --live``: block sizes one after the other on a card, as a table, a picture and JSON."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from neuralpedal.cli.card_recorder import open_card
from neuralpedal.cli.console import note, print_table, progress_bar
from neuralpedal.cli.histogram import bins, terminal_histogram
from neuralpedal.cli.picture import BLUE, GREEN, RED, png_figure
from neuralpedal.cli.tflite_player import open_tflite
from neuralpedal.contract.errors import AudioDeviceError
from neuralpedal.device.audio_device import MAX_BLOCK_SIZE, MIN_BLOCK_SIZE
from neuralpedal.device.live_profile import RULE, LiveProbe, LiveTimes, recommended_block_size
from neuralpedal.device.stream import Report

BLOCK_SIZES = "16,32,64,128,256"
_BINS = 60


@dataclass(frozen=True)
class LiveProfile:
    """One model on one card; ``realtime``: what came of asking for the priority that `run` asks for."""

    model: Path
    engine: str
    card: str
    realtime: tuple[str, ...]
    sizes: tuple[LiveTimes, ...]

    @property
    def recommended(self) -> int | None:
        """The smallest block size that may be trusted."""
        return recommended_block_size(self.sizes)


def block_sizes(text: str) -> list[int]:
    """Of an option: numbers with commas. Raises click.BadParameter."""
    try:
        sizes = sorted({int(one) for one in text.split(",")})
    except ValueError:
        sizes = [0]
    if not all(MIN_BLOCK_SIZE <= size <= MAX_BLOCK_SIZE for size in sizes):
        raise click.BadParameter(f"{text!r}: wanted numbers from {MIN_BLOCK_SIZE} to {MAX_BLOCK_SIZE} with commas, as "
                                 f"{BLOCK_SIZES}", param_hint="--blocks")
    return sizes


def profile_live(model: Path, engine: str, sizes: list[int], seconds: float, device: str | None) -> LiveProfile:
    """Play ``seconds`` at each size.

    Raises:
        AudioDeviceError: no card, or it refuses the model's rate at every size. As :func:`open_tflite`.
        KeyboardInterrupt: Ctrl-C.
    """
    measured: list[LiveTimes] = []
    description = card = ""
    realtime: tuple[str, ...] = ()
    refusal: AudioDeviceError | None = None
    with progress_bar(f"playing {model.name}") as (report, progress):
        for index, size in enumerate(sizes):
            opened = open_tflite(model, engine, size)
            opened.prewarm()
            description = opened.description
            progress.update(progress.task_ids[0], description=f"{model.name}, blocks of {size}")
            try:
                with open_card(device, 1, size, opened.sample_rate_hz) as recorder:
                    card, realtime = recorder.name, tuple(map(str, recorder.realtime))
                    probe = LiveProbe(opened, seconds)
                    recorder.play(probe, _teller(report, index, len(sizes)))
            except AudioDeviceError as error:
                refusal = error
                note(f"blocks of {size}: {error}")
                continue
            measured.append(probe.times())
    if not measured and refusal:
        raise refusal
    return LiveProfile(model, description, card, realtime, tuple(measured))


def _teller(report: Report, done: int, count: int) -> Callable[[LiveProbe], bool]:
    """Tells how much of all sizes is done."""
    def tell(probe: LiveProbe) -> bool:
        report((done + probe.share) / count)
        return True

    return tell


def content(profiles: list[LiveProfile]) -> dict[str, Any]:
    """For ``--json``: the recommendation that fits all models, and every histogram."""
    return {"recommended_block_size": _for_all(profiles), "rule": RULE, "card": profiles[0].card,
            "realtime": list(profiles[0].realtime),
            "models": [{"model": str(profile.model), "engine": profile.engine,
                        "recommended_block_size": profile.recommended,
                        "sizes": [_size_json(one) for one in profile.sizes]} for profile in profiles]}


def _size_json(one: LiveTimes) -> dict[str, Any]:
    counts, edges = bins(one.times, _BINS)
    return {**one.times.summary().as_dict(), "xruns": one.xruns, "faults": one.faults, "safe": one.is_safe,
            "histogram": {"edges_us": [round(float(edge), 3) for edge in edges], "counts": counts.tolist()}}


def _for_all(profiles: list[LiveProfile]) -> int | None:
    sizes = [profile.recommended for profile in profiles]
    return None if None in sizes else max(size for size in sizes if size is not None)


def print_profiles(profiles: list[LiveProfile]) -> None:
    """Tables, the histogram of what is recommended, and the rule."""
    for profile in profiles:
        rows = []
        for one in profile.sizes:
            summary = one.times.summary()
            rows.append([str(one.block_size), f"{summary.deadline_us:.0f}", f"{summary.us_per_block_p50:.0f}",
                         f"{summary.us_per_block_p99:.0f}", f"{summary.us_per_block_max:.0f}",
                         f"{summary.budget_used_p99:.0%}", str(summary.blocks_late), str(one.xruns),
                         "yes" if one.is_safe else "no"])
        print_table(f"{profile.model.name}, {profile.engine}, on {profile.card}: µs per block",
                    ["block", "lasts", "p50", "p99", "max", "p99 of it", "late", "xruns", "safe"], rows, ())
        shown = next((one for one in profile.sizes if one.block_size == profile.recommended), profile.sizes[-1])
        click.echo(f"blocks of {shown.block_size}:")
        click.echo(terminal_histogram(shown.times))
    size = _for_all(profiles)
    click.echo(f"recommended: --block {size}" if size else "No block size measured is safe on this machine, as it is: "
               "`neuralpedal doctor` says what to change; or try larger --blocks, or a smaller model")
    for said in (RULE, *profiles[0].realtime):
        note(said)


def write_png(profiles: list[LiveProfile], path: Path) -> None:
    """A row for each model, a histogram for each size, with p99 and the deadline.

    Raises:
        DeviceError: Matplotlib is not installed. OutputError: the file cannot be written.
    """
    columns = max(len(profile.sizes) for profile in profiles)
    with png_figure(path, (3.2 * columns, 3.0 * len(profiles)), f"µs per block, on {profiles[0].card}") as figure:
        axes = figure.subplots(len(profiles), columns, squeeze=False)
        for row, profile in zip(axes, profiles, strict=True):
            for ax in row[len(profile.sizes) :]:
                ax.set_axis_off()
            for ax, one in zip(row, profile.sizes, strict=False):
                counts, edges = bins(one.times, _BINS)
                ax.stairs(counts, edges, fill=True, color=BLUE)
                ax.set_xscale("log")
                ax.set_yscale("log")
                ax.axvline(one.times.percentile(99), color=RED, label="p99")
                ax.axvline(one.times.deadline_us, color=GREEN, label="deadline")
                ax.set_title(f"{profile.model.name}\nblocks of {one.block_size}: {one.xruns} xruns", fontsize=8)
                ax.legend(fontsize=7)
