"""One preset's sound: a model and what stands around it, played as if it were one engine.

As an engine it is changed, bypassed, measured and taken out when it is late like any other. Each preset has a voice of
its own, so that two of them can sound at once while one goes over into the other.
"""

import numpy as np

from neuralpedal.contract.gain import linear_gain
from neuralpedal.device.engine import Block, Engine
from neuralpedal.device.pedal_file import PresetSettings
from neuralpedal.device.ramp import FADE_S, Ramp


class Voice(Engine):
    """See the module.

    Args:
        engine: the model; from now on only this voice may play it.
        settings: of the preset.
        calibration_db: in front of the model, besides the preset's own gain: see ``device/calibration.py``.
    """

    def __init__(self, engine: Engine, settings: PresetSettings, calibration_db: float = 0.0) -> None:
        self._engine = engine
        self.manifest, self.block_size, self.description = engine.manifest, engine.block_size, engine.description
        self.calibration_db = calibration_db
        self._fade = max(1, round(FADE_S * engine.sample_rate_hz))
        self._driven = np.zeros(self.block_size, np.float32)
        self.settings = settings
        self._input_factor, self._output_factor = self._factors(settings)
        self._input_ramp = Ramp(self._input_factor, self.block_size)
        self._output_ramp = Ramp(self._output_factor, self.block_size)

    @property
    def sample_rate_hz(self) -> int:
        """The engine's."""
        return self._engine.sample_rate_hz

    def change(self, settings: PresetSettings) -> None:
        """Other settings of the same preset, without a click. From one thread that is not the audio thread.

        Not real-time safe.
        """
        self._input_factor, self._output_factor = self._factors(settings)
        self.settings = settings

    def process(self, dry: Block, wet: Block) -> None:
        """One block. Real-time safe as far as the engine is."""
        self._input_ramp.aim(self._input_factor, self._fade)
        self._output_ramp.aim(self._output_factor, self._fade)
        self._engine.process(self._input_ramp.scaled(dry, self._driven), wet)
        self._output_ramp.scale(wet)

    def reset(self) -> None:
        """Forget what was played. Not real-time safe."""
        self._engine.reset()

    def _factors(self, settings: PresetSettings) -> tuple[float, float]:
        return (float(linear_gain(settings.input_gain_db + self.calibration_db)),
                float(linear_gain(settings.output_gain_db)))
