"""``neuralpedal link``: a board on a serial line: what it is, a model for it, the proof, the cost, its controls."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from neuralpedal.cli.console import figure, note, print_json, print_table, progress_bar, warn

if TYPE_CHECKING:
    from neuralpedal.firmware_bridge.link.board import Board
    from neuralpedal.firmware_bridge.link.messages import BoardInfo, Event

_SIZES = "8,16,24,32"
_BLOCKS = "1,16,48,64"


@click.group("link", subcommand_metavar="info | upload MODEL.tflite | verify MODEL.tflite | profile | monitor")
@click.option("--port", required=True, help="Where the board is: /dev/ttyACM0, a URL of pyserial's, or unix:PATH.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(0.01), default=1.0, show_default=True,
              help="Seconds to wait for an answer; it is asked for four times.")
@click.pass_context
def command(context: click.Context, port: str, timeout_s: float) -> None:
    """Talk to a board whose firmware speaks the link (docs/link-protocol.md).

    \b
    Examples:
      neuralpedal link --port /dev/ttyACM0 info
      neuralpedal link --port /dev/ttyACM0 upload sd1-pedal/sd1.w8a16.tflite
      neuralpedal link --port /dev/ttyACM0 verify sd1-pedal/sd1.w8a16.tflite --json
      neuralpedal link --port /dev/ttyACM0 profile --hidden 8,16,32 --blocks 16,48
      neuralpedal link --port /dev/ttyACM0 monitor
    """
    context.obj = (port, timeout_s)


@contextmanager
def _board(context: click.Context) -> Iterator["Board"]:
    from neuralpedal.firmware_bridge.link.board import Board

    port, timeout_s = context.obj
    with Board(port, timeout_s) as board:
        yield board


@command.command("info")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_context
def info(context: click.Context, as_json: bool) -> None:
    """Say what board it is, what it can play, and what lies in its two slots.

    \b
    Example:
      neuralpedal link --port /dev/ttyACM0 info --json
    """
    with _board(context) as board:
        found = board.info
    if as_json:
        print_json(_info_json(found))
        return
    rate = f"{found.sample_rate_hz} Hz" if found.sample_rate_hz else "any rate"
    arithmetics = ", ".join(one.name.lower() for one in found.arithmetics)
    print_table(f"{found.board}, firmware {found.firmware}", ["", ""], [
        ["clock", f"{found.clock_hz / 1e6:g} MHz, time in {found.counter.name.lower()}"],
        ["samples", f"{found.samples.name.lower()} at {rate}"],
        ["plays", f"{arithmetics}; up to {found.layers} × {found.hidden_size}"],
        ["blocks", f"up to {found.block_samples} samples"],
        *([f"slot {index}", _slot_text(found, index)] for index in range(len(found.slots)))], (0, 1))


def _slot_text(info: "BoardInfo", index: int) -> str:
    slot = info.slots[index]
    if not slot.valid:
        return f"empty, {info.slot_bytes:,} bytes"
    return f"{slot.name}, {slot.size_bytes:,} of {info.slot_bytes:,} bytes{', plays' if info.selected == index else ''}"


def _info_json(info: "BoardInfo") -> dict[str, object]:
    return {"board": info.board, "firmware": info.firmware, "clock_hz": info.clock_hz,
            "counter": info.counter.name.lower(),
            "sample_rate_hz": info.sample_rate_hz or None, "samples": info.samples.name.lower(),
            "arithmetics": [one.name.lower() for one in info.arithmetics], "layers": info.layers,
            "hidden_size": info.hidden_size, "block_samples": info.block_samples, "slot_bytes": info.slot_bytes,
            "selected": info.selected,
            "slots": [{"valid": slot.valid, "name": slot.name, "size_bytes": slot.size_bytes, "crc": slot.crc,
                       "digest": slot.digest.hex()} for slot in info.slots]}


@command.command("upload")
@click.argument("model", metavar="MODEL.tflite", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
@click.pass_context
def upload(context: click.Context, model: Path, as_json: bool) -> None:
    """Bring MODEL into the board's free slot and play it. Until all has arrived and was checked, the old one plays.

    \b
    Example:
      neuralpedal link --port /dev/ttyACM0 upload sd1-pedal/sd1.w8a16.tflite
    """
    from neuralpedal.firmware_bridge.link.uploading import upload as send
    from neuralpedal.firmware_bridge.model_blob import write_blob

    with _board(context) as board:
        blob = write_blob(model, board.info.samples)
        with progress_bar(f"uploading {blob.name}") as (report, _):
            done = send(board, blob, report)
    if as_json:
        print_json({"model": blob.name, "slot": done.slot, "size_bytes": done.size_bytes, "sent_bytes": done.sent_bytes,
                    "resumptions": done.resumptions})
    else:
        note(f"{blob.name}: plays from slot {done.slot}, {done.size_bytes:,} bytes; now: neuralpedal link --port "
             f"{context.obj[0]} verify {model}")


@command.command("verify")
@click.argument("model", metavar="MODEL.tflite", type=click.Path(path_type=Path))
@click.option("--samples", type=click.IntRange(1), default=9600, show_default=True, help="How much audio is streamed.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
@click.pass_context
def verify(context: click.Context, model: Path, samples: int, as_json: bool) -> int:
    """Stream golden audio through the board and compare every sample with the reference of MODEL, which it must play.

    Integer networks must be equal bit for bit, float ones within 1e-5 (one step of int16). Else the exit code is 1.

    \b
    Example:
      neuralpedal link --port /dev/ttyACM0 verify sd1-pedal/sd1.w8a16.tflite
    """
    from neuralpedal.firmware_bridge.link.verifying import verify_board

    with _board(context) as board, progress_bar("streaming") as (report, _):
        found = verify_board(board, model, samples, report)
    if as_json:
        print_json(found.as_json())
        return int(not found.passed)
    share = "–" if found.share_of_sample_period is None else f"{found.share_of_sample_period:.1%}"
    print_table(f"{found.model} on {found.board}: {'passed' if found.passed else 'FAILED'}", ["", ""], [
        ["samples that differ", f"{found.differing_samples} of {found.samples}"],
        ["largest difference", f"{figure(found.max_abs_difference)}, allowed {figure(found.allowed_difference)}"],
        [f"{found.counter} per sample, median", figure(found.counts_per_sample)],
        [f"{found.counter} per sample, most", figure(found.largest_counts_per_sample)],
        ["share of the sample period", share],
        ["late blocks", str(found.overruns)],
        ["stack used, bytes", str(found.stack_bytes or "–")]], (0,))
    return int(not found.passed)


def _numbers(context: click.Context, option: click.Parameter, text: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise click.BadParameter(f"{text!r}: wanted numbers such as 8,16,32") from error
    if min(found) < 1:
        raise click.BadParameter(f"{min(found)}: must be at least 1")
    return found


@command.command("profile")
@click.option("--scheme", type=click.Choice(("w8a16", "w8")), default="w8a16", show_default=True,
              help="Of the networks.")
@click.option("--hidden", "hidden_sizes", default=_SIZES, show_default=True, callback=_numbers, help="Hidden sizes.")
@click.option("--layers", type=click.IntRange(1, 2), default=1, show_default=True)
@click.option("--blocks", "block_sizes", default=_BLOCKS, show_default=True, callback=_numbers, help="Block sizes.")
@click.option("--rate", "sample_rate_hz", type=click.IntRange(8000, 192000), default=48000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
@click.pass_context
def profile(context: click.Context, scheme: str, hidden_sizes: list[int], layers: int, block_sizes: list[int],
            sample_rate_hz: int, as_json: bool) -> None:
    """Measure random networks of several sizes in blocks of several sizes. The model that plays stays in its slot and
    plays again afterwards; what lies in the other slot is overwritten.

    \b
    Example:
      neuralpedal link --port /dev/ttyACM0 profile --hidden 8,16,32 --blocks 16,48 --json
    """
    from neuralpedal.cli.random_pedal import random_blob
    from neuralpedal.firmware_bridge.link.profiling import profile_board

    with _board(context) as board, progress_bar("measuring") as (report, _):
        rate_hz, samples = board.info.sample_rate_hz or sample_rate_hz, board.info.samples
        rows = list(profile_board(board, lambda size: random_blob(scheme, size, layers, rate_hz, samples), hidden_sizes,
                                  block_sizes, rate_hz, report=report))
        found = board.info
    if as_json:
        print_json({"board": found.board, "clock_hz": found.clock_hz, "counter": found.counter.name.lower(),
                    "sample_rate_hz": rate_hz, "scheme": scheme, "layers": layers,
                    "rows": [row.as_json() for row in rows]})
        return
    counter = found.counter.name.lower()
    print_table(f"{scheme}, {layers} × H on {found.board}", ["H", "block", f"{counter} per sample", "most", "share"], [
        [str(row.hidden_size), str(row.block_samples), figure(row.counts_per_sample),
         figure(row.largest_counts_per_sample),
         "–" if row.share_of_sample_period is None else f"{row.share_of_sample_period:.1%}"] for row in rows], ())


@command.command("monitor")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Stop after that; else with Ctrl-C.")
@click.option("--events", "most_events", type=click.IntRange(1), help="Stop after so many events.")
@click.option("--json", "as_json", is_flag=True, help="Print a row of JSON per event.")
@click.pass_context
def monitor(context: click.Context, seconds: float | None, most_events: int | None, as_json: bool) -> None:
    """Show what feet do on the board: footswitches and knobs, as they move.

    \b
    Examples:
      neuralpedal link --port /dev/ttyACM0 monitor
      neuralpedal link --port /dev/ttyACM0 monitor --seconds 10 --json
    """
    from neuralpedal.firmware_bridge.link.port import now_s

    with _board(context) as board:
        board.controls()
        end_s = None if seconds is None else now_s() + seconds
        shown = lost = 0
        while (most_events is None or shown < most_events) and (end_s is None or now_s() < end_s):
            event = board.wait_for_event(0.2 if end_s is None else min(0.2, max(end_s - now_s(), 0.0)))
            if event is not None:
                click.echo(_event_text(event, as_json))
                shown += 1
            if board.lost_events > lost:
                warn(f"{board.lost_events - lost} events were lost on the line")
                lost = board.lost_events


def _event_text(event: "Event", as_json: bool) -> str:
    kind = event.control.name.lower()
    if as_json:
        return json.dumps({"number": event.number, "control": kind, "index": event.index, "value": event.value})
    value = f"{event.value / 65535:.3f}" if kind == "knob" else "pressed" if event.value else "released"
    return f"{kind} {event.index}: {value}"
