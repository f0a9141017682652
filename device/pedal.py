"""The pedal as a signal path: gains, engine, bypass and mute, block by block, whatever the blocks come from.

Every change is a ramp of 20 ms. The engine plays on while bypassed, so that it is heard at once and from the
state that it would have had. The settings are plain attributes that any thread may set; the audio thread reads each
once per block.
"""

import time
from dataclasses import dataclass
from enum import Enum

import numpy as np

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.gain import linear_gain
from neuralpedal.device.block_meter import BlockMeter
from neuralpedal.device.engine import Block, Engine
from neuralpedal.device.overload_guard import ENGINE_FAILURES, OverloadGuard
from neuralpedal.device.ramp import FADE_S, Ramp, mix
from neuralpedal.device.tuner import InputTap

_ESCAPE_S = 0.005
"""How long an engine that is late is still heard: each block of it is a gap in the sound."""

MAX_GAIN_DB = 60.0

_SANE_PEAK = 1e6
"""Whatever is louder (+120 dBFS, infinity, NaN) is no sound."""


class Heard(Enum):
    """What comes out of a pedal, in the words of view, log and scripts; lights blink them."""

    EFFECT = "playing"
    BYPASSED = "bypassed"
    MUTED = "muted"
    OVERLOAD = "clean: overload"
    FAILURE = "clean: engine failed"


@dataclass(frozen=True)
class PedalSettings:
    """Gains in dB around the engine (−60 to 60), and whether the pedal starts bypassed."""

    input_gain_db: float = 0.0
    output_gain_db: float = 0.0
    bypassed: bool = False


