"""``neuralpedal demo``."""

import time
from pathlib import Path

import click

from neuralpedal.cli.console import note, print_json, steps
from neuralpedal.cli.quiet import quiet_tensorflow
from neuralpedal.contract.integer_kernels import TFLM16X8
from neuralpedal.contract.manifest import SCHEMES

BLOCK_SIZE = 64

# Without tflm16x8: nothing here plays it but the slow reference.
_SCHEMES = tuple(scheme for scheme in SCHEMES if scheme != TFLM16X8)


@click.command("demo")
@click.option("--out", default="demo", show_default=True, type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--minutes", default=2.5, show_default=True, help="Training time.")
@click.option("--hidden", default=16, show_default=True, help="Units of the LSTM.")
@click.option("--seconds", default=90.0, show_default=True, help="Guitar to train on.")
@click.option("--test-seconds", default=12.0, show_default=True, help="Held-out guitar to be judged by.")
@click.option("--json", "as_json", is_flag=True, help="Print the content of report.json.")
def command(out: Path, minutes: float, hidden: int, seconds: float, test_seconds: float, as_json: bool) -> None:
    """The whole line on a virtual pedal: no recordings, no downloads.

    Synthesises a guitarist, overdrives the take with a circuit model of a Boss SD-1, trains an LSTM on it, writes it
    in every scheme but tflm16x8, streams a held-out take through each, times the blocks, and prints one table. A demo
    folder from an earlier time is replaced.

    \b
    Examples:
      neuralpedal demo
      neuralpedal demo --minutes 10 --hidden 32 --out demo32
    """
    begun = time.monotonic()
    quiet_tensorflow()
    from neuralpedal.cli.convert_command import print_report
    from neuralpedal.cli.demo.picture import write_picture
    from neuralpedal.cli.demo.takes import SAMPLE_RATE_HZ, write_takes
    from neuralpedal.cli.file_player import FilePlayer
    from neuralpedal.cli.report.page import write_report
    from neuralpedal.cli.train_command import train_with_bar
    from neuralpedal.cli.train_command import write_picture as write_training_picture
    from neuralpedal.contract.audio import write_recording
    from neuralpedal.convert.conversion import convert
    from neuralpedal.convert.source import read_source
    from neuralpedal.train.recipe import read_recipe
    from neuralpedal.train.session import prepare_session

    with steps("playing the virtual guitar through the virtual pedal"):
        takes = write_takes(out / "audio", seconds, test_seconds)
    recipe = read_recipe(None, hidden_size=hidden, minutes=minutes)
    session = prepare_session(takes.dry, takes.wet, out / "overdrive", recipe, overwrite=True)
    training = train_with_bar(session)
    write_training_picture(session.run.picture, training)
    note(f"trained {session.trainer.model.spec.label} for {training['wall_time_s']:.0f} s: "
         f"validation ESR {training['esr_validation']:.4f}")
    with steps("converting") as told:
        source = read_source(session.run.path, takes.dry_test, takes.wet_test)
        result = convert(source, _SCHEMES, out / "pedal", FilePlayer(BLOCK_SIZE, seconds=5.0), told)
        outputs = {scheme.scheme: scheme.wet for scheme in result.schemes}
        for name, wet in outputs.items():
            write_recording(out / "audio" / f"{name}_test.wav", wet, SAMPLE_RATE_HZ)
        assert source.take.wet is not None
        write_picture(out / "pedal" / "report.png", source.take.wet, outputs, SAMPLE_RATE_HZ,
                      f"virtual overdrive, {source.weights.spec.label}, held-out take")
        told("writing report.html")
        write_report(out / "pedal", source, result)
    if as_json:
        print_json(result.report)
    else:
        print_report(result.report, out / "pedal", with_page=True)
        note(f"listen and look: {out}/pedal/report.html, {out}/audio/*_test.wav, {out}/pedal/report.png")
    note(f"done in {time.monotonic() - begun:.0f} s")
