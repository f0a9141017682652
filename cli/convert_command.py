"""``neuralpedal convert``."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import click

from neuralpedal.cli.budget_table import print_budgets
from neuralpedal.cli.console import figure, note, print_json, print_table, steps, warn
from neuralpedal.cli.quiet import quiet_tensorflow
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.wavenet import WaveNetSpec


@click.command("convert")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the files and the report.")
@click.option("--schemes", help="Comma-separated list; without it, all that the network's family has.")
@click.option("--rounding", default="joint", show_default=True, type=click.Choice(["joint", "nearest"]),
              help="How weights become int8: together, for the smallest output error (up to a minute or two), or each "
              "to its nearest step.")
@click.option("--dry", type=click.Path(path_type=Path), help="Measure on this take instead of the validation part.")
@click.option("--wet", type=click.Path(path_type=Path), help="The pedal's recording of --dry; without it, files are "
              "held against the float model alone.")
@click.option("--block", default=64, show_default=True, help="Samples per block when measuring.")
@click.option("--seconds", default=5.0, show_default=True, help="Audio to time per scheme.")
@click.option("--report/--no-report", "with_page", default=True, help="Write report.html as well (the default).")
@click.option("--finetune", type=click.FloatRange(0, min_open=True), is_flag=False, flag_value=5.0, default=None,
              metavar="[MINUTES]", help="Train on in the arithmetic of every scheme that is far from the float model, "
              "MINUTES each (5 if not given); needs a C compiler.")
@click.option("--finetune-on", default="float", show_default=True, type=click.Choice(("float", "wet")),
              help="Who teaches: the float model, which needs dry audio alone, or the pedal's own recording.")
@click.option("--max-degradation", metavar="ESR|SCHEME=ESR,…",
              help="Exit 1 when a file is farther from the float model; everything is written all the same.")
@click.option("--recommend", "target", type=click.Choice(("pi", "mcu-fpu", "mcu-integer")),
              help="Name the scheme that suits this target best.")
@click.option("--budget", default=1e-3, show_default=True, type=click.FloatRange(0.0),
              help="ESR against the float model that --recommend may spend.")
@click.option("--json", "as_json", is_flag=True, help="Print the content of report.json.")
def command(run: Path, out: Path, schemes: str | None, rounding: str, dry: Path | None, wet: Path | None, block: int,
            seconds: float, with_page: bool, finetune: float | None, finetune_on: str, max_degradation: str | None,
            target: str | None, budget: float, as_json: bool) -> None:
    """Write RUN (a run folder, or .keras with --dry) as one .tflite file per scheme, and measure each.

    An imported network has no recordings: it is calibrated on --dry, or on the built-in guitar.

    \b
    Schemes:
      float32  float weights and arithmetic
      w8       int8 weights, one scale per output channel; float arithmetic
      w8a16    the same weights, int16 states and audio; integers only (docs/integer-lstm.md)
      tflm16x8 int8 weights, int16 states and audio, for tflite-micro, which alone plays it fast
      w8a8     int8 weights, states and audio; integers only
    \b
    Examples:
      neuralpedal convert sd1 --out sd1-pedal
      neuralpedal convert sd1 --out sd1-pedal --schemes w8 --dry dry_test.wav --wet wet_test.wav
      neuralpedal convert sd1 --out sd1-pedal --schemes w8a8 --finetune
      neuralpedal convert sd1 --out sd1-pedal --max-degradation w8=1e-4,w8a8=1e-2
      neuralpedal convert sd1 --out sd1-pedal --recommend pi --budget 1e-4
    """
    if wet is not None and dry is None:
        raise click.UsageError("--wet needs --dry, the guitar that it is the recording of")
    quiet_tensorflow()
    from neuralpedal.cli.file_player import FilePlayer
    from neuralpedal.cli.weight_rounder import WeightRounder
    from neuralpedal.convert.conversion import convert
    from neuralpedal.convert.degradation import check_degradation, check_named, parse_limits
    from neuralpedal.convert.schemes import check_schemes, parse_schemes, schemes_for
    from neuralpedal.convert.source import read_source
    from neuralpedal.convert.tuning import check_tunable

    names = None if schemes is None else parse_schemes(schemes)
    limits = {} if max_degradation is None else parse_limits(max_degradation)


    def admit(spec: NetworkSpec | WaveNetSpec) -> None:
        check_schemes(names or (), spec)
        if finetune is not None:
            check_tunable(spec)

    source = read_source(run, dry, wet, built_in_guitar, admit)
    source = replace(source, rounding=choose_rounding(rounding, source.weights.spec))
    names = names or schemes_for(source.weights.spec)
    check_named(limits, max_degradation or "", names)
    with steps("converting") as told:
        source = replace(source, rounder=WeightRounder(told))
        tuner = None if finetune is None else _fine_tuner(finetune, finetune_on, told)
        result = convert(source, names, out, FilePlayer(block, seconds), told, tuner, target, budget)
        if with_page:
            from neuralpedal.cli.report.page import write_report

            told("writing report.html")
            write_report(out, source, result)
    if as_json:
        print_json(result.report)
    else:
        print_report(result.report, out, with_page)
    check_degradation(result.report, limits)


GUITAR_SECONDS = 40.0
_GUITAR_SEED = 3


@lru_cache(maxsize=4)
def built_in_guitar(rate_hz: int) -> Any:
    """What an imported network is calibrated on where nobody gives a recording: (T,) float32; says so once."""
    from neuralpedal.cli.virtual.guitar import synthesize_guitar

    warn(f"no recording: calibrating on {GUITAR_SECONDS:g} s of the built-in guitar; your own playing, with --dry, is "
         "better")
    return synthesize_guitar(GUITAR_SECONDS, rate_hz, _GUITAR_SEED)


def choose_rounding(asked: str, spec: NetworkSpec | WaveNetSpec) -> str:
    """The rounding that was asked for, but nearest for networks that have no other, and then that is said."""
    from neuralpedal.convert.rounding import why_nearest

    reason = why_nearest(spec)
    if asked == "nearest" or reason is None:
        return asked
    note(f"{spec.label}: {reason}; each goes to its nearest step")
    return "nearest"


def _fine_tuner(minutes: float, teacher: str, told: Any) -> Any:
    from neuralpedal.cli.fine_tuner import FineTuner

    return FineTuner(minutes, teacher, told)


def print_report(report: dict[str, Any], out: Path, with_page: bool = False) -> None:
    """The table of schemes, and warnings."""
    rows = [
        [name, figure(row["esr_wet"]), figure(row["esr_float"]), str(row["size_bytes"]),
         _time(row["us_per_block_p50"], 1), _time(row["us_per_block_p99"], 1), _time(row["real_time_factor"], 4)]
        for name, row in report["schemes"].items()
    ]
    block = next(iter(report["schemes"].values()))["block_size"]
    print_table(f"{report['name']}: {report['measured_on']}, {report['measured_seconds']} s, blocks of {block}",
                ["scheme", "ESR wet", "ESR float", "bytes", "µs/block p50", "µs/block p99", "real-time factor"], rows)
    print_budgets(report)
    for name, row in report["schemes"].items():
        if "finetuned" in row:
            note(_tuning_remark(name, row))
        for warning in row["warnings"]:
            warn(warning)
    if "recommendation" in report:
        print_recommendation(report["recommendation"])
    files = [row["file"] for row in report["schemes"].values()] + ["report.json"] + ["report.html"] * with_page
    note(f"wrote {out}/ ({', '.join(files)})")


def _tuning_remark(name: str, row: dict[str, Any]) -> str:
    tuning = row["finetuned"]
    judged = f"esr_{tuning['teacher']}"
    said = (f"{name}: fine-tuning for {figure(tuning['minutes'])} min brought ESR {tuning['teacher']} from "
            f"{figure(row[f'{judged}_post_training'])} to {figure(tuning[judged])}")
    return said if tuning["kept"] else f"{said}; the file is the one before"


def print_recommendation(recommendation: dict[str, Any]) -> None:
    """One line."""
    note(f"for {recommendation['target']}: {recommendation['scheme'] or 'no scheme'}; {recommendation['reason']}")


def _time(value: float | None, decimals: int) -> str:
    """A dash where nothing plays the file fast."""
    return "–" if value is None else f"{value:.{decimals}f}"
