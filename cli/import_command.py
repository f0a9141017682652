"""``neuralpedal import``."""

from pathlib import Path
from typing import Any

import click

from neuralpedal.cli.console import note, print_json, warn
from neuralpedal.cli.quiet import quiet_tensorflow
from neuralpedal.contract.errors import SpecError


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Run folder to write.")
@click.option("--knob", "knobs", multiple=True, metavar="NAME=VALUE",
              help="Where a knob of the network stands, 0 to 1: gain (the first), tone (the second), knob3.")
@click.option("--rate", type=click.IntRange(8000, 384000), help="Sample rate in Hz, instead of what the file says.")
@click.option("--force", is_flag=True, help="Take a file that fails its own test.")
@click.option("--overwrite", is_flag=True, help="Replace a run in --out.")
@click.option("--json", "as_json", is_flag=True, help="Print the content of training.json.")
def command(file: Path, out: Path, knobs: tuple[str, ...], rate: int | None, force: bool, overwrite: bool,
            as_json: bool) -> None:
    """Read FILE, a network that others trained, as a run folder, which evaluates, renders and converts as our own.

    \b
    Formats:
      .nam            Neural Amp Modeler: LSTM
      .json, .aidax   AIDA-X, RTNeural: one or two LSTM or GRU layers, linear dense layers, gains, skip
      .json           GuitarML (Proteus, NeuralPi): LSTM or GRU, with knobs as well
      .keras, .h5     Keras: one or two LSTM or GRU layers, then Dense; also those that answer frames
      .npz            arrays of a Keras LSTM by name
    WaveNets and convolutions are named and refused; GRU networks play, but are not converted.

    \b
    Examples:
      neuralpedal import ts9.nam --out ts9
      neuralpedal import proteus.json --out lead --knob gain=0.7
      neuralpedal convert ts9 --out ts9-pedal --dry guitar.wav --wet ts9.wav
    """
    settings = parse_knobs(knobs)
    quiet_tensorflow()
    from neuralpedal.train.importing.capture import ImportOptions
    from neuralpedal.train.importing.imported_run import import_file

    content = import_file(file, out, ImportOptions(rate, settings, force), overwrite)
    for remark in content["imported"]["remarks"]:
        warn(f"{file}: {remark}")
    if as_json:
        print_json(content)
    else:
        note(_done(out, content))


def parse_knobs(texts: tuple[str, ...]) -> dict[str, float]:
    """``gain=0.7`` as a name and a number. Raises SpecError."""
    settings: dict[str, float] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        try:
            settings[name.lower()] = float(value)
        except ValueError:
            raise SpecError(f"--knob {text}: wanted NAME=VALUE with a value from 0 to 1, such as gain=0.7") from None
    return settings


def _done(out: Path, content: dict[str, Any]) -> str:
    imported, network = content["imported"], content["network"]
    test = (f", its own test is {imported['golden_error']:.1g} away" if imported["golden_error"] is not None else "")
    return (f"wrote {out}: {imported['format']} {imported['architecture']} ({content['num_parameters']} parameters) at "
            f"{network['sample_rate_hz']} Hz{test}")
