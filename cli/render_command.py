"""``neuralpedal render``."""

from pathlib import Path

import click

from neuralpedal.cli.console import note, print_json, progress_bar
from neuralpedal.cli.tflite_player import CHOICES, ENGINE_HELP


@click.command("render")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--engine", type=click.Choice(CHOICES), default="auto", show_default=True,
              help=f"For .tflite files. {ENGINE_HELP}")
@click.option("--block", default=64, show_default=True, help="Samples per block, for .tflite files; the sound does not "
              "depend on it.")
@click.option("--resample", is_flag=True, help="Convert the file to the model's rate and back if they differ.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def command(model: Path, source: Path, target: Path, engine: str, block: int, resample: bool, as_json: bool) -> None:
    """Play IN through MODEL (a .tflite, a run folder or .keras) into OUT (.wav as 32-bit float, or .flac).

    \b
    Examples:
      neuralpedal render sd1-pedal/sd1.w8.tflite guitar.wav pedal.wav
      neuralpedal render sd1-pedal/sd1.w8a8.tflite guitar44.wav pedal.wav --resample
      neuralpedal render sd1 guitar.wav pedal.wav
    """
    from neuralpedal.cli.model_source import open_model
    from neuralpedal.device.render import render_file

    opened = open_model(model, engine, block).engine
    with progress_bar("rendering") as (report, _):
        rendering = render_file(opened, source, target, resample, report)
    if as_json:
        print_json({"file": str(target), "seconds": rendering.seconds, "sample_rate_hz": rendering.sample_rate_hz,
                    "resampled": rendering.resampled, "peak": rendering.peak, "engine": opened.description})
    else:
        note(f"wrote {target}: {rendering.seconds:.2f} s, peak {rendering.peak:.3f}, {opened.description}")
