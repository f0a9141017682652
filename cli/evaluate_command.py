"""``neuralpedal evaluate``."""

from pathlib import Path

import click

from neuralpedal.cli.console import figure, print_json, print_table, progress_bar, warn
from neuralpedal.cli.model_source import open_model
from neuralpedal.device.engine import ENGINES


@click.command("evaluate")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("dry", type=click.Path(path_type=Path))
@click.argument("wet", type=click.Path(path_type=Path))
@click.option("--engine", type=click.Choice(ENGINES), default="litert", show_default=True, help="For .tflite files.")
@click.option("--block", default=64, show_default=True, help="Samples per block, for .tflite files.")
@click.option("--json", "as_json", is_flag=True, help="Print flat JSON.")
def command(model: Path, dry: Path, wet: Path, engine: str, block: int, as_json: bool) -> None:
    """Measure MODEL (a run folder, .keras or .tflite) on DRY against WET, the real pedal's recording.

    ESR below 0.01 is great, below 0.035 not bad, below 0.1 might be fine.

    \b
    Examples:
      neuralpedal evaluate sd1 dry_test.wav wet_test.wav
      neuralpedal evaluate sd1-pedal/sd1.w8.tflite dry_test.wav wet_test.wav --json
    """
    from neuralpedal.contract.errors import RecordingError
    from neuralpedal.contract.metrics import all_metrics
    from neuralpedal.contract.pair import read_pair

    pair = read_pair(dry, wet)
    opened = open_model(model, engine, block)
    rate = opened.sample_rate_hz
    if pair.sample_rate_hz != rate:
        raise RecordingError(f"{dry}: {pair.sample_rate_hz} Hz, but {model} was trained at {rate} Hz; "
                             "give recordings of that rate")
    for warning in pair.warnings:
        warn(warning)
    with progress_bar("playing") as (report, _):
        played = opened.play(pair.dry.samples, report)
    metrics = all_metrics(pair.wet.samples, played)
    if as_json:
        print_json({**metrics, "seconds": pair.dry.seconds, "sample_rate_hz": rate, "model": str(model),
                    "played_by": opened.description})
    else:
        print_table(f"{model} on {dry.name} → {wet.name} ({opened.description})", ["", "value"],
                    [[name, figure(value)] for name, value in metrics.items()])
