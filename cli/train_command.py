"""``neuralpedal train``."""

import math
from pathlib import Path
from typing import Any

import click

from neuralpedal.cli.console import figure, note, print_json, print_table, progress_bar, steps, warn
from neuralpedal.cli.interruption import interruptible
from neuralpedal.cli.quiet import quiet_tensorflow
from neuralpedal.contract.errors import DeviceError
from neuralpedal.contract.spec import FAMILIES
from neuralpedal.contract.wavenet import FAMILY as WAVENET

INTERRUPTED = 130


@click.command("train")
@click.argument("dry", type=click.Path(path_type=Path))
@click.argument("wet", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Run folder to write.")
@click.option("--recipe", default="standard", show_default=True, metavar="NAME|FILE.yaml",
              help="quick (3 min), standard (10 min), best (30 min), or a YAML file; options override it.")
@click.option("--family", type=click.Choice((*FAMILIES, WAVENET)), help="Kind of network.  [recipe: lstm]")
@click.option("--frame", type=int, help="Samples that each output sample answers, for frame_lstm.  [default: 64]")
@click.option("--preset", help="Size of a wavenet: nano, feather, lite, standard, a2-lite or a2-full.  "
              "[default: feather]")
@click.option("--hidden", type=int, help="Units per layer.  [recipe: 16]")
@click.option("--layers", type=int, help="Recurrent layers, 1 or 2.  [recipe: 1]")
@click.option("--minutes", type=float, help="Budget as wall time.  [recipe: 10]")
@click.option("--epochs", type=int, help="Budget as passes over the recording, instead of --minutes.")
@click.option("--seed", type=int, help="Of weights and segments.  [recipe: 0]")
@click.option("--resume", is_flag=True, help="Go on where an interrupted run in --out stopped.")
@click.option("--overwrite", is_flag=True, help="Replace a run in --out.")
@click.option("--align/--no-align", default=True, help="Correct latency, polarity and drift of WET.  [default: align]")
@click.option("--json", "as_json", is_flag=True, help="Print the content of training.json.")
def command(dry: Path, wet: Path, out: Path, recipe: str, family: str | None, frame: int | None, preset: str | None,
            hidden: int | None, layers: int | None, minutes: float | None, epochs: int | None, seed: int | None,
            resume: bool, overwrite: bool, align: bool, as_json: bool) -> int:
    """Train a network on DRY (the guitar) and WET (the same take through the pedal).

    Both are mono WAV or FLAC of one sample rate, and are inspected first (see `inspect`).
    Ctrl-C keeps the best network so far; --resume goes on.

    lstm, gru and rnn stream: their state is carried on from sample to sample. frame_lstm answers the last --frame
    samples from zero state; the usual structures, layers×hidden/frame, are 1×16/32, 2×16/32, 1×16/64, 1×32/64 and
    2×32/64. wavenet is the network of Neural Amp Modeler, in its sizes.

    Which: wavenet nano reaches the least error for what it costs on a PC and on a Pi (about that of an lstm of 16
    units), feather where that is not enough. lstm where memory or cycles are short (microcontrollers), or where the
    pedal remembers longer than 85 ms. Figures: docs/training.md; `python benchmarks/training.py choice` prints them.

    \b
    Examples:
      neuralpedal train dry.wav wet.wav --out sd1
      neuralpedal train dry.wav wet.wav --out sd1-32 --hidden 32 --minutes 15 --seed 1
      neuralpedal train dry.wav wet.wav --out sd1-frame --family frame_lstm --layers 2 --hidden 16 --frame 32
      neuralpedal train dry.wav wet.wav --out sd1-feather --family wavenet --preset feather
      neuralpedal train dry.wav wet.wav --out sd1 --minutes 20 --resume
    """
    if minutes is not None and epochs is not None:
        raise click.UsageError("give --minutes or --epochs, not both")
    if resume and overwrite:
        raise click.UsageError("give --resume or --overwrite, not both")
    quiet_tensorflow()
    from neuralpedal.train.recipe import read_recipe
    from neuralpedal.train.session import prepare_session

    chosen = read_recipe(recipe, family=family, frame_samples=frame, preset=preset, hidden_size=hidden,
                         num_layers=layers, minutes=minutes, epochs=epochs, seed=seed)
    if frame is not None and not (chosen.family in FAMILIES and FAMILIES[chosen.family].has_frame):
        raise click.UsageError(f"--frame is for --family frame_lstm; {chosen.family} carries its state on")
    if chosen.family == WAVENET and (hidden, layers) != (None, None):
        raise click.UsageError("--hidden and --layers are for recurrent networks; a wavenet has a --preset")
    with steps("inspecting the recordings"):
        session = prepare_session(dry, wet, out, chosen, resume=resume, overwrite=overwrite, align=align)
    for warning in session.warnings:
        warn(warning)
    for correction in session.corrections:
        note(correction)
    spec = session.trainer.model.spec
    note(f"training {spec.label} ({spec.num_parameters} parameters) on {session.pair.dry.seconds:.0f} s "
                 f"at {spec.sample_rate_hz} Hz")
    interrupted = False
    try:
        result = train_with_bar(session)
    except KeyboardInterrupt:
        interrupted, result = True, session.run.read_training()
        note(f"stopped; the best network so far is kept. Go on with: neuralpedal train {dry} {wet} "
             f"--out {out} --recipe {session.run.recipe} --resume")
    write_picture(session.run.picture, result)
    print_json(result) if as_json else _print_result(result, out)
    return INTERRUPTED if interrupted else 0


def train_with_bar(session: Any) -> dict[str, Any]:
    """Run a TrainingSession under a progress bar; the content of training.json."""
    told = math.inf
    with progress_bar("training") as (report, bar), interruptible() as interruption:
        def watch(progress: Any) -> None:
            nonlocal told
            interruption.check()
            report(progress.fraction)
            if bar.disable and progress.esr != told:
                # No terminal, no bar: a line per validation is what a log wants.
                told = progress.esr
                note(f"{progress.fraction:4.0%}  epoch {progress.epoch}  ESR {progress.esr:.5f}  "
                     f"best {progress.best_esr:.5f}  {progress.samples_per_s / 1e3:.0f}k samples/s")
            esr = f"ESR {progress.best_esr:.4f}" if math.isfinite(progress.best_esr) else "ESR …"
            description = f"training  epoch {progress.epoch}  {esr}  {progress.samples_per_s / 1e3:.0f}k samples/s"
            bar.update(bar.task_ids[0], description=description)

        result: dict[str, Any] = session.train(watch)
        return result


def write_picture(path: Path, training: dict[str, Any]) -> None:
    """The training's picture, where Matplotlib is installed; an ornament must not fail a training."""
    from neuralpedal.cli.training_picture import write_training_picture

    if not training["history"]:
        return
    try:
        write_training_picture(path, training)
    except DeviceError as reason:
        note(str(reason))


def _print_result(result: dict[str, Any], out: Path) -> None:
    metrics = result["validation"] or {}
    rows = [[name, figure(value)] for name, value in metrics.items()]
    rows += [["epochs", str(result["epochs"])], ["wall_time_s", figure(result["wall_time_s"])]]
    print_table(f"{out}: validation part, never trained on", ["", "value"], rows)
