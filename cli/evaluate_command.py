"""``neuralpedal evaluate``."""

from pathlib import Path

import click

from neuralpedal.cli.console import note, print_json, progress_bar, warn
from neuralpedal.cli.model_source import open_model
from neuralpedal.cli.tflite_player import CHOICES, ENGINE_HELP


@click.command("evaluate")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("dry", type=click.Path(path_type=Path))
@click.argument("wet", type=click.Path(path_type=Path))
@click.option("--engine", type=click.Choice(CHOICES), default="auto", show_default=True,
              help=f"For .tflite files. {ENGINE_HELP}")
@click.option("--block", default=64, show_default=True, help="Samples per block, for .tflite files.")
@click.option("--probes/--no-probes", default=None, help="Also measure aliasing and the noise floor with test signals. "
              "[default: on, but off for the slow reference]")
@click.option("--align", is_flag=True, help="Correct latency, polarity and drift of WET first, as train does.")
@click.option("--png", type=click.Path(path_type=Path), help="Write the figures as a picture.")
@click.option("--json", "as_json", is_flag=True, help="Print flat JSON (esr_over_time and esr_over_level are lists).")
def command(model: Path, dry: Path, wet: Path, engine: str, block: int, probes: bool | None, align: bool,
            png: Path | None, as_json: bool) -> None:
    """Measure MODEL (a run folder, .keras or .tflite) on DRY against WET, the real pedal's recording.

    ESR below 0.01 is great, below 0.035 not bad, below 0.1 might be fine. docs/metrics.md explains every figure.

    \b
    Examples:
      neuralpedal evaluate sd1 dry_test.wav wet_test.wav
      neuralpedal evaluate sd1-pedal/sd1.w8.tflite dry_test.wav wet_test.wav --json
      neuralpedal evaluate sd1-pedal/sd1.w8a8.tflite dry_test.wav wet_test.wav --png sd1.png
    """
    from neuralpedal.cli.evaluation import measure, probe
    from neuralpedal.cli.evaluation_table import print_evaluation
    from neuralpedal.cli.pair_alignment import put_in_step
    from neuralpedal.contract.errors import RecordingError
    from neuralpedal.contract.pair import read_pair

    pair = read_pair(dry, wet)
    opened = open_model(model, engine, block)
    rate = opened.sample_rate_hz
    if pair.sample_rate_hz != rate:
        raise RecordingError(f"{dry}: {pair.sample_rate_hz} Hz, but {model} was trained at {rate} Hz; "
                             "give recordings of that rate")
    for warning in pair.warnings:
        warn(warning)
    pair, alignment = put_in_step(pair, align)
    corrected = {f"aligned_{key}": value for key, value in alignment.model_dump().items()} if align else {}
    with progress_bar("playing") as (report, _):
        played = opened.play(pair.dry.samples, report)
    with progress_bar("probing") as (report, _):
        answers = probe(opened, report) if (engine != "reference" if probes is None else probes) else None
    evaluation = measure(pair, played, answers)
    title = f"{model} on {dry.name} → {wet.name} ({opened.description})"
    if png:
        from neuralpedal.cli.evaluation_picture import write_evaluation_png

        write_evaluation_png(evaluation, title, png)
    if as_json:
        print_json({**evaluation.as_dict(), "seconds": pair.dry.seconds, "sample_rate_hz": rate, "model": str(model),
                    "played_by": opened.description, "png": str(png) if png else None, **corrected})
    else:
        print_evaluation(evaluation, title)
    if png:
        note(f"wrote {png}")
