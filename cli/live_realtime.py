"""Asks the kernel for what an audio thread needs, once per stream, and says what came of it."""

from neuralpedal.cli.console import note, warn
from neuralpedal.device.audio_device import AudioStream
from neuralpedal.device.pedal_file import RealtimeSettings
from neuralpedal.device.realtime import Outcome, lock_memory, raise_thread


class LiveRealtime:
    """For a stream that does not play yet: the memory is locked at once."""

    def __init__(self, settings: RealtimeSettings, stream: AudioStream) -> None:
        self._settings, self._stream = settings, stream
        self._outcomes: list[Outcome] | None = lock_memory(settings)

    def tend(self) -> None:
        """Now and then: raises the audio thread once it is known, then tells everything in one go."""
        thread = self._stream.thread_id
        if self._outcomes is None or thread is None:
            return
        outcomes, self._outcomes = self._outcomes + raise_thread(self._settings, thread), None
        granted = [str(outcome) for outcome in outcomes if outcome.granted]
        if granted:
            note("; ".join(granted))
        for outcome in outcomes:
            if not outcome.granted:
                warn(str(outcome))
