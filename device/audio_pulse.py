"""Whether a sound card still asks for blocks: some say that they are there when they are not any more."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from neuralpedal.contract.errors import AudioDeviceError

GONE_S = 3.0


class Card(Protocol):
    """What is needed of an :class:`~neuralpedal.device.audio_device.AudioStream`."""

    @property
    def is_active(self) -> Any:
        """Whether blocks still come."""


class AudioPulse:
    """One stream, felt by whoever waits for it; not for the audio thread.

    Args:
        blocks: that it has asked for so far. clock: seconds.
    """

    def __init__(self, card: Card, blocks: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._card, self._clock = card, clock
        self._blocks, self._seen_s = blocks, clock()

    def check(self, blocks: int) -> None:
        """Some times a second, with the blocks until now.

        Raises:
            AudioDeviceError: the card is gone, or has asked for no block for three seconds.
        """
        now_s = self._clock()
        if blocks != self._blocks:
            self._blocks, self._seen_s = blocks, now_s
        if not self._card.is_active or now_s - self._seen_s > GONE_S:
            raise AudioDeviceError("the sound card gives no audio any more (unplugged, or its JACK server ended?); "
                                   "`neuralpedal run --list` shows what there is")
