"""The one file that talks to PortAudio (by PyAudio): which sound cards there are, and full duplex streams of float32.

float32 and nothing else: PortAudio dithers what it converts to 16 bits, and then no block is what a file would give.
What it and ALSA write to stderr while they look for cards is held back: they report every card that is not there.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from neuralpedal.contract.errors import AudioDeviceError
from neuralpedal.device.engine import Block

MIN_BLOCK_SIZE, MAX_BLOCK_SIZE = 16, 1024
"""Samples per block that a stream may have: below, Python cannot keep up; above, nobody can play."""

CLOSE_S = 3.0
"""How long a stream may take to close."""

Process = Callable[[Block, Block, int], None]
"""What plays a block: reads ``dry`` (block_size,), writes ``wet`` (block_size,), is told PortAudio's status bits. It
must not raise, print or wait."""


@dataclass(frozen=True)
class AudioDevice:
    """A sound card as PortAudio sees it.

    Attributes:
        index: PortAudio's number, for one start of the program only.
        name: of the device; ``host_api`` is the system that offers it (ALSA, JACK Audio Connection Kit…).
        sample_rate_hz: its usual rate. input_channels, output_channels: at most.
        input_latency_ms, output_latency_ms: the lowest that the driver suggests.
    """

    index: int
    name: str
    host_api: str
    sample_rate_hz: int
    input_channels: int
    output_channels: int
    input_latency_ms: float
    output_latency_ms: float

    @property
    def is_duplex(self) -> bool:
        """Whether a pedal can be played on it: audio in and out."""
        return self.input_channels > 0 and self.output_channels > 0


@dataclass(frozen=True)
class StreamFormat:
    """What a stream shall be.

    Attributes:
        sample_rate_hz: of both directions.
        block_size: samples per block.
        input_channel: where the guitar is plugged in, from 1. The sound goes to all output channels (at most two).
    """

    sample_rate_hz: int
    block_size: int
    input_channel: int = 1

    def check(self) -> None:
        """Raises AudioDeviceError for what no card can do."""
        if not MIN_BLOCK_SIZE <= self.block_size <= MAX_BLOCK_SIZE:
            raise AudioDeviceError(f"blocks of {self.block_size} samples: wanted {MIN_BLOCK_SIZE} to {MAX_BLOCK_SIZE}")


class AudioSystem:
    """PortAudio, from start to end of a ``with``. What a JACK server offers is seen only if it runs at the start.

    Raises:
        AudioDeviceError: PyAudio is not installed, or PortAudio does not start.
    """

    def __init__(self) -> None:
        try:
            import pyaudio
        except ImportError as error:
            raise AudioDeviceError(f"no PyAudio ({error}); apt install portaudio19-dev gcc python3-dev, then pip "
                                   "install 'neuralpedal[audio]'") from error
        self._pyaudio = pyaudio
        self._streams: list[AudioStream] = []
        with _stderr_held_back(), _translated("PortAudio does not start"):
            self._portaudio = pyaudio.PyAudio()

    def __enter__(self) -> "AudioSystem":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Free PortAudio; streams must be closed before.

        It is left alone where a stream could not be closed: it would wait for that stream.
        """
        if any(stream.is_lost for stream in self._streams):
            return
        with _stderr_held_back():
            self._portaudio.terminate()

    def devices(self) -> list[AudioDevice]:
        """All devices, in PortAudio's order. Raises AudioDeviceError."""
        with _translated("the sound cards cannot be listed"):
            return [self._describe(self._portaudio.get_device_info_by_index(index))
                    for index in range(self._portaudio.get_device_count())]

    def choose(self, wanted: str | None = None) -> AudioDevice:
        """One device that plays and records.

        Args:
            wanted: its index, its whole name, or a part of the name (in any case) that no other duplex device has.
                None: PortAudio's default, or the first duplex device if that has no input.

        Raises:
            AudioDeviceError: there is none, several match, or it has no input or no output.
        """
        return choose_device(self.devices(), wanted, self._default_index())

    def choose_again(self, name: str) -> AudioDevice:
        """The device that had this name before it went; ALSA's number may be another now. Raises AudioDeviceError."""
        devices = self.devices()
        whole = [device for device in devices if device.name == name and device.is_duplex]
        return whole[0] if whole else choose_device(devices, name.partition(" (hw:")[0])

    def open(self, device: AudioDevice, form: StreamFormat, process: Process) -> "AudioStream":
        """Open a stream that is not started yet.

        Raises:
            AudioDeviceError: the device refuses the format or is in use.
        """
        form.check()
        stream = AudioStream(self._portaudio, self._pyaudio, device, form, process)
        self._streams.append(stream)
        return stream

    def _default_index(self) -> int | None:
        try:
            return int(self._portaudio.get_default_input_device_info()["index"])
        except OSError:
            return None

    def _describe(self, info: Any) -> AudioDevice:
        return AudioDevice(
            index=int(info["index"]), name=str(info["name"]),
            host_api=str(self._portaudio.get_host_api_info_by_index(info["hostApi"])["name"]),
            sample_rate_hz=round(info["defaultSampleRate"]),
            input_channels=int(info["maxInputChannels"]), output_channels=int(info["maxOutputChannels"]),
            input_latency_ms=1e3 * info["defaultLowInputLatency"],
            output_latency_ms=1e3 * info["defaultLowOutputLatency"],
        )


