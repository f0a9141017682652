"""Presets around a pedal: what actions do, and that none of them is heard as a click."""

import json

import numpy as np
import pytest

from neuralpedal.contract.errors import SpecError
from neuralpedal.device.action import Action, parse_action
from neuralpedal.device.pedal_file import PresetSettings
from neuralpedal.device.pedalboard import Pedalboard
from neuralpedal.device.ramp import FADE_S
from neuralpedal.device.voice import Voice
from signals import RATE_HZ, plucks
from toy_engines import ToyEngine

pytestmark = pytest.mark.device

FADE = round(FADE_S * RATE_HZ)
DRIVES = {"soft": 1.0, "hard": 3.0, "inverted": -2.0}


def make_board(size: int = 64, **settings) -> Pedalboard:
    """A board of toy engines that has faded in."""
    voices = [Voice(ToyEngine(size, drive=drive), PresetSettings(name=name, model=name, **settings))
              for name, drive in DRIVES.items()]
    board = Pedalboard(voices)
    play(board, np.zeros(2 * FADE + 2 * size, np.float32))
    return board


def play(board: Pedalboard, dry: np.ndarray, actions: dict[int, str] | None = None) -> np.ndarray:
    """A whole track; actions by the block in front of which they come."""
    size = board.pedal.engine.block_size
    blocks = dry[: len(dry) // size * size].reshape(-1, size)
    wet = np.empty_like(blocks)
    for index, block in enumerate(blocks):
        if actions and index in actions:
            board.apply(parse_action(actions[index]))
        board.pedal.process(block, wet[index])
        board.tend()
    return wet.reshape(-1)


def largest_step(signal: np.ndarray) -> float:
    return float(np.max(np.abs(np.diff(signal.astype(np.float64)))))


def test_presets_are_chosen_by_name_number_and_turn():
    board, dry = make_board(), plucks(0.1)
    for target, name in (("hard", "hard"), ("1", "soft"), ("next", "hard"), ("next", "inverted"), ("next", "soft"),
                         ("previous", "inverted")):
        board.apply(Action("preset", target))
        assert board.preset.name == board.status()["preset"] == name
        wet = play(board, dry)
        np.testing.assert_allclose(wet[FADE:], np.tanh(DRIVES[name] * dry[: len(wet)])[FADE:], atol=1e-6)


def test_a_preset_chosen_while_another_comes_in_is_played_after_it():
    board, dry = make_board(), plucks(0.2)
    board.apply(Action("preset", "hard"))
    board.apply(Action("preset", "inverted"))
    assert board.preset.name == "inverted"
    wet = play(board, dry)
    np.testing.assert_allclose(wet[2 * FADE + 64 :], np.tanh(-2.0 * dry[: len(wet)])[2 * FADE + 64 :], atol=1e-6)


def test_a_preset_is_warm_before_it_is_chosen():
    board = make_board()
    engines = [voice._engine for voice in board._voices]
    played = [engine.blocks for engine in engines]
    assert min(played) >= round(0.5 * RATE_HZ / 64)
    board.apply(Action("preset", "next"))
    assert [engine.blocks for engine in engines] == played
    play(board, plucks(0.1))
    assert engines[0].blocks > played[0] + round(0.5 * RATE_HZ / 64), "and again, once it has left"


@pytest.mark.parametrize("size", [16, 64, 333])
@pytest.mark.parametrize("seed", range(3))
def test_no_action_makes_a_step_larger_than_the_signals_own_largest_and_one_percent(size, seed):
    rng = np.random.default_rng(seed)
    dry = (0.3 * np.sin(2 * np.pi * 82.4 * np.arange(2 * RATE_HZ) / RATE_HZ)).astype(np.float32)
    board = make_board(size)
    lines = ["preset next", "preset previous", "bypass toggle", "mute toggle", "set output_gain_db -3",
             "set output_gain_db 0", "set input_gain_db -6", "set input_gain_db 0"]
    actions = {int(block): str(rng.choice(lines)) for block in range(10, 2 * RATE_HZ // size, 800 // size)}
    wet = play(board, dry, actions)
    assert largest_step(wet) <= 1.01 * largest_step(np.tanh(3.0 * dry))


def test_settings_belong_to_their_preset_and_turn_stops_at_the_end_of_the_range():
    board = make_board()
    board.apply(Action("set", "output_gain_db", -6.0))
    board.apply(Action("turn", "bass", 100.0))
    assert board.status()["parameters"]["bass"] == {"value": 10.0, "low": 0.0, "high": 10.0, "unit": ""}
    board.apply(Action("preset", "hard"))
    values = {name: each["value"] for name, each in board.status()["parameters"].items()}
    assert values["output_gain_db"] == 0.0 and values["bass"] == 5.0
    assert board.presets[0].output_gain_db == -6.0


def test_a_preset_can_say_whether_it_is_bypassed():
    voices = [Voice(ToyEngine(), PresetSettings(name=name, model="toy", bypassed=bypassed))
              for name, bypassed in (("a", None), ("b", True), ("c", None), ("d", False))]
    board = Pedalboard(voices)
    for name, bypassed in (("a", False), ("b", True), ("c", True), ("d", False)):
        board.apply(Action("preset", name))
        assert board.pedal.bypassed is bypassed


@pytest.mark.parametrize(("line", "said"), [
    ("preset loud", "no preset 'loud'; there are soft, hard, inverted (1 to 3)"), ("preset 4", "no preset '4'"),
    ("preset 0", "no preset '0'"), ("set volume 3", "no parameter 'volume'; there are input_gain_db, output_gain_db"),
    ("set output_gain_db 61", "output_gain_db 61: wanted -60 to 60 dB"), ("set gate 0.5", "gate 0.5: wanted 0 to 1"),
    ("set cabinet on", "preset 'soft' has no cabinet"), ("save", "start with --config"),
])
def test_what_cannot_be_done_is_refused_and_changes_nothing(line, said):
    board = make_board()
    before = board.status()
    with pytest.raises(SpecError, match=said.replace("(", r"\(").replace(")", r"\)")):
        board.apply(parse_action(line))
    assert board.status() == before


def test_the_status_is_json_and_tells_what_is_not_saved():
    board = make_board()
    saved: list[PresetSettings] = []
    board.save = lambda before, now: saved.extend(now)
    assert json.loads(json.dumps(board.status()))["unsaved"] is False
    board.apply(Action("set", "input_gain_db", 3.0))
    assert board.status()["unsaved"] is True
    board.apply(Action("save"))
    assert board.status()["unsaved"] is False and saved[0].input_gain_db == 3.0


def test_voices_of_two_rates_or_none_are_refused():
    preset = PresetSettings(name="a", model="a")
    with pytest.raises(SpecError, match="44100 Hz"):
        Pedalboard([Voice(ToyEngine(), preset), Voice(ToyEngine(sample_rate_hz=44_100), preset)])
    with pytest.raises(SpecError, match="no presets"):
        Pedalboard([])


def test_a_board_recalls_what_a_copy_of_it_remembered_saved_or_not():
    board, dry = make_board(), plucks(0.2)
    board.save = lambda saved, presets: None
    for line in ("set input_gain_db 3", "save", "preset hard", "set output_gain_db -6", "bypass on"):
        board.apply(parse_action(line))
    again = Pedalboard([Voice(ToyEngine(drive=drive), PresetSettings(name=name, model=name))
                        for name, drive in DRIVES.items()])
    again.recall(json.loads(json.dumps(board.memory())))
    assert again.presets == board.presets and again.status() == board.status()
    np.testing.assert_array_equal(play(again, dry)[FADE:], dry[FADE : len(dry) // 64 * 64])
    again.apply(parse_action("bypass off"))
    wet = play(again, dry)
    np.testing.assert_allclose(wet[FADE:], 10 ** (-6 / 20) * np.tanh(3.0 * dry[FADE : len(wet)]), atol=1e-6)


def test_the_tuner_hears_the_dry_guitar_and_silences_the_pedal_if_it_is_asked_to():
    board, note = make_board(), np.sin(2 * np.pi * 110.0 * np.arange(24_000) / RATE_HZ).astype(np.float32)
    assert board.status()["tuner"] is None
    wet = play(board, note, {0: "tuner toggle"})
    assert board.status()["tuner"]["note"] == "A2" and abs(board.status()["tuner"]["cents"]) < 0.1
    assert board.status()["muted"] and not np.any(wet[2 * FADE :])
    board.apply(parse_action("tuner on"))
    assert not board.status()["muted"] and board.status()["tuner"]
    board.apply(parse_action("tuner mute"))
    board.apply(parse_action("mute on"))
    board.apply(parse_action("tuner off"))
    # Muted by hand: the tuner does not undo that.
    assert board.status()["muted"] and board.status()["tuner"] is None
    board.apply(parse_action("tuner mute"))
    board.apply(parse_action("tuner toggle"))
    assert board.status()["muted"]
