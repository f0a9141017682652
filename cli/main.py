"""``neuralpedal``: finds the command, runs it, and turns errors into one line and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. Commands live in modules of their own that are imported
only when called: a Pi that plays never imports what trains.
"""

import importlib
import sys
import traceback
from importlib import metadata

import click

from neuralpedal.contract.errors import PedalError, SpecError

COMMANDS = {
    "demo": "Make a virtual pedal, train on it, convert, play and measure: the whole line in five minutes.",
    "record": "Play a test signal through a pedal and record it: dry.wav and wet.wav, ready to train on.",
    "inspect": "Find what is wrong with a dry and a wet recording before training on them.",
    "train": "Train a network on a dry and a wet recording of a pedal.",
    "import": "Read a network that others trained (NAM, AIDA-X, RTNeural, GuitarML, Keras) as a run folder.",
    "export": "Write a run folder as a file of NAM, AIDA-X or GuitarML.",
    "evaluate": "Measure a model against a recording of the real pedal.",
    "convert": "Quantize a trained network to .tflite pedals and measure what that costs.",
    "render": "Play a file through a model into another file.",
    "run": "Play the guitar through a model, live, from a sound card.",
    "install-service": "Start `run` with the machine, as a systemd unit; or remove that.",
    "latency": "Measure the way through the sound card and a cable, finer than a sample.",
    "ctl": "Tell a running pedal what to do, and ask it what it does.",
    "profile": "Time a model block by block.",
    "study": "Run the study of 2022 again: LSTMs by frames beside streaming ones, as a page with figures and audio.",
    "firmware": "Turn a .tflite pedal into C for a board, build it and compare every sample.",
    "link": "Talk to a board on a serial line: upload a model, compare every sample, measure it, watch its controls.",
    "doctor": "Say what keeps this machine from playing without gaps, and the command that mends it.",
}
"""Command names with their one-line help: ``--help`` must not import anything heavy."""

INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group whose commands are imported from ``neuralpedal.cli.NAME_command`` on use, with _ for -."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"neuralpedal.cli.{cmd_name.replace('-', '_')}_command").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(metadata.version("neuralpedal"), prog_name="neuralpedal")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def group(debug: bool) -> None:
    """Two WAV files of a pedal in, an int8 network on the floor out.

    \b
    Example:
      neuralpedal train dry.wav wet.wav --out sd1
      neuralpedal convert sd1 --out sd1-pedal
      neuralpedal render sd1-pedal/sd1.w8.tflite guitar.wav pedal.wav
    """


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run one command line; the exit code. Nothing but click's help and the command writes to stdout."""
    debug = "--debug" in arguments
    try:
        result = group.main(args=arguments, prog_name="neuralpedal", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has had enough: not our failure, and stdout must not be flushed again.
        sys.stderr.close()
        return 1
    except Exception as error:  # noqa: BLE001 (the one place: no user should meet a traceback)
        if debug:
            traceback.print_exc()
        elif isinstance(error, PedalError):
            _say(str(error))
        elif isinstance(error, ImportError):
            _say(f"{error}; is the right extra installed? Try pip install 'neuralpedal[pc]', or [device] on a Pi")
        else:
            _say(f"{type(error).__name__}: {error} (a bug: run again with --debug and report it)")
        return 2 if isinstance(error, SpecError) else 1


def _say(message: str) -> None:
    click.echo(f"neuralpedal: {message}", err=True)


if __name__ == "__main__":
    main()
