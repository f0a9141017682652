"""Levels of model and card: the same volts drive the model as hard as they drove the pedal."""

import numpy as np
import pytest

from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.device.calibration import calibration_db, calibration_text
from neuralpedal.device.pedal_file import PresetSettings
from neuralpedal.device.voice import Voice
from toy_engines import ToyEngine

pytestmark = pytest.mark.device


def manifest(level_dbu: float | None) -> Manifest:
    return Manifest(name="amp", scheme="w8", network=NetworkSpec(sample_rate_hz=48_000), input_level_dbu=level_dbu)


def test_a_card_that_takes_less_than_the_model_knows_is_turned_down():
    """A sine of 12 dBu is full scale of the card, but 6 dB below full scale of a model of 18 dBu."""
    assert calibration_db(manifest(18.0), 12.0) == -6.0
    text = calibration_text(manifest(18.0), 12.0)
    assert text == "amp: input calibrated by -6.0 dB (card 12 dBu, model 18 dBu at full scale)"


def test_where_a_level_is_not_known_nothing_changes_and_the_next_step_is_said():
    assert calibration_db(manifest(None), 12.0) is calibration_db(manifest(18.0), None) is None
    assert "audio: input_level_dbu:" in str(calibration_text(manifest(18.0), None))
    assert calibration_text(manifest(None), 12.0) is None


def test_the_calibration_stands_in_front_of_the_model_besides_the_presets_own_gain():
    voice, wet = Voice(ToyEngine(), PresetSettings(name="a", model="a", input_gain_db=2.0), None, -8.0), np.empty(64)
    dry, wet = np.full(64, 0.5, np.float32), wet.astype(np.float32)
    voice.process(dry, wet)
    np.testing.assert_allclose(wet, np.tanh(-1.5 * 10 ** (-6 / 20)), atol=1e-6)