class Pedal:
    """Plays blocks through one engine; begins and ends in silence.

    Args:
        engine: prewarmed; from now on only this pedal may play it.
        guard: takes the engine out when it is late too often; a usual one when None.

    Attributes:
        bypassed: the guitar goes past gains and engine. muted: nothing is heard. Any thread may set them.
        meter: what was counted. guard: whether the engine sounds at all. tap: gets the dry input, for a tuner.

    Raises:
        SpecError: a gain out of range.
    """

    def __init__(self, engine: Engine, settings: PedalSettings | None = None,
                 guard: OverloadGuard | None = None) -> None:
        settings = settings or PedalSettings()
        size, rate_hz = engine.block_size, engine.sample_rate_hz
        self._engine = engine
        self.meter = BlockMeter(size, rate_hz)
        self.tap = InputTap(rate_hz)
        self.guard = guard or OverloadGuard(size, rate_hz)
        self.bypassed, self.muted = settings.bypassed, False
        self._input_factor, self._output_factor = _factor(settings.input_gain_db), _factor(settings.output_gain_db)
        self._input_ramp, self._output_ramp = Ramp(self._input_factor, size), Ramp(self._output_factor, size)
        self._mix = Ramp(0.0 if settings.bypassed else 1.0, size)
        self._loudness = Ramp(0.0, size)
        self._fade, self._escape = (max(1, round(seconds * rate_hz)) for seconds in (FADE_S, _ESCAPE_S))
        self._driven, self._magnitude, self._silence, self._other = (np.zeros(size, np.float32) for _ in range(4))
        self._engine_rests = False
        self._incoming: Engine | None = None
        self._change = Ramp(0.0, size)

    def set_input_gain_db(self, gain_db: float) -> None:
        """In front of the engine. Raises SpecError."""
        self._input_factor = _factor(gain_db)

    def set_output_gain_db(self, gain_db: float) -> None:
        """Behind the engine. Raises SpecError."""
        self._output_factor = _factor(gain_db)

    @property
    def engine(self) -> Engine:
        """What plays; during a change, what played before."""
        return self._engine

    def switch_to(self, engine: Engine, is_warm: bool = False) -> bool:
        """Change to another engine with a crossfade, after a prewarm on the calling thread. Not real-time safe.

        Args:
            engine: must not be playing; from now on only this pedal may play it.
            is_warm: it was prewarmed already.

        Returns:
            False if the change before is not over yet: nothing is done then.

        Raises:
            SpecError: its blocks or its sample rate are others.
        """
        wanted, found = ((which.block_size, which.sample_rate_hz) for which in (self._engine, engine))
        if wanted != found:
            raise SpecError(f"{engine.manifest.name}: blocks of {found[0]} at {found[1]} Hz, but the pedal plays "
                            f"blocks of {wanted[0]} at {wanted[1]} Hz; choose models of one sample rate")
        if self._incoming is not None:
            return False
        if not is_warm:
            engine.reset()
            engine.prewarm()
        self._incoming = engine
        return True

    @property
    def is_changing(self) -> bool:
        """Whether a change to another engine is not over yet."""
        return self._incoming is not None

    @property
    def heard(self) -> Heard:
        """What is heard, once every fade is over: muted goes before all, an engine that is out before the bypass."""
        if self.muted:
            return Heard.MUTED
        if not self.guard.trusted:
            return Heard.FAILURE if self.guard.failed else Heard.OVERLOAD
        return Heard.BYPASSED if self.bypassed else Heard.EFFECT

    @property
    def is_silent(self) -> bool:
        """Whether the fade to silence is over."""
        return self.muted and self._loudness.value == 0.0

    def process(self, dry: Block, wet: Block, flags: int = 0) -> None:
        """One block: reads ``dry`` (block_size,), writes ``wet``, another array.

        ``flags``: PortAudio's status bits. Real-time safe as far as the engine is: never raises, waits or prints; what
        goes wrong is counted, and the clean guitar heard instead.
        """
        begun = time.perf_counter_ns()
        input_peak = self._peak(dry)
        if not input_peak < _SANE_PEAK:
            # One NaN would stay in the engine's state for ever.
            self.meter.bad_inputs += 1
            dry, input_peak = self._silence, 0.0
        self.tap.write(dry)
        played = self._play(dry, wet)
        self._loudness.aim(0.0 if self.muted else 1.0, self._fade)
        self._loudness.scale(wet)
        output_peak = self._peak(wet)
        late = self.meter.record(time.perf_counter_ns() - begun, input_peak, output_peak, flags)
        if played:
            self.guard.note(late)

    def tend(self) -> None:
        """Try an engine again that was taken out, if it is time to. From another thread, now and then.

        Not real-time safe.
        """
        if self._engine_rests and self.guard.is_due():
            self.guard.try_again(self._engine)

    def _play(self, dry: Block, wet: Block) -> bool:
        """Gains, engine and bypass; whether the engine played."""
        trusted = self.guard.trusted
        self._mix.aim(1.0 if trusted and not self.bypassed else 0.0, self._fade if trusted else self._escape)
        factors = self._mix.advance()
        played = trusted or factors is not None
        if played:
            played = self._play_engine(self._drive(dry), wet)
        elif self._incoming is not None:
            # Nothing of the engine is heard: no crossfade is needed.
            self._exchange(self._incoming)
        # From here on another thread may have the engine.
        self._engine_rests = not played and not trusted
        self._output_ramp.aim(self._output_factor, self._fade)
        self._output_ramp.scale(wet)
        if factors is not None:
            mix(dry, wet, factors, out=wet)
        elif self._mix.value == 0.0:
            wet[...] = dry
        return played

    def _drive(self, dry: Block) -> Block:
        """The engine's input: ``dry`` itself where the gain is 1, so that no sample changes."""
        self._input_ramp.aim(self._input_factor, self._fade)
        return self._input_ramp.scaled(dry, self._driven)

    def _play_engine(self, dry: Block, wet: Block) -> bool:
        """Silence where the engine fails: whether it played."""
        if self.guard.failed:
            wet[...] = 0.0
            return False
        sound = self._is_sound(self._engine, dry, wet)
        incoming = self._incoming
        if incoming is not None and sound:
            sound = self._is_sound(incoming, dry, self._other)
            self._blend_in(incoming, wet)
        if not sound:
            self.meter.faults += 1
            self.guard.note_failure()
            wet[...] = 0.0
        return sound

    def _is_sound(self, engine: Engine, dry: Block, wet: Block) -> bool:
        """Play ``dry``: whether the answer may be heard."""
        try:
            engine.process(dry, wet)
        except ENGINE_FAILURES:
            return False
        return self._peak(wet) < _SANE_PEAK

    def _blend_in(self, incoming: Engine, wet: Block) -> None:
        """``wet`` goes over into what ``incoming`` played."""
        if self._change.cross_over(wet, self._other, self._fade):
            self._exchange(incoming)

    def _exchange(self, incoming: Engine) -> None:
        self._engine = incoming
        self._change.jump(0.0)
        # Last: another thread may send the next engine from here on.
        self._incoming = None

    def _peak(self, block: Block) -> float:
        np.abs(block, out=self._magnitude)
        return float(self._magnitude.max())


def _factor(gain_db: float) -> float:
    if not abs(gain_db) <= MAX_GAIN_DB:
        raise SpecError(f"a gain of {gain_db} dB: wanted {-MAX_GAIN_DB:g} to {MAX_GAIN_DB:g} dB")
    return float(linear_gain(gain_db))
