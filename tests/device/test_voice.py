"""A preset's whole signal path: the parts in their order, none of them heard when it comes or goes, no memory taken."""

import gc
import tracemalloc

import numpy as np
import pytest

from neuralpedal.device.action import parse_action
from neuralpedal.device.pedal_file import CabinetSettings, GateSettings, PresetSettings, ToneSettings
from neuralpedal.device.pedalboard import Pedalboard
from neuralpedal.device.ramp import FADE_S
from neuralpedal.device.sound.cabinet import Cabinet, ImpulseResponse
from neuralpedal.device.sound.noise_gate import NoiseGate
from neuralpedal.device.sound.stage import Insert
from neuralpedal.device.sound.tone_stack import ToneStack
from neuralpedal.device.voice import Voice
from signals import RATE_HZ, plucks
from toy_engines import ToyEngine

pytestmark = pytest.mark.device

FADE = round(FADE_S * RATE_HZ)
GATE, TONE = GateSettings(threshold_db=-50.0), ToneSettings(treble=8.0, mid=2.0)
EVERYTHING = PresetSettings(name="all", model="toy", input_gain_db=6.0, output_gain_db=-6.0, gate=GATE, tone=TONE,
                            cabinet=CabinetSettings(file="ir.wav"))


def response(length: int = 1500) -> ImpulseResponse:
    """Something like a loudspeaker: decaying, no highs."""
    noise = np.random.default_rng(0).normal(0.0, 1.0, length) * np.exp(-6.0 * np.arange(length) / length)
    smooth = np.convolve(noise, np.hanning(12), "same")
    return ImpulseResponse((smooth / np.sum(np.abs(smooth))).astype(np.float32), RATE_HZ)


