"""``neuralpedal firmware``: write a project of C, and ``firmware verify``: prove it."""

from dataclasses import asdict
from pathlib import Path

import click

from neuralpedal.cli.console import note, print_json
from neuralpedal.firmware_bridge.board_example import boards_with_example
from neuralpedal.firmware_bridge.target import target_names

_WRITE = "write"


class _WritesByDefault(click.Group):
    """A group that takes the name of a file for its command ``write``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``write`` before anything that is neither a command nor a request for help."""
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = [_WRITE, *args]
        return super().parse_args(ctx, args)


@click.group("firmware", cls=_WritesByDefault, subcommand_metavar="MODEL.tflite --out DIR [OPTIONS] | verify DIR")
def command() -> None:
    """Turn MODEL.tflite into a C99 project for a board, or verify one: build it, run it, compare every sample.

    \b
    Examples:
      neuralpedal firmware sd1-pedal/sd1.w8a16.tflite --target cortex-m7 --out sd1-firmware --io int16
      neuralpedal firmware sd1-pedal/sd1.w8a16.tflite --board daisy-seed --out sd1-daisy
      neuralpedal firmware sd1-pedal/sd1.w8a8.tflite --out sd1-host --kernels tflm
      neuralpedal firmware verify sd1-firmware --json
      neuralpedal firmware verify sd1-host --audio dry_test.flac --seconds 60
    \b
    More about either: neuralpedal firmware write --help, neuralpedal firmware verify --help
    """


@command.command(_WRITE)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the project: new, empty, or a "
              "former project.")
@click.option("--target", type=click.Choice(target_names()), help="What it is built for and verified on; by default "
              "the board's core, else this machine.")
@click.option("--io", type=click.Choice(("float", "int16")), help="Type of samples; by default what the board's "
              "example plays, else float.")
@click.option("--board", type=click.Choice(boards_with_example()), help="Add this board's example program: audio "
              "callback, footswitch, bypass, LED.")
@click.option("--link", is_flag=True, help="With --board: the example speaks the link over USB "
              "(docs/link-protocol.md).")
@click.option("--kernels", type=click.Choice(("litert", "tflm")), help="Whose arithmetic a w8a8 file is played in, "
              "LiteRT's (the default) or tflite-micro's, which takes 33 to 67 KiB less flash.")
@click.option("--name", help="C identifier for PEDAL_NAME; by default the pedal's name.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def write(model: Path, out: Path, target: str | None, io: str | None, board: str | None, link: bool,
          kernels: str | None, name: str | None, as_json: bool) -> None:
    """Write MODEL (a .tflite of a streaming LSTM, GRU or WaveNet) as C99: tables, runtime, golden vectors, README.

    \b
    Examples:
      neuralpedal firmware sd1-pedal/sd1.w8a16.tflite --target cortex-m7 --out sd1-firmware --io int16
      neuralpedal firmware sd1-pedal/sd1.w8a16.tflite --board daisy-seed --out sd1-daisy
    """
    from neuralpedal.firmware_bridge.project import write_project

    project = write_project(model, out, target, io, kernels, name, board=board, link=link)
    if as_json:
        print_json({"folder": str(out), "name": project.name, "target": project.target, "io": project.io,
                    "board": project.board, "kernels": project.kernels, "state_bytes": project.state_bytes,
                    "table_bytes": project.table_bytes, "files": list(project.files)})
    else:
        note(f"wrote {out}: {len(project.files)} files; state {project.state_bytes} bytes of RAM, constants "
             f"{project.table_bytes} bytes of flash; now: neuralpedal firmware verify {out}")


@command.command("verify")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--target", type=click.Choice(target_names()), help="Instead of the project's own.")
@click.option("--audio", type=click.Path(path_type=Path), help="Play this recording instead of the golden vectors.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Of --audio, from its beginning; all if not"
              "given.")
@click.option("--fits", metavar="BOARD", help="Say whether it fits this board, and exit with 1 if not.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def verify(folder: Path, target: str | None, audio: Path | None, seconds: float | None, fits: str | None,
           as_json: bool) -> int:
    """Build the project in DIR for its target, play audio through it in blocks of several lengths, compare with the
    reference. Exit code 1 when a sample differs by more than the arithmetic allows.

    On the emulated Cortex-Ms instructions, flash, RAM and stack are measured too. The table of boards is an estimate
    from instruction counts: how to measure cycles on a board stands in docs/firmware.md.

    \b
    Examples:
      neuralpedal firmware verify sd1-firmware --json
      neuralpedal firmware verify sd1-firmware --target host --audio dry_test.flac --seconds 60
      neuralpedal firmware verify sd1-firmware --target cortex-m7 --fits daisy-seed
    """
    from neuralpedal.cli.firmware_report import fits_of, measured_pedal, print_fits, print_verification
    from neuralpedal.firmware_bridge.board_catalog import find_board
    from neuralpedal.firmware_bridge.verification import verify_project

    if fits is not None:
        find_board(fits)

    found = verify_project(folder, target, audio, seconds)
    pedal = measured_pedal(folder, found)
    boards = fits_of(pedal, fits)
    if as_json:
        print_json({**found.as_json(), "boards": [asdict(one) for one in boards]})
    else:
        print_verification(found)
        print_fits(boards, pedal.sample_rate_hz)
    return int(not found.passed or (fits is not None and not boards[0].fits))
