"""``neuralpedal export``."""

from pathlib import Path

import click

from neuralpedal.cli.console import note, print_json
from neuralpedal.cli.quiet import quiet_tensorflow


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--format", "format_name", required=True, type=click.Choice(["nam", "aidax", "guitarml"]),
              help="Whose player the file is for.")
@click.option("--out", type=click.Path(path_type=Path), help="File to write.  [RUN's name with the format's suffix]")
@click.option("--zero-state", is_flag=True, help="Begin in zero state where the format has no other, as NAM's has.")
@click.option("--overwrite", is_flag=True, help="Replace --out.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written.")
def command(run: Path, format_name: str, out: Path | None, zero_state: bool, overwrite: bool, as_json: bool) -> int:
    """Write a run folder as a file that others' players read; weights keep every bit.

    \b
    Formats:
      nam        Neural Amp Modeler: WaveNet or LSTM without skip, with an initial state
      aidax      AIDA-X: LSTM or GRU, skip, gain, a test of 2,048 samples inside
      guitarml   GuitarML (Proteus, NeuralPi): LSTM or GRU, skip
    Gear, tone type, levels and loudness of an imported network go along. What a format cannot say is refused.

    \b
    Examples:
      neuralpedal export sd1 --format aidax
      neuralpedal export ts9 --format nam --out ts9.nam
    """
    quiet_tensorflow()
    from neuralpedal.train.exporting.exported_run import export_run

    written = export_run(run, format_name, out, overwrite, zero_state)
    if as_json:
        print_json(written)
    else:
        note(f"wrote {written['file']}: {format_name}, {written['num_parameters']} parameters at "
             f"{written['network']['sample_rate_hz']} Hz")
    return 0
