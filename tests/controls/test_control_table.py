"""Rows of ``controls:``: what is wrong is said with its line."""

from pathlib import Path

import pytest

from neuralpedal.cli.pedal_loading import Options, PedalPlan
from neuralpedal.contract.errors import SpecError
from neuralpedal.device.controls.control_table import all_limits, range_of
from neuralpedal.device.controls.value_range import ValueRange

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "tests" / "golden" / "lstm-1x4-skip.w8.tflite"
HEAD = f"presets:\n  - {{name: clean, model: {MODEL}}}\n  - {{name: Big Muff, model: {MODEL}}}\ncontrols:\n"


def plan(folder: Path, rows: str) -> PedalPlan:
    path = folder / "pedal.yaml"
    path.write_text(HEAD + rows)
    return PedalPlan(Options(config=path))


def test_the_example_of_the_manual_is_right(tmp_path):
    page = (ROOT / "docs" / "controls.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    rows = plan(tmp_path, example.removeprefix("controls:\n")).settings.controls
    assert {row.kind for row in rows} == {"footswitch", "led", "encoder", "knob", "midi", "key"}


@pytest.mark.parametrize(("row", "words"), [
    ("- footswitch: 28\n    press: save", ("found 28", "a pin from 0 to 27")),
    ("- footswitch: 17", ("footswitch 17 does nothing", "press or hold or release")),
    ("- footswitch: 17\n    press: explode", (":6: ", "no action 'explode'", "`bypass on|off|toggle`")),
    ("- footswitch: 17\n    press: preset Fuzz", (":6: ", "'preset Fuzz'", "clean, Big Muff (1 to 2)")),
    ("- footswitch: 17\n    press: preset 3", (":6: ", "'preset 3'")),
    ("- footswitch: 17\n    press: set drive 3", (":6: ", "no parameter 'drive'", "output_gain_db")),
    ("- footswitch: 17\n    press: set bass 11", (":6: ", "wanted 0 to 10")),
    ("- footswitch: 17\n    press: save\n    hold: save\n    release: save", ("hold and release do not go together",)),
    ("- footswitch: 17\n    set: bass", ("footswitch and set do not go together", "press, hold, release")),
    ("- footswitch: 17\n    pres: save", (":6: ", "an unknown key", "did you mean press?")),
    ("- footswitch: 17\n    led: 27\n    press: save", ("footswitch and led", "one of footswitch, led")),
    ("- press: save", ("none of them",)),
    ("- led: 17\n  - footswitch: 17\n    press: save", (":6: ", "pin 17 is taken by row 1")),
    ("- encoder: [5]\n    turn: bass", ("a list of two pins",)),
    ("- encoder: [5, 5]\n    turn: bass", ("found the pins 5, 5",)),
    ("- encoder: [5, 6]\n    turn: bas", (":6: ", "no parameter 'bas'")),
    ("- encoder: [5, 6]\n    turn: bass\n    press: save", ("add push: PIN",)),
    ("- encoder: [5, 6]\n    turn: bass\n    push: 13", ("push 13 does nothing",)),
    ("- knob: {mcp3008: 8}\n    set: bass", ("found 8", "0 to 7")),
    ("- knob: {mcp3008: 0}", ("does nothing", "set")),
    ("- knob: {mcp3008: 0}\n    set: bass\n    range: [0, 11]", (":7: ", "found 0 to 11", "0 to 10")),
    ("- knob: {mcp3008: 0}\n    set: bass\n    taper: log", (":7: ", "two ends above 0")),
    ("- knob: {mcp3008: 0}\n    set: bass\n    taper: wavy", (":7: ", "found 'wavy'", "linear or log")),
    ("- knob: {mcp3008: 0}\n    set: bass\n  - led: 8", (":7: ", "pin 8 is taken by the converter")),
    ("- midi: {channel: 1}", ("wanted `program: any`",)),
    ("- midi: {program: 128}", ("wanted 0 to 127, or any",)),
    ("- midi: {cc: 7}", ("cc 7 does nothing",)),
    ("- midi: {cc: 7}\n    set: bass\n    press: save", ("one of them",)),
    ("- midi: {program: 1}\n    set: bass", ("a program change has no value",)),
    ("- midi: {cc: 7, channel: 17}\n    set: bass", ("found 17", "1 to 16")),
    ("- midi: {cc: 7}\n    switch: bass", (":6: ", "no switch", "bypass, mute")),
    ("- key: bb\n    press: save", ("one character",)),
    ("- key: 1\n    press: save", ("found 1", "best in quotes")),
    ("- key: b\n    press: save\n  - key: b\n    press: bypass on", (":7: ", "row 1 already")),
])
def test_what_is_wrong_in_a_row_is_said_with_its_line(tmp_path, row, words):
    with pytest.raises(SpecError) as caught:
        plan(tmp_path, f"  {row}\n")
    said = str(caught.value)
    assert "pedal.yaml:" in said and all(word in said for word in words), said


def test_a_range_is_what_the_row_says_or_all_of_the_parameter(tmp_path):
    text = ("  - {knob: {mcp3008: 0}, set: bass}\n"
            "  - {knob: {mcp3008: 1}, set: gate_hold_ms, range: [1000, 10], taper: log}\n")
    rows = plan(tmp_path, text).settings.controls
    assert range_of(rows[0], all_limits()) == ValueRange(0.0, 10.0)
    backwards = range_of(rows[1], all_limits())
    assert [backwards.at(position) for position in (0.0, 0.5, 1.0)] == [1000.0, pytest.approx(100.0), 10.0]


def test_a_knob_never_leaves_its_range():
    values = ValueRange(-40.0, 6.0)
    assert [values.at(position) for position in (-0.1, 0.0, 0.5, 1.0, 1.1)] == [-40.0, -40.0, -17.0, 6.0, 6.0]
