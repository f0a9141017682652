"""One preset's sound: a model and what stands around it, played as if it were one engine.

    input gain ▶ noise gate ▶ model ▶ tone stack ▶ cabinet ▶ output gain

As an engine it is changed, bypassed, measured and taken out when it is late like any other. Each preset has a voice of
its own, so that two of them can sound at once while one goes over into the other.
"""

import numpy as np

from neuralpedal.contract.gain import linear_gain
from neuralpedal.device.engine import Block, Engine
from neuralpedal.device.pedal_file import GateSettings, PresetSettings, ToneSettings
from neuralpedal.device.ramp import FADE_S, Ramp
from neuralpedal.device.sound.cabinet import Cabinet, ImpulseResponse
from neuralpedal.device.sound.noise_gate import NoiseGate
from neuralpedal.device.sound.stage import Insert
from neuralpedal.device.sound.tone_stack import ToneStack

_OUT_OF_THE_PATH = GateSettings(enabled=False), ToneSettings(enabled=False)
"""What a preset without these keys has: they wait for the first knob that is turned."""


class Voice(Engine):
    """See the module.

    Args:
        engine: the model; from now on only this voice may play it.
        settings: of the preset.
        response: of the preset's cabinet, if it has one, at the engine's sample rate.
        calibration_db: in front of the model, besides the preset's own gain: see ``device/calibration.py``.

    Attributes:
        settings: as they are now.
    """

    def __init__(self, engine: Engine, settings: PresetSettings, response: ImpulseResponse | None = None,
                 calibration_db: float = 0.0) -> None:
        self._engine = engine
        size, rate_hz = engine.block_size, engine.sample_rate_hz
        self.manifest, self.block_size, self.description = engine.manifest, size, engine.description
        self.calibration_db, self.settings = calibration_db, settings
        self._fade = max(1, round(FADE_S * rate_hz))
        self._driven = np.zeros(size, np.float32)
        self._input_factor, self._output_factor = self._factors(settings)
        self._input_ramp, self._output_ramp = Ramp(self._input_factor, size), Ramp(self._output_factor, size)
        gate, tone = _gate_and_tone(settings)
        self._gate, self._tone = NoiseGate(gate, size, rate_hz), ToneStack(tone, size, rate_hz, self._fade)
        self._gating = Insert(self._gate, gate.enabled, size, self._fade)
        self._toning = Insert(self._tone, tone.enabled, size, self._fade)
        self._boxing = None
        if response:
            self._boxing = Insert(Cabinet(response, size), _has_cabinet(settings), size, self._fade)

    @property
    def sample_rate_hz(self) -> int:
        """The engine's."""
        return self._engine.sample_rate_hz

    def change(self, settings: PresetSettings) -> None:
        """Other settings of the same preset, without a click. From one thread that is not the audio thread.

        Not real-time safe.
        """
        self._input_factor, self._output_factor = self._factors(settings)
        (gate, tone), (gate_before, tone_before) = _gate_and_tone(settings), _gate_and_tone(self.settings)
        if gate != gate_before:
            self._gate.change(gate)
        if tone.model_copy(update={"enabled": tone_before.enabled}) != tone_before:
            self._tone.change(tone)
        self._gating.enabled, self._toning.enabled = gate.enabled, tone.enabled
        if self._boxing:
            self._boxing.enabled = _has_cabinet(settings)
        self.settings = settings

    def process(self, dry: Block, wet: Block) -> None:
        """One block. Real-time safe as far as the engine and the stages are."""
        self._input_ramp.aim(self._input_factor, self._fade)
        self._output_ramp.aim(self._output_factor, self._fade)
        driven = self._input_ramp.scaled(dry, self._driven)
        if not self._gating.rests:
            if driven is dry:
                np.copyto(self._driven, dry)
                driven = self._driven
            self._gating.process(driven)
        self._engine.process(driven, wet)
        self._toning.process(wet)
        if self._boxing:
            self._boxing.process(wet)
        self._output_ramp.scale(wet)

    def reset(self) -> None:
        """Forget what was played. Not real-time safe."""
        self._engine.reset()
        for insert in (self._gating, self._toning, self._boxing):
            if insert:
                insert.reset()

    def _factors(self, settings: PresetSettings) -> tuple[float, float]:
        return (float(linear_gain(settings.input_gain_db + self.calibration_db)),
                float(linear_gain(settings.output_gain_db)))


def _gate_and_tone(settings: PresetSettings) -> tuple[GateSettings, ToneSettings]:
    gate, tone = _OUT_OF_THE_PATH
    return settings.gate or gate, settings.tone or tone


def _has_cabinet(settings: PresetSettings) -> bool:
    return settings.cabinet is not None and settings.cabinet.enabled
