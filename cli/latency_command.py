"""``neuralpedal latency``."""

import time
from typing import TYPE_CHECKING, Any

import click

from neuralpedal.cli.card_recorder import card_options
from neuralpedal.cli.console import note, print_json, print_table, progress_bar

if TYPE_CHECKING:
    from neuralpedal.cli.card_recorder import CardRecorder
    from neuralpedal.device.round_trip import RoundTripProbe, RoundTrips

_SPARE_ROUNDS = 10


@click.command("latency")
@card_options(block=64)
@click.option("--rounds", type=click.IntRange(1, 100), default=5, show_default=True, help="Chirps to play.")
@click.option("--level", type=click.FloatRange(-80.0, 0.0), default=-12.0, show_default=True,
              help="Peak of the chirp in dBFS.")
@click.option("--wait", type=click.FloatRange(min=0.0), default=10.0, show_default=True,
              help="Seconds to wait for the cable to be plugged in.")
@click.option("--json", "as_json", is_flag=True, help="Print flat JSON.")
def command(device: str | None, input_channel: int, block: int, rate: int | None, rounds: int, level: float,
            wait: float, as_json: bool) -> None:
    """Measure the round trip: from the program to the card's output, through a cable to its input, and back.

    Connect the card's output to its input first. A chirp is played some times over; rounds in which blocks were lost
    are played again.

    \b
    Examples:
      neuralpedal latency --block 64
      neuralpedal latency --device hifiberry --block 32 --json
    """
    from neuralpedal.cli.card_recorder import open_card
    from neuralpedal.device.round_trip import RoundTripProbe

    with open_card(device, input_channel, block, rate) as recorder:
        probe = RoundTripProbe(recorder.form.sample_rate_hz, level)
        with progress_bar(f"chirps through {recorder.name}") as (report, _):
            trips, lost = _measure(recorder, probe, rounds, wait, report)
    content = _content(recorder, trips, lost)
    print_json(content) if as_json else _print(recorder, content)


def _measure(recorder: "CardRecorder", probe: "RoundTripProbe", rounds: int, wait: float,
             report: Any) -> "tuple[RoundTrips, int]":
    """Chirps until there are enough without an xrun, and how many had one."""
    from neuralpedal.contract.errors import AudioDeviceError
    from neuralpedal.device.round_trip import RoundTrip, RoundTrips

    trips: list[RoundTrip] = []
    plugged_in, lost, end_s = True, 0, time.monotonic() + wait
    while len(trips) < rounds:
        tape = recorder.record(probe.track)
        if tape.xruns:
            lost += 1
            if lost > rounds + _SPARE_ROUNDS:
                raise AudioDeviceError(f"{lost} of {lost + len(trips)} rounds lost blocks (xruns): choose larger "
                                       f"blocks than --block {recorder.form.block_size}, close other programs")
            continue
        try:
            trip = probe.read(tape.record)
        except AudioDeviceError as error:
            # Only before the first answer: later on the cable has fallen out.
            if trips or time.monotonic() >= end_s:
                raise
            note(f"{error}; trying for {max(0.0, end_s - time.monotonic()):.0f} s more")
            plugged_in = False
            continue
        if plugged_in:
            trips.append(trip)
        # The cable may have come in the middle of this chirp.
        plugged_in = True
        report(len(trips) / rounds)
    return RoundTrips(tuple(trips), recorder.form.sample_rate_hz), lost


def _content(recorder: "CardRecorder", trips: "RoundTrips", lost: int) -> dict[str, Any]:
    form, worst = recorder.form, trips.worst()
    block_ms = 1e3 * form.block_size / form.sample_rate_hz
    return {
        "latency_samples": round(trips.samples, 4), "latency_ms": round(trips.ms, 4),
        "spread_samples": round(trips.spread_samples, 4), "block_ms": round(block_ms, 4),
        "rest_ms": round(trips.ms - block_ms, 4), "driver_says_ms": round(recorder.latency_ms, 4),
        "gain_db": round(worst.gain_db, 3), "peak_dbfs": round(worst.peak_dbfs, 2), "snr_db": round(worst.snr_db, 1),
        "inverted": worst.inverted, "rounds": len(trips.rounds), "rounds_with_xruns": lost,
        "block_size": form.block_size, "sample_rate_hz": form.sample_rate_hz, "card": recorder.name,
    }


def _print(recorder: "CardRecorder", content: dict[str, Any]) -> None:
    form = recorder.form
    rows = [
        ["round trip", f"{content['latency_ms']:.3f} ms", f"{content['latency_samples']:.2f} samples, the median of "
         f"{content['rounds']}; spread {content['spread_samples']:.3f}"],
        ["of it the block", f"{content['block_ms']:.3f} ms", f"{form.block_size} samples must be there before any is "
         "played"],
        ["and the rest", f"{content['rest_ms']:.3f} ms", "what the driver holds (a block of its own at least) and the "
         "converters"],
        ["driver says", f"{content['driver_says_ms']:.3f} ms", "input and output; converters mostly not counted"],
        ["level", f"{content['gain_db']:+.1f} dB", f"peak {content['peak_dbfs']:.1f} dBFS, "
         f"{content['snr_db']:.0f} dB above the noise{', polarity inverted' if content['inverted'] else ''}"],
    ]
    print_table(f"{recorder.name}, {form.sample_rate_hz} Hz, blocks of {form.block_size}", ["", "value", ""], rows,
                (0, 2))
    if content["rounds_with_xruns"]:
        note(f"{content['rounds_with_xruns']} rounds lost blocks (xruns) and were played again")
