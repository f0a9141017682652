"""Presets of sound cards: found by the names that cards have, with commands that a shell can run."""

import shlex

import pytest

from neuralpedal.contract.errors import AudioDeviceError
from neuralpedal.device.audio_device import AudioDevice
from neuralpedal.device.card_preset import card_presets, preset_of

pytestmark = pytest.mark.device


def device(name: str, inputs: int = 2) -> AudioDevice:
    return AudioDevice(0, name, "ALSA", 48_000, inputs, 2, 5.0, 5.0)


@pytest.mark.parametrize(("name", "preset"), [
    ("IQaudIOCODEC: IQaudIO CODEC HiFi v1.2 da7213-hifi-0 (hw:0,0)", "codec-zero"),
    ("snd_rpi_hifiberry_dacplusadc: HiFiBerry DAC+ADC HiFi multicodec-0 (hw:1,0)", "hifiberry-dac-adc"),
    ("pisound: PS-2ABCDEF snd-soc-dummy-dai-0 (hw:0,0)", "pisound"),
    ("audioinjector-pi-soundcard: AudioInjector audio wm8731-hifi-0 (hw:0,0)", "audio-injector"),
    ("Scarlett Solo USB: Audio (hw:1,0)", "usb"), ("vc4-hdmi-0: MAI PCM i2s-hifi-0 (hw:0,0)", None), ("system", None),
])
def test_a_card_is_known_by_its_name(name, preset):
    assert preset_of(name) == preset


def test_the_card_of_a_preset_is_one_that_records_too_or_an_error_with_its_overlay():
    preset = card_presets()["pisound"]
    cards = [device("HDMI"), device("pisound: out", inputs=0), device("pisound: both")]
    assert preset.find(cards).name == "pisound: both"
    with pytest.raises(AudioDeviceError, match="dtoverlay=pisound in /boot/firmware"):
        preset.find(cards[:2])


@pytest.mark.parametrize("name", card_presets())
def test_every_command_of_a_mixer_is_one_that_a_shell_takes(name):
    preset = card_presets()[name]
    assert preset.channels == 2 and preset.sample_rate_hz == 48_000 and preset.note
    for command in preset.commands():
        program, flag, card, verb, control, *values = shlex.split(command, comments=True)
        assert (program, flag, card, verb) == ("amixer", "-c", preset.alsa_card, "sset")
        assert control and 1 <= len(values) <= 2
