"""``neuralpedal ctl``: imports little, so that scripts and footswitches of others are answered at once."""

import json
import socket as sockets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

_PATIENCE_S = 10.0
_TUNER = "tuner"


@click.command("ctl", context_settings={"ignore_unknown_options": True})
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--socket", type=click.Path(path_type=Path), help="Of the pedal, as `run --socket` says.  [default: "
              "neuralpedal/ctl.sock in $XDG_RUNTIME_DIR, then that of the system's service in /run]")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON; `watch`: one line per change.")
def command(words: tuple[str, ...], socket: Path | None, as_json: bool) -> None:
    """Tell a running pedal what to do, in one line: an action, `status`, or `watch` for every change until Ctrl-C;
    `tuner` alone says what is heard now.

    Exit code 0: done; 1: no pedal runs there, or it could not; 2: there is no such action, preset or parameter.

    \b
    Examples:
      neuralpedal ctl bypass toggle
      neuralpedal ctl preset next
      neuralpedal ctl set output_gain_db -6
      neuralpedal ctl tuner mute
      neuralpedal ctl tuner
      neuralpedal ctl status --json
    """
    from neuralpedal.contract.errors import ControlError, SpecError
    from neuralpedal.device.action import parse_action
    from neuralpedal.device.controls.control_socket import STATUS, WATCH, places_to_look

    line = " ".join(words)
    is_tuner = line == _TUNER
    line = STATUS if is_tuner else line
    if line not in (STATUS, WATCH):
        try:
            parse_action(line)
        except SpecError as error:
            raise SpecError(f"{error}; besides, `{STATUS}`, `{WATCH}` and `{_TUNER}`") from error
    shows = line in (STATUS, WATCH)
    for answer in _answers(places_to_look(socket), line, line == WATCH):
        if not answer.get("ok"):
            raise (SpecError if answer.get("usage") else ControlError)(str(answer.get("error")))
        if is_tuner:
            reading = _reading(answer["status"])
            click.echo(json.dumps(reading) if as_json else _tuner_line(reading))
        elif as_json and line == WATCH:
            click.echo(json.dumps(answer["status"]))
        elif as_json:
            click.echo(json.dumps(answer["status"], indent=2))
        else:
            click.echo(_line(answer["status"]), err=not shows)


def _answers(places: Sequence[Path], line: str, forever: bool) -> Iterator[dict[str, Any]]:
    """Send one line to the pedal that listens at the first of the places; what comes back, line by line."""
    from neuralpedal.contract.errors import ControlError

    connection, path = _connect(places)
    with connection:
        try:
            connection.sendall(line.encode() + b"\n")
            if forever:
                connection.settimeout(None)
            with connection.makefile("rb") as answers:
                for answer in answers:
                    yield json.loads(answer)
                    if not forever:
                        return
        except TimeoutError as error:
            raise ControlError(f"{path}: the pedal gave no answer for {_PATIENCE_S:g} s; is it busy or stopped?"
                               ) from error
        except OSError as error:
            raise ControlError(f"{path}: the pedal ended ({error.strerror})") from error
        except json.JSONDecodeError as error:
            raise ControlError(f"{path}: what answers there is no pedal ({error})") from error
    raise ControlError(f"{path}: the pedal ended")


def _connect(places: Sequence[Path]) -> tuple[sockets.socket, Path]:
    from neuralpedal.contract.errors import ControlError

    refusals = []
    for path in places:
        connection = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        connection.settimeout(_PATIENCE_S)
        try:
            connection.connect(str(path))
        except OSError as error:
            connection.close()
            if isinstance(error, PermissionError):
                raise ControlError(f"{path}: only the user as whom that pedal plays may connect; call this as that "
                                   "user, or with sudo") from error
            refusals.append(f"{path}: no pedal listens there ({error.strerror or error})")
        else:
            return connection, path
    raise ControlError(f"{', '.join(refusals)}; start one with `neuralpedal run`, or give its --socket")


def _line(status: dict[str, Any]) -> str:
    """A status for people."""
    parameters = ", ".join(f"{name} {entry['value']:g}{entry['unit'] and ' ' + entry['unit']}"
                           for name, entry in status["parameters"].items() if entry["unit"] != "on/off")
    unsaved = ", not saved" if status["unsaved"] else ""
    return f"{status['number']}. {status['preset']} ({status['model']}), {status['state']}{unsaved}; {parameters}"


def _reading(status: dict[str, Any]) -> dict[str, Any]:
    from neuralpedal.contract.errors import ControlError

    reading = status.get("tuner")
    if reading is None:
        raise ControlError("the tuner is off; switch it on with `neuralpedal ctl tuner mute`, or `tuner on` to hear "
                           "the pedal meanwhile")
    return dict(reading)


def _tuner_line(reading: dict[str, Any]) -> str:
    if reading["note"] is None:
        return "no note: play one string"
    return f"{reading['note']} {reading['cents']:+.1f} cents ({reading['frequency_hz']:.2f} Hz)"
