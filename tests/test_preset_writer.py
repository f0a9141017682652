"""``save``: turned knobs are in the file, all else of it is as its owner wrote it."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralpedal.contract import atomic
from neuralpedal.contract.errors import OutputError, SpecError
from neuralpedal.device.parameters import PARAMETERS
from neuralpedal.device.pedal_file import PedalFile
from neuralpedal.device.preset_writer import save_presets

TEXT = """\
# Board of a trio
presets:
  - name: crunch   # verse
    model: a.tflite
    output_gain_db: -3  # not louder
    gate: {threshold_db: -55}
  - model: a.tflite
    name: lead
    tone:
      # as on the record
      treble: 7.5
    cabinet: {file: ir.wav}
  - {name: clean, model: a.tflite}
audio: {block: 32}
"""


def make(folder: Path, text: str = TEXT) -> PedalFile:
    for name in ("a.tflite", "ir.wav"):
        (folder / name).touch()
    (folder / "pedal.yaml").write_text(text)
    return PedalFile(folder / "pedal.yaml")


def turned(file: PedalFile, *turns: tuple[int, str, float]):
    presets = list(file.settings.presets)
    for place, name, value in turns:
        presets[place] = PARAMETERS[name].put(presets[place], value)
    return presets


def test_numbers_change_where_they_stand_and_comments_and_layout_stay(tmp_path):
    file = make(tmp_path)
    now = turned(file, (0, "output_gain_db", -4.5), (0, "gate_hold_ms", 80.0), (1, "treble", 3.0), (1, "bass", 6.25),
                 (1, "cabinet", 0.0), (2, "input_gain_db", 2.0), (2, "gate", 1.0))
    written = save_presets(file, file.settings.presets, now)
    assert written.settings.presets == now == PedalFile(file.path).settings.presets
    assert file.path.read_text() == """\
# Board of a trio
presets:
  - name: crunch   # verse
    model: a.tflite
    output_gain_db: -4.5  # not louder
    gate: {hold_ms: 80, threshold_db: -55}
  - model: a.tflite
    name: lead
    tone:
      # as on the record
      bass: 6.25
      treble: 3
    cabinet: {enabled: false, file: ir.wav}
  - {gate: {enabled: true}, input_gain_db: 2, name: clean, model: a.tflite}
audio: {block: 32}
"""


@settings(max_examples=40, deadline=None)
@given(turns=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(sorted(PARAMETERS)), st.floats(0.0, 1.0)),
                      max_size=8))
def test_whatever_is_turned_is_in_the_file_afterwards(tmp_path_factory, turns):
    file = make(tmp_path_factory.mktemp("board"))
    now = list(file.settings.presets)
    for place, name, share in turns:
        parameter = PARAMETERS[name]
        if parameter.is_in(now[place]):
            value = parameter.limit(round(parameter.low + share * (parameter.high - parameter.low), 4))
            now[place] = parameter.put(now[place], value)
    save_presets(file, file.settings.presets, now)
    found = PedalFile(file.path).settings.presets
    assert [[each.of(preset) for each in PARAMETERS.values()] for preset in found] == [
        [each.of(preset) for each in PARAMETERS.values()] for preset in now]


def test_what_the_owner_wrote_meanwhile_stays(tmp_path):
    file = make(tmp_path)
    file.path.write_text(TEXT.replace("treble: 7.5", "treble: 2").replace("crunch", "verse"))
    save_presets(file, file.settings.presets, turned(file, (1, "mid", 9.0)))
    assert "mid: 9" in file.path.read_text() and "treble: 2" in file.path.read_text()
    with pytest.raises(SpecError, match="no preset 'crunch' any more"):
        save_presets(file, file.settings.presets, turned(file, (0, "output_gain_db", 1.0)))


def test_a_layout_that_no_program_can_change_is_refused_with_the_values(tmp_path):
    shared = TEXT.replace("gate: {threshold_db: -55}", "gate: &usual {threshold_db: -55}").replace(
        "{name: clean", "{gate: *usual, name: clean")
    file = make(tmp_path, shared)
    with pytest.raises(SpecError, match=r"in by hand: gate_threshold_db -50 in clean"):
        save_presets(file, file.settings.presets, turned(file, (2, "gate_threshold_db", -50.0)))
    assert file.path.read_text() == shared


def test_a_disk_that_refuses_leaves_the_old_file(tmp_path, monkeypatch):
    file = make(tmp_path)

    def refuse(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic, "_flush_to_disk", refuse)
    with pytest.raises(OutputError, match="No space left"):
        save_presets(file, file.settings.presets, turned(file, (1, "mid", 9.0)))
    assert file.path.read_text() == TEXT and sorted(path.name for path in tmp_path.iterdir()) == [
        "a.tflite", "ir.wav", "pedal.yaml"]
