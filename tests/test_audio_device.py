"""Sound cards: choosing one among many, and full duplex streams through a JACK server with a dummy card."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from jack_rig import JackServer, playing, wait_until
from neuralpedal.contract.errors import AudioDeviceError
from neuralpedal.device.audio_device import AudioDevice, AudioStream, AudioSystem, StreamFormat, choose_device

CARD = AudioDevice(0, "HiFiBerry DAC+ADC: HiFi (hw:0,0)", "ALSA", 48_000, 2, 2, 1.3, 2.7)
CARDS = [
    replace(CARD, index=0, name="bcm2835 Headphones: - (hw:0,0)", input_channels=0),
    replace(CARD, index=1),
    replace(CARD, index=2, name="USB Audio Device: - (hw:2,0)", input_channels=1),
    replace(CARD, index=3, name="USB Audio Device: - (hw:3,0)"),
    replace(CARD, index=4, name="USB Webcam: Audio (hw:4,0)", output_channels=0),
]


@pytest.mark.parametrize(("wanted", "index"),
                         [("3", 3), ("hifiberry", 1), ("hw:2,0", 2), (CARDS[3].name, 3), (None, 1)])
def test_a_card_is_chosen_by_index_by_name_or_as_the_first_that_plays_and_records(wanted, index):
    assert choose_device(CARDS, wanted).index == index


def test_the_default_is_taken_only_if_it_plays_and_records():
    assert choose_device(CARDS, None, default_index=3).index == 3
    assert choose_device(CARDS, None, default_index=4).index == 1


@pytest.mark.parametrize(("wanted", "words"), [
    ("7", "no sound card '7'; `neuralpedal run --list`"), ("scarlett", "no sound card 'scarlett'"),
    ("usb audio", "part of several names .*hw:2,0.*hw:3,0.*; give more"), ("0", "has 0 input and 2 output channels"),
    ("headphones", "has 0 input and 2 output"), ("webcam", "has 2 input and 0 output"),
])
def test_a_choice_that_cannot_be_played_says_what_there_is(wanted, words):
    with pytest.raises(AudioDeviceError, match=words):
        choose_device(CARDS, wanted)


def test_a_machine_without_a_card_is_told_so():
    for cards in ([], [CARDS[0], CARDS[4]]):
        with pytest.raises(AudioDeviceError, match="no sound card that records and plays"):
            choose_device(cards, None)


class _Portaudio:
    """Opens anything; the test is the driver."""

    def open(self, **arguments):
        self.arguments = arguments
        return SimpleNamespace(get_input_latency=lambda: 0.001, get_output_latency=lambda: 0.002, close=lambda: None)


def _stream(device: AudioDevice, input_channel: int, seen: list) -> tuple[AudioStream, _Portaudio]:
    def process(dry, wet, flags):
        seen.append((dry.copy(), flags))
        wet[...] = -dry

    portaudio = _Portaudio()
    pyaudio = SimpleNamespace(paFloat32=1, paContinue=0)
    return AudioStream(portaudio, pyaudio, device, StreamFormat(48_000, 16, input_channel), process), portaudio


@pytest.mark.parametrize(("inputs", "outputs", "channel", "channels"), [(2, 2, 1, 2), (8, 8, 2, 2), (1, 2, 1, 1)])
def test_the_guitars_channel_goes_in_and_the_pedal_goes_to_every_output(inputs, outputs, channel, channels):
    seen: list = []
    stream, portaudio = _stream(replace(CARD, input_channels=inputs, output_channels=outputs), channel, seen)
    frames = np.random.default_rng(0).normal(size=(16, channels)).astype(np.float32)
    answer, go_on = portaudio.arguments["stream_callback"](frames.tobytes(), 16, {}, 6)
    assert (stream.channels, portaudio.arguments["channels"], go_on) == (channels, channels, 0)
    np.testing.assert_array_equal(seen[0][0], frames[:, channel - 1])
    assert seen[0][1] == 6
    np.testing.assert_array_equal(answer, np.repeat(-frames[:, [channel - 1]], channels, axis=1))
    assert stream.latency_ms == pytest.approx(3.0)


def test_a_block_of_another_length_is_answered_with_silence_and_not_played():
    seen: list = []
    _, portaudio = _stream(CARD, 1, seen)
    answer, go_on = portaudio.arguments["stream_callback"](bytes(8 * 15), 15, {}, 0)
    assert (bytes(answer), go_on, seen) == (bytes(8 * 16), 0, [])


def test_an_input_channel_that_the_card_lacks_is_refused():
    for channel in (0, 3):
        with pytest.raises(AudioDeviceError, match=f"input channel {channel}, wanted 1 to 2"):
            _stream(CARD, channel, [])


@pytest.mark.parametrize("block_size", [15, 1025])
def test_a_block_size_that_no_stream_may_have_is_refused(block_size):
    with pytest.raises(AudioDeviceError, match=f"blocks of {block_size} samples: wanted 16 to 1024"):
        StreamFormat(48_000, block_size).check()


def test_the_dummy_card_is_listed_with_rate_channels_and_latencies(jack_server: JackServer, capfd):
    with AudioSystem() as audio:
        device = audio.choose("system")
        assert device in audio.devices()
    assert (device.host_api, device.sample_rate_hz) == ("JACK Audio Connection Kit", 48_000)
    assert (device.input_channels, device.output_channels, device.is_duplex) == (2, 2, True)
    assert device.input_latency_ms > 0 and device.output_latency_ms > 0
    # ALSA reports every card that is not there.
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("block_size", [16, 64, 100, 1024])
def test_a_pass_through_is_exact_and_one_block_late(jack_server: JackServer, block_size):
    track = np.random.default_rng(block_size).normal(0.0, 0.3, 48_000).astype(np.float32)
    calls = 0

    def process(dry, wet, flags):
        nonlocal calls
        wet[...] = dry
        calls += 1

    with AudioSystem() as audio:
        stream = audio.open(audio.choose(), StreamFormat(48_000, block_size), process)
        try:
            stream.start()
            wait_until(lambda: calls > 0, "the first block")
            assert stream.is_active
            with playing(jack_server) as guitarist:
                first, again = guitarist.play(track), guitarist.play(track)
        finally:
            stream.close()
    for record in (first, again):
        np.testing.assert_array_equal(record[:block_size], 0.0)
        np.testing.assert_array_equal(record[block_size : block_size + len(track)], track)
        np.testing.assert_array_equal(record[block_size + len(track) :], 0.0)


def test_a_rate_that_the_card_does_not_have_is_an_error_that_names_it(jack_server: JackServer, capfd):
    with AudioSystem() as audio, pytest.raises(AudioDeviceError, match=r"'system' refuses 44100 Hz .*[Rr]ate"):
        audio.open(audio.choose(), StreamFormat(44_100, 64), lambda dry, wet, flags: None)
    assert capfd.readouterr().err == ""


def test_without_pyaudio_the_package_to_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyaudio", None)
    with pytest.raises(AudioDeviceError, match=r"neuralpedal\[audio\]"):
        AudioSystem()
