"""``neuralpedal import``."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from neuralpedal.cli.console import figure, note, print_json, print_table, steps, warn
from neuralpedal.cli.quiet import quiet_tensorflow
from neuralpedal.contract.errors import SpecError

_GEAR, _LEVELS = ("gear_make", "gear_model", "tone_type"), ("input_level_dbu", "output_level_dbu", "loudness")


@click.command("import")
@click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path),
              help="Run folder to write; of several files, or of a folder, the folder of all runs.")
@click.option("--knob", "knobs", multiple=True, metavar="NAME=VALUE",
              help="Where a knob of the network stands, 0 to 1: gain (the first), tone (the second), knob3.")
@click.option("--rate", type=click.IntRange(8000, 384000), help="Sample rate in Hz, instead of what the file says.")
@click.option("--force", is_flag=True, help="Take a file that fails its own test.")
@click.option("--overwrite", is_flag=True, help="Replace a run in --out.")
@click.option("--convert", "converting", is_flag=True, help="Convert each run too, into pedals/ in its folder.")
@click.option("--schemes", help="For --convert: comma-separated list; without it, all that the network's family has.")
@click.option("--dry", type=click.Path(path_type=Path), help="For --convert: guitar to calibrate on.  "
              "[built-in guitar]")
@click.option("--json", "as_json", is_flag=True, help="Print training.json; of several files, a list of rows.")
def command(files: tuple[Path, ...], out: Path, knobs: tuple[str, ...], rate: int | None, force: bool,
            overwrite: bool, converting: bool, schemes: str | None, dry: Path | None, as_json: bool) -> int:
    """Read networks that others trained as run folders, which evaluate, render and convert as our own.

    \b
    Formats:
      .nam            Neural Amp Modeler: LSTM, WaveNet
      .json, .aidax   AIDA-X, RTNeural: one or two LSTM or GRU layers, linear dense layers, gains, skip
      .json           GuitarML (Proteus, NeuralPi): LSTM or GRU, with knobs as well
      .keras, .h5     Keras: one or two LSTM or GRU layers, then Dense; also those that answer frames
      a folder        Keras 2, as a SavedModel: the same layers; read, not run
      .npz            arrays of a Keras LSTM by name
    Convolutions other than WaveNets are named and refused.

    A FILE may be a folder of such: all models in it are read, what fails is in the table, and a second call goes on
    where the first stopped. Exit code 1 says that not all went well.

    \b
    Examples:
      neuralpedal import ts9.nam --out ts9
      neuralpedal import proteus.json --out lead --knob gain=0.7
      neuralpedal import captures/ --out library --convert --schemes w8
    """
    settings = parse_knobs(knobs)
    if not converting and (schemes is not None or dry is not None):
        raise click.UsageError("--schemes and --dry are for --convert")
    quiet_tensorflow()
    from neuralpedal.train.importing.capture import ImportOptions
    from neuralpedal.train.importing.model_path import is_library

    options = ImportOptions(rate, settings, force)
    if len(files) > 1 or is_library(files[0]) or converting:
        conversion = _conversion(schemes, dry) if converting else None
        return _import_library(files, out, options, overwrite, conversion, as_json)
    from neuralpedal.train.importing.imported_run import import_file

    content = import_file(files[0], out, options, overwrite)
    for remark in content["imported"]["remarks"]:
        warn(f"{files[0]}: {remark}")
    if settings and not content["imported"]["knobs"]:
        warn(f"{files[0]}: has no knobs; --knob changes nothing")
    if as_json:
        print_json(content)
    else:
        note(_done(out, content))
    return 0


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


def _conversion(schemes: str | None, dry: Path | None) -> Any:
    from neuralpedal.cli.capture_library import Conversion
    from neuralpedal.contract.audio import read_recording
    from neuralpedal.convert.schemes import parse_schemes

    if dry is not None:
        # What is wrong for every file is said once, before the first.
        read_recording(dry)
    return Conversion(None if schemes is None else parse_schemes(schemes), dry)


def _import_library(files: tuple[Path, ...], out: Path, options: Any, overwrite: bool, conversion: Any,
                    as_json: bool) -> int:
    from neuralpedal.cli.capture_library import REFUSED, find_items, process

    rows, items = [], find_items(files, out)
    with steps("importing") as told:
        for number, item in enumerate(items, 1):
            place = f"{number} of {len(items)}, {item.path.name}"
            told(place)
            rows.append(process(item, options, overwrite, conversion, partial(_told_of, told, place)))
    if as_json:
        print_json(rows)
    else:
        print_library(rows, out)
    return 1 if any(REFUSED in (row["result"], row["conversion"]) for row in rows) else 0


def _told_of(told: Any, place: str, step: str) -> None:
    told(f"{place}: {step}")


def print_library(rows: list[dict[str, Any]], out: Path) -> None:
    """The table of files, and what each has to remark."""
    columns = ["file", "architecture", "Hz", "gear and levels", "result"]
    print_table(f"{out}: {len(rows)} files", columns, [
        [Path(row["file"]).name, row["architecture"] or "–", str(row["sample_rate_hz"] or "–"), _gear(row["metadata"]),
         _result(row)] for row in rows], text_columns=(0, 1, 3, 4))
    for row in rows:
        for remark in row["remarks"]:
            warn(f"{row['file']}: {remark}")


def _result(row: dict[str, Any]) -> str:
    parts = [f"{row['result']}: {row['reason']}" if row["reason"] else row["result"]]
    if row["conversion"]:
        figures = ", ".join(f"{name} {figure(value)}" for name, value in row["esr_float"].items())
        told = row["conversion_reason"] or (f"ESR float {figures}" if figures else "")
        parts.append(f"conversion {row['conversion']}" + (f": {told}" if told else ""))
    return "; ".join(parts)


def _gear(metadata: dict[str, Any]) -> str:
    """Make, model and levels, as far as the file says them."""
    inner = metadata.get("metadata")
    said = {**metadata, **inner} if isinstance(inner, dict) else metadata
    gear = " ".join(str(said[key])[:30] for key in _GEAR if isinstance(said.get(key), str))
    levels = [f"{key.split('_')[0]} {said[key]:.4g} {'dBu' if key.endswith('dbu') else 'dB'}" for key in _LEVELS
              if isinstance(said.get(key), int | float)]
    return ", ".join(filter(None, (gear, *levels))) or "–"


def _done(out: Path, content: dict[str, Any]) -> str:
    imported, network = content["imported"], content["network"]
    test = (f", its own test is {imported['golden_error']:.1g} away" if imported["golden_error"] is not None else "")
    return (f"wrote {out}: {imported['format']} {imported['architecture']} ({content['num_parameters']} parameters) at "
            f"{network['sample_rate_hz']} Hz{test}")