def play(voice: Voice, dry: np.ndarray) -> np.ndarray:
    size = voice.block_size
    blocks = dry[: len(dry) // size * size].reshape(-1, size)
    wet = np.empty_like(blocks)
    for block, answer in zip(blocks, wet, strict=True):
        voice.process(block, answer)
    return wet.reshape(-1)


def test_the_parts_play_one_after_the_other_and_each_as_it_plays_alone():
    dry = plucks(0.5)
    kept = dry.copy()
    wet = play(Voice(ToyEngine(), EVERYTHING, response()), dry)
    np.testing.assert_array_equal(dry, kept)
    parts = (NoiseGate(GATE, 64, RATE_HZ), ToneStack(TONE, 64, RATE_HZ, FADE), Cabinet(response(), 64))
    gate, tone, cabinet = parts
    wanted = (dry * np.float32(10 ** (6 / 20)))[: len(wet)].reshape(-1, 64).copy()
    for block in wanted:
        gate.process(block, block)
        block[...] = np.tanh(-3.0 * block)
        tone.process(block, block)
        cabinet.process(block, block)
    np.testing.assert_allclose(wet, wanted.reshape(-1) * 10 ** (-6 / 20), rtol=0, atol=1e-6)


def test_without_parts_it_is_the_engine_to_the_last_bit():
    dry = plucks(0.2)
    wet = play(Voice(ToyEngine(), PresetSettings(name="a", model="a")), dry)
    np.testing.assert_array_equal(wet.reshape(-1), play(ToyEngine(), dry))


def test_what_comes_in_again_sounds_after_a_moment_as_if_it_had_never_been_away():
    dry, voice = plucks(1.0), Voice(ToyEngine(), EVERYTHING, response())
    always = play(Voice(ToyEngine(), EVERYTHING, response()), dry)
    blocks = dry[: len(always)].reshape(-1, 64)
    wet = np.empty_like(blocks)
    out = EVERYTHING.model_copy(update={"cabinet": CabinetSettings(file="ir.wav", enabled=False),
                                        "tone": TONE.model_copy(update={"enabled": False})})
    for index, block in enumerate(blocks):
        voice.change(out if 100 <= index < 300 else EVERYTHING)
        voice.process(block, wet[index])
    assert np.max(np.abs(wet[200] - always.reshape(-1, 64)[200])) > 1e-3
    # The tone stack listens for 0.1 s and fades in; what it played until then is in the cabinet for its length.
    back = 300 * 64 + round(0.1 * RATE_HZ) + FADE + 1500 + 128
    np.testing.assert_allclose(wet.reshape(-1)[back:], always[back:], rtol=0, atol=1e-4)


def test_a_stage_that_comes_in_fades_from_the_signal_to_what_it_would_play_had_it_always_been_there():
    dry, blocks = plucks(0.5)[: 300 * 64].reshape(-1, 64), []
    insert, always = Insert(Cabinet(response(), 64), True, 64, FADE), Cabinet(response(), 64)
    wanted = np.empty_like(dry)
    for index, block in enumerate(dry):
        insert.enabled = not 50 <= index < 150
        played = block.copy()
        insert.process(played)
        blocks.append(played)
        always.process(block, wanted[index])
    listened = 150 + -(-1500 // 64)
    np.testing.assert_array_equal(blocks[149:listened], dry[149:listened])
    way = np.minimum(1.0, np.arange(1, 64 * (300 - listened) + 1) / FADE).reshape(-1, 64)
    mix = 0.5 - 0.5 * np.cos(np.pi * way)
    faded = dry[listened:] + mix * (wanted[listened:] - dry[listened:])
    np.testing.assert_allclose(blocks[listened:], faded, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [32, 333])
@pytest.mark.parametrize("every_ms", [7, 60])
@pytest.mark.parametrize("what", ["gate", "tone", "cabinet", "treble", "preset"])
def test_no_change_makes_a_step_larger_than_the_signals_own_largest_and_one_percent(size, every_ms, what, monkeypatch):
    monkeypatch.setattr("neuralpedal.device.pedalboard._PATIENCE_S", 0.0)
    dry = (0.3 * np.sin(2 * np.pi * 82.4 * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)
    loud = slice(RATE_HZ // 4, None)
    lines = {"preset": ["preset next"], "treble": ["set treble 0", "set treble 10", "set treble 8"]}.get(
        what, [f"set {what} off", f"set {what} on"])
    plain = PresetSettings(name="plain", model="toy")

    def steps(first: str, touched: list[str], every: int = 1) -> float:
        board = Pedalboard([Voice(ToyEngine(size), EVERYTHING, response()), Voice(ToyEngine(size, drive=2.0), plain)])
        board.apply(parse_action(first))
        blocks = dry[: len(dry) // size * size].reshape(-1, size)
        wet = np.empty_like(blocks)
        for index, block in enumerate(blocks):
            if touched and index % every == 0:
                board.apply(parse_action(touched[index // every % len(touched)]))
            board.pedal.process(block, wet[index])
        return float(np.max(np.abs(np.diff(wet.reshape(-1)[loud].astype(np.float64)))))

    standing = max(steps(line, []) for line in ("preset 1", *lines))
    assert steps("preset 1", lines, max(1, round(every_ms * RATE_HZ / 1000 / size))) <= 1.01 * standing


def test_ten_thousand_blocks_with_everything_in_the_path_leave_memory_as_it_was():
    voice, dry, wet = Voice(ToyEngine(16), EVERYTHING, response(500)), np.full(16, 0.1, np.float32), np.empty(16)
    wet = wet.astype(np.float32)

    def play_blocks(count: int) -> None:
        for _ in range(count):
            voice.process(dry, wet)

    gc.collect()
    tracemalloc.start()
    try:
        # What is made anew per block, and what an older NumPy keeps for its next transform, is there then.
        play_blocks(1000)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        play_blocks(10_000)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # NumPy 1 keeps 5 KiB of small arrays for its transforms; a leak would be an object per block at least.
    assert now - before < 8192
    assert peak - before < 16384
