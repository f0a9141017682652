"""A sound card that plays our own signals and records what comes back; for commands that measure."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from neuralpedal.cli.interruption import Interruption, interruptible
from neuralpedal.cli.quick_threads import quick_threads
from neuralpedal.device.audio_device import AudioSystem, StreamFormat
from neuralpedal.device.audio_pulse import Card
from neuralpedal.device.pedal_file import RealtimeSettings
from neuralpedal.device.realtime import Outcome, raise_thread
from neuralpedal.device.tape import Played, Tape, TapeDeck

_SETTLE_S = 0.2
"""Of silence, after which a driver that has just started loses no blocks any more."""


@dataclass
class CardRecorder:
    """An open card and what plays on it.

    Attributes:
        name: of the card and its system. latency_ms: what the driver says of both directions. realtime: whether the
            audio thread was given the priority that `run` asks for.
    """

    card: Card
    form: StreamFormat
    name: str
    latency_ms: float
    deck: TapeDeck
    interruption: Interruption
    realtime: tuple[Outcome, ...] = ()

    def record(self, track: Any, tail_samples: int = 0, watch: Callable[[Tape], bool] | None = None) -> Tape:
        """Play ``track`` (T,) and record; Ctrl-C ends it.

        ``watch``, asked now and then with the tape, may end it early by answering False.

        Raises:
            AudioDeviceError: the card is gone. KeyboardInterrupt: Ctrl-C.
        """
        tape = Tape(track, self.form.block_size, tail_samples)
        self.play(tape, watch)
        return tape

    def play(self, tape: Played, watch: Callable[[Played], bool] | None = None) -> None:
        """Play a tape, or something else that ends; as :meth:`record`."""
        def go_on(tape: Played) -> bool:
            self.interruption.check()
            return watch is None or watch(tape)

        self.deck.play(self.card, tape, go_on)
        self.interruption.check()


@contextmanager
def open_card(wanted: str | None, input_channel: int, block: int, rate_hz: int | None) -> Iterator[CardRecorder]:
    """Open and start a card; ``rate_hz`` None: the card's usual rate.

    Raises:
        AudioDeviceError: there is none, or it refuses.
    """
    with interruptible() as interruption, AudioSystem() as audio:
        device = audio.choose(wanted)
        form = StreamFormat(rate_hz or device.sample_rate_hz, block, input_channel)
        deck = TapeDeck()
        stream = audio.open(device, form, deck.process)
        recorder = CardRecorder(stream, form, f"{device.name} ({device.host_api})", stream.latency_ms, deck,
                                interruption)
        try:
            with quick_threads():
                stream.start()
                recorder.record([], round(_SETTLE_S * form.sample_rate_hz))
                if stream.thread_id is not None:
                    recorder.realtime = tuple(raise_thread(RealtimeSettings(), stream.thread_id))
                yield recorder
        finally:
            stream.close()


def card_options(block: int) -> Callable[[Any], Any]:
    """The options that say which card and how: ``device``, ``input_channel``, ``block``, ``rate``."""
    options = (
        click.option("--device", help="Index, name or part of the name of a sound card.  [default: the system's]"),
        click.option("--input-channel", default=1, show_default=True, help="Where the cable comes in: 1 or 2."),
        click.option("--block", type=click.IntRange(16, 1024), default=block, show_default=True,
                     help="Samples per block."),
        click.option("--rate", type=click.IntRange(min=8000), help="Sample rate in Hz.  [default: the card's]"),
    )

    def decorate(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate
