"""``neuralpedal record``."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neuralpedal.cli.card_recorder import card_options
from neuralpedal.cli.console import figure, note, print_json, print_table, progress_bar, steps, warn

if TYPE_CHECKING:
    from neuralpedal.cli.card_recorder import CardRecorder
    from neuralpedal.cli.recording.take import Take
    from neuralpedal.cli.recording.track import CaptureTrack
    from neuralpedal.train.inspection.report import Inspection

_LOUDEST_S = 1.5
_FARTHEST_MOVE_SAMPLES = 8
_SOFT_PEAK_DBFS = -30.0


@click.command("record")
@click.option("--out", type=click.Path(path_type=Path), help="A new folder for dry.wav and wet.wav.")
@card_options(block=1024)
@click.option("--seconds", default=180.0, show_default=True, help="How long the take is: 30 to 900.")
@click.option("--seed", default=0, show_default=True, help="Of the playing.")
@click.option("--tries", type=click.IntRange(1, 20), default=3, show_default=True,
              help="Takes to begin before giving up, where blocks are lost.")
@click.option("--yes", is_flag=True, help="Do not set the level first.")
@click.option("--level-check-only", is_flag=True, help="Set the level, record nothing.")
@click.option("--level-patience", default=180.0, show_default=True, help="Seconds to wait for the level to be right.")
@click.option("--json", "as_json", is_flag=True, help="Print what record.json says.")
def command(out: Path | None, device: str | None, input_channel: int, block: int, rate: int | None, seconds: float,
            seed: int, tries: int, yes: bool, level_check_only: bool, level_patience: float, as_json: bool) -> int:
    """Play a test signal through a pedal and record its answer: card's output → pedal → card's input.

    First the level is set: the loudest part plays until its peak lies between −12 and −3 dBFS. Then the take: silence,
    sync clicks, sweeps, noise, notes, playing, one passage twice. Dry and wet are laid in step, inspected and written;
    what is said at the end is how good a model of this pedal can get. Exit code 1 when the pair is not usable.

    \b
    Examples:
      neuralpedal record --out sd1-pair --device hifiberry
      neuralpedal record --level-check-only
      neuralpedal train sd1-pair/dry.wav sd1-pair/wet.wav --out sd1
    """
    if (out is None) != level_check_only:
        raise click.UsageError("wanted one of --out FOLDER and --level-check-only")
    _need_scipy()
    from neuralpedal.cli.card_recorder import open_card
    from neuralpedal.cli.recording.level_check import set_level
    from neuralpedal.cli.recording.pair_folder import check_free
    from neuralpedal.cli.recording.take import record_take
    from neuralpedal.cli.recording.track import make_track

    if out is not None:
        check_free(out)
    with open_card(device, input_channel, block, rate) as recorder:
        with steps("preparing the test signal"):
            track = make_track(seconds, recorder.form.sample_rate_hz, seed)
        level = None if yes else set_level(recorder, track.loudest(_LOUDEST_S), level_patience)
        if out is None:
            return 0
        with progress_bar(f"recording {seconds:.0f} s") as (report, _):
            take = record_take(recorder, track, tries, report, warn)
    note("the take is over: the pedal is not needed any more")
    if take.wet_peak_dbfs < _SOFT_PEAK_DBFS:
        warn(f"the pedal's answer is soft (peak {take.wet_peak_dbfs:.0f} dBFS, wanted above {_SOFT_PEAK_DBFS:.0f}): "
             "the card's noise counts more than it must; turn the pedal's volume or the card's input up")
    content, usable = _finish(out, recorder, track, take, level)
    print_json(content) if as_json else _print(content, out)
    return 0 if usable else 1


def _need_scipy() -> None:
    from neuralpedal.contract.errors import DeviceError

    if not find_spec("scipy"):
        raise DeviceError("record needs SciPy, for the guitar that it plays and for inspecting what comes back: pip "
                          "install 'neuralpedal[record]'")


def _finish(out: Path, recorder: "CardRecorder", track: "CaptureTrack", take: "Take",
            level: float | None) -> tuple[dict[str, Any], bool]:
    """Align, inspect, write: what record.json says, and whether one can train on it."""
    from neuralpedal.cli.recording.pair_folder import DRY, WET, PairFolder
    from neuralpedal.cli.recording.take import repeatability
    from neuralpedal.train.inspection.report import inspect_files

    rate_hz = track.sample_rate_hz
    repeated_esr = repeatability(track, take.wet)
    with PairFolder(out) as folder, steps("inspecting") as step:
        folder.write_tracks(take, rate_hz)
        inspection = inspect_files(folder.path / DRY, folder.path / WET)
        moved = _second_opinion(take, inspection)
        if moved:
            step("once more, in step")
            take = take.moved(moved)
            folder.write_tracks(take, rate_hz)
            inspection = inspect_files(folder.path / DRY, folder.path / WET)
        content = _content(recorder, track, take, inspection, moved, repeated_esr)
        content["level_check_peak_dbfs"] = None if level is None else round(level, 2)
        # Its messages name the files by the folder's name of the meantime.
        for problem in content["problems"]:
            problem["message"] = problem["message"].replace(str(folder.path), str(out))
        folder.finish(content)
    return content, inspection.usable


def _second_opinion(take: "Take", inspection: "Inspection") -> int:
    """How many samples `inspect` finds wet later than the clicks say; 0 where it is not sure.

    The clicks are believed where the two are far apart: what arrives 8 samples after a click's answer begins is the
    pedal's own doing.
    """
    found = round(inspection.alignment.latency_samples)
    if take.arrival is None:
        return found
    if abs(found) > _FARTHEST_MOVE_SAMPLES:
        warn(f"the sync clicks and the playing disagree about the latency by {found} samples; the clicks are believed "
             "(`inspect` shows more)")
        return 0
    return found


def _content(recorder: "CardRecorder", track: "CaptureTrack", take: "Take", inspection: "Inspection", moved: int,
             repeated_esr: float) -> dict[str, Any]:
    from neuralpedal.cli.recording.take import sections_json

    figures = inspection.to_json()
    noise_esr = figures.get("esr_bound")
    clicks = take.arrival.latency_samples if take.arrival else None
    return {
        "card": recorder.name, "sample_rate_hz": track.sample_rate_hz, "block_size": recorder.form.block_size,
        "seconds": round(len(take.dry) / track.sample_rate_hz, 3), "seed": track.seed,
        "spoilt_takes": take.spoilt_takes, "wet_peak_dbfs": round(take.wet_peak_dbfs, 2),
        "latency_samples": (clicks or 0) + moved, "latency_of_clicks_samples": clicks, "moved_after_inspect": moved,
        "noise_floor_db": figures.get("noise_floor_db"), "noise_esr_bound": noise_esr,
        "repeatability_esr_bound": repeated_esr, "esr_bound": max(noise_esr or 0.0, repeated_esr),
        "sections": sections_json(track), "problems": figures["problems"],
    }


def _print(content: dict[str, Any], out: Path) -> None:
    from neuralpedal.cli.inspect_command import print_problems

    how = "by the sync clicks" if content["latency_of_clicks_samples"] is not None else "by the playing alone"
    if content["latency_of_clicks_samples"] is not None and content["moved_after_inspect"]:
        how += f" and {content['moved_after_inspect']:+d} by the playing"
    rows = [["length", f"{content['seconds']:.1f}", "s"], ["peak", f"{content['wet_peak_dbfs']:.1f}", "dBFS, wet"],
            ["latency", str(content["latency_samples"]), f"samples, taken out; {how}"],
            ["noise floor", figure(content["noise_floor_db"]), f"dB: ESR {figure(content['noise_esr_bound'])}"],
            ["repeatability", figure(content["repeatability_esr_bound"]), "ESR, from the passage played twice"],
            ["best model", figure(content["esr_bound"]), "ESR: no model of this pedal gets below"]]
    print_table(f"{out}: {content['card']}, {content['sample_rate_hz']} Hz", ["", "value", ""], rows, (0, 2))
    print_problems(content["problems"])
    note(f"wrote {out}; next: neuralpedal train {out}/dry.wav {out}/wet.wav --out NAME")