def choose_device(devices: list[AudioDevice], wanted: str | None, default_index: int | None = None) -> AudioDevice:
    """See :meth:`AudioSystem.choose`."""
    if wanted is None:
        duplex = [device for device in devices if device.is_duplex]
        if not duplex:
            raise AudioDeviceError("no sound card that records and plays; plug one in, or start a JACK server")
        return next((device for device in duplex if device.index == default_index), duplex[0])
    found = _matching(devices, wanted)
    if not found:
        raise AudioDeviceError(f"no sound card {wanted!r}; `neuralpedal run --list` shows what there is")
    if len(found) > 1:
        raise AudioDeviceError(f"{wanted!r} is part of several names ({'; '.join(device.name for device in found)}); "
                               "give more of the name, or an index")
    device = found[0]
    if not device.is_duplex:
        raise AudioDeviceError(f"sound card {device.name!r} has {device.input_channels} input and "
                               f"{device.output_channels} output channels; a pedal needs one of each at least")
    return device


def _matching(devices: list[AudioDevice], wanted: str) -> list[AudioDevice]:
    """By index, else by whole name, else by part of a name; cards without input or output only if nothing else fits."""
    if wanted.isdecimal():
        return [device for device in devices if device.index == int(wanted)]
    whole = [device for device in devices if device.name == wanted]
    found = whole[:1] or [device for device in devices if wanted.casefold() in device.name.casefold()]
    return [device for device in found if device.is_duplex] or found


class AudioStream:
    """Blocks from a card and back to it, on a thread of PortAudio's; made by :meth:`AudioSystem.open`.

    Real-time safe but for what PyAudio makes per block (one bytes object, one dict of three floats, two ints) and two
    short-lived views of memory.

    Attributes:
        channels: of both directions; PyAudio knows one number for both.
        latency_ms: input and output together, as PortAudio says.
        thread_id: the kernel's, of the thread that plays; None before the first block.
        is_lost: it could not be closed; this process will get no other stream.
    """

    def __init__(self, portaudio: Any, pyaudio: Any, device: AudioDevice, form: StreamFormat, process: Process) -> None:
        self.is_lost = False
        self.thread_id: int | None = None
        self.channels = min(2, device.input_channels, device.output_channels)
        if not 1 <= form.input_channel <= self.channels:
            raise AudioDeviceError(f"sound card {device.name!r}: input channel {form.input_channel}, wanted 1 to "
                                   f"{self.channels}")
        self._form, self._process = form, process
        self._dry, self._wet = (np.zeros(form.block_size, np.float32) for _ in range(2))
        self._frames = np.zeros((form.block_size, self.channels), np.float32)
        # One answer for all blocks: PyAudio copies the memory behind it before the next block comes.
        self._answer = (self._frames, pyaudio.paContinue)
        self._silence = (bytes(self._frames.nbytes), pyaudio.paContinue)
        with _stderr_held_back(), _translated(f"sound card {device.name!r} refuses {form.sample_rate_hz} Hz in blocks "
                                              f"of {form.block_size}"):
            self._stream = portaudio.open(
                rate=form.sample_rate_hz, channels=self.channels, format=pyaudio.paFloat32, input=True, output=True,
                input_device_index=device.index, output_device_index=device.index, start=False,
                frames_per_buffer=form.block_size, stream_callback=self._callback,
            )
            self.latency_ms = 1e3 * (self._stream.get_input_latency() + self._stream.get_output_latency())

    def start(self) -> None:
        """Begin to play. Raises AudioDeviceError."""
        with _stderr_held_back(), _translated("the sound card does not start"):
            self._stream.start_stream()

    @property
    def is_active(self) -> bool:
        """Whether blocks still come. Raises AudioDeviceError when the card is gone."""
        with _translated("the sound card is gone"):
            return bool(self._stream.is_active())

    def close(self, patience_s: float = CLOSE_S) -> None:
        """Stop and free the card, whatever state it is in; lost if that takes longer than ``patience_s``.

        Where a JACK server died, PortAudio waits ten minutes for it: it does so on a thread that nobody waits for.
        """
        closing = threading.Thread(target=self._close, daemon=True)
        # First: a signal that ends this wait must not leave a stream that nobody knows to be lost.
        self.is_lost = True
        with _stderr_held_back():
            closing.start()
            closing.join(patience_s)
        self.is_lost = closing.is_alive()

    def _close(self) -> None:
        with suppress(OSError):  # A card that is gone cannot be closed; nothing is left to free.
            self._stream.close()

    def _callback(self, data: bytes, frame_count: int, _times: dict[str, float], flags: int) -> tuple[Any, int]:
        if len(data) != self._frames.nbytes:
            return self._silence
        if self.thread_id is None:
            self.thread_id = threading.get_native_id()
        self._dry[...] = np.frombuffer(data, np.float32)[self._form.input_channel - 1 :: self.channels]
        self._process(self._dry, self._wet, flags)
        self._frames[...] = self._wet[:, np.newaxis]
        return self._answer


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """PyAudio raises OSError, ValueError, or SystemError when PortAudio loses a device meanwhile."""
    try:
        yield
    except (OSError, ValueError, SystemError) as error:
        if isinstance(error, AudioDeviceError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioDeviceError(f"{what} ({reason}); `neuralpedal run --list` shows what there is") from error


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Drop what C writes to file descriptor 2; what goes wrong comes as an exception."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
