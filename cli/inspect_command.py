"""``neuralpedal inspect``."""

from pathlib import Path
from typing import Any

import click

from neuralpedal.cli.console import figure, note, print_json, print_table, steps

COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}

ROWS = (
    ("latency_samples", "samples (positive: wet is late)"), ("latency_confidence", "0 to 1"), ("inverted", ""),
    ("drift_ppm", "ppm"), ("noise_floor_db", "dB full scale, wet"), ("esr_bound", "no model gets below"),
    ("repeatability_esr", "of a passage played twice: no model gets below"), ("repeatability_s", "s of it"),
    ("sway_ms", "ms that the delay swings at least"), ("rhythm_db", "dB that moves by itself"),
    ("echo_ms", "ms"), ("late_energy_db", "dB after 40 ms"),
    ("loud_share", "of the take"), ("quiet_share", "of the take"), ("silent_share", "of the take"),
    ("repeated_share", "of the validation part"), ("dry_peak_dbfs", "dBFS"), ("wet_peak_dbfs", "dBFS"),
    ("dry_clipped_samples", ""), ("wet_clipped_samples", ""), ("dry_dc_offset", "of full scale"),
    ("wet_dc_offset", "of full scale"), ("dry_hum_dbfs", "dBFS"), ("wet_hum_dbfs", "dBFS"),
)
"""What people see of the figures, with the unit; ``--json`` has all of them."""


@click.command("inspect")
@click.argument("dry", type=click.Path(path_type=Path))
@click.argument("wet", type=click.Path(path_type=Path))
@click.option("--png", type=click.Path(path_type=Path), help="Also draw the response, its drift and the levels.")
@click.option("--json", "as_json", is_flag=True, help="Print flat JSON, with a list of problems.")
def command(dry: Path, wet: Path, png: Path | None, as_json: bool) -> int:
    """Find what is wrong with a DRY and a WET recording before training on them.

    Latency, polarity and drift are corrected by `train`; everything else is yours to mend: docs/recordings.md. Exit
    code 1 when a problem makes the pair unusable.

    \b
    Examples:
      neuralpedal inspect dry.wav wet.wav
      neuralpedal inspect dry.wav wet.wav --json
      neuralpedal inspect dry.wav wet.wav --png recordings.png
    """
    with steps("inspecting"):
        from neuralpedal.train.inspection.report import inspect_files

        inspection = inspect_files(dry, wet)
    if png and inspection.latency:
        from neuralpedal.cli.inspection_picture import write_inspection_picture

        write_inspection_picture(png, inspection, f"{dry.name} → {wet.name}")
    content = inspection.to_json()
    print_json(content) if as_json else _print(content, f"{dry.name} → {wet.name}")
    return 0 if inspection.usable else 1


def _print(content: dict[str, Any], title: str) -> None:
    rows = [[key, _text(content[key]), unit] for key, unit in ROWS if key in content]
    print_table(f"{title}: {content['seconds']:.1f} s at {content['sample_rate_hz']} Hz", ["", "value", ""], rows)
    print_problems(content["problems"])


def print_problems(problems: list[dict[str, str]]) -> None:
    """The list of problems, worst first, on stdout."""
    from rich.markup import escape

    from neuralpedal.cli.console import stdout

    if not problems:
        note("no problems found")
    order = list(COLOURS)
    for problem in sorted(problems, key=lambda one: order.index(one["severity"])):
        colour = COLOURS[problem["severity"]]
        stdout.print(f"[{colour}]{problem['severity']} {problem['code']}:[/{colour}] {escape(problem['message'])}",
                     soft_wrap=True)


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return figure(value)
