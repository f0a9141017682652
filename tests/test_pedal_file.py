"""``pedal.yaml``: what it says is what counts, and what is wrong in it is said with its line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralpedal.contract.errors import SpecError
from neuralpedal.device.parameters import PARAMETERS
from neuralpedal.device.pedal_file import AudioSettings, PedalFile, PresetSettings
from neuralpedal.device.yaml_document import YamlDocument

GOOD = """\
# The board of a trio.
audio:
  device: hifiberry
  block: 32
  input_level_dbu: 12.5
engine: litert
presets:
  - name: crunch
    model: models/sd1.tflite
    output_gain_db: -3
    gate: {threshold_db: -55}
  - name: lead
    model: models/fuzz.tflite
    tone:
      circuit: marshall
      treble: 7.5
    cabinet:
      file: ir.wav
controls:
  - midi: {program: any}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that GOOD names."""
    (tmp_path / "models").mkdir()
    for name in ("models/sd1.tflite", "models/fuzz.tflite", "ir.wav"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def read(folder: Path, text: str) -> PedalFile:
    path = folder / "pedal.yaml"
    path.write_text(text)
    return PedalFile(path)


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(SpecError) as caught:
        read(folder, text)
    return str(caught.value).removeprefix(f"{folder}/pedal.yaml")


def test_a_file_says_what_counts_and_the_rest_is_usual(folder):
    file = read(folder, GOOD)
    said = file.settings
    assert (said.audio.device, said.audio.block, said.audio.input_level_dbu, said.engine) == ("hifiberry", 32, 12.5,
                                                                                             "litert")
    crunch, lead = said.presets
    assert (crunch.name, crunch.output_gain_db, crunch.input_gain_db, crunch.bypassed) == ("crunch", -3.0, 0.0, None)
    assert crunch.gate and crunch.gate.enabled and crunch.gate.threshold_db == -55.0 and crunch.tone is None
    assert lead.tone and (lead.tone.circuit, lead.tone.treble, lead.tone.bass) == ("marshall", 7.5, 5.0)
    assert file.resolve(lead.model) == folder / "models" / "fuzz.tflite"
    assert [row.kind for row in said.controls] == ["midi"]


def test_an_empty_file_says_nothing(folder):
    assert read(folder, "# later\n").settings.presets == []


@pytest.mark.parametrize(("old", "new", "said"), [
    ("block: 32", "block: 8", ":4: audio.block: found 8, wanted a whole number of samples per block from 16 to 1024"),
    ("block: 32", "block: '32'", ":4: audio.block: found '32', wanted a whole number"),
    ("block: 32", "block: true", ":4: audio.block: found true, wanted a whole number"),
    ("  block: 32", "  blok: 32", ":4: audio.blok: an unknown key; wanted one of card, device, input_channel, block, "
     "input_level_dbu; did you mean block?"),
    ("input_level_dbu: 12.5", "input_level_dbu: .nan", ":5: audio.input_level_dbu: found nan, wanted a number of dBu"),
    ("device: hifiberry", "card: soundblaster", ":3: audio.card: found 'soundblaster', wanted one of codec-zero,"),
    ("engine: litert", "engine: fast", ":6: engine: found 'fast', wanted auto, native or litert"),
    ("engine: litert", "speed: fast", ":6: speed: an unknown key"),
    ("output_gain_db: -3", "output_gain_db: loud", ":10: presets.1.output_gain_db: found 'loud', wanted a number of dB "
     "from -60 to 60; correct it"),
    ("output_gain_db: -3", "output_gain_db:", ":10: presets.1.output_gain_db: found nothing, wanted a number"),
    ("threshold_db: -55", "threshold_db: 5", ":11: presets.1.gate.threshold_db: found 5, wanted a number of dBFS"),
    ("gate: {threshold_db: -55}", "gate: on", ":11: presets.1.gate: found true, wanted the keys of a noise gate"),
    ("circuit: marshall", "circuit: vox", ":15: presets.2.tone.circuit: found 'vox', wanted a circuit, fender or mar"),
    ("      file: ir.wav", "      enabled: true", ":17: presets.2.cabinet.file: missing; add it: wanted the file name"),
    ("file: ir.wav", "file: other.wav", ":18: presets.2.cabinet.file: found 'other.wav' ("),
    ("model: models/sd1.tflite", "model: models", ": is a folder), wanted a file; paths are relative to the folder"),
    ("name: lead", "name: crunch", ":12: presets.2.name: found 'crunch', the name of preset 1 too"),
    ("name: lead", "name: '7'", ":12: presets.2.name: found '7', wanted a printable name"),
    ("name: lead", "name: next", ":12: presets.2.name: found 'next', wanted a printable name"),
    ("name: lead", "name: 7", ":12: presets.2.name: found 7, wanted a name of 1 to 60 characters"),
    ("engine: litert", "audio: {}", ":6: 'audio' stands here a second time; keep one"),
    ("engine: litert", "engine: [litert", ":7: no YAML ("),
    ("engine: litert", "\tengine: litert", ":6: no YAML ("),
    ("engine: litert", "engine: !!python/name:os.system ''", ":6: could not determine a constructor"),
    ("engine: litert", "engine: 2024-13-45", "put it in quotes"),
    ("controls:\n  - midi: {program: any}", "controls: {midi: 1}", ":19: controls: found keys with values, wanted a"),
])
def test_what_is_wrong_is_said_with_line_found_and_wanted(folder, old, new, said):
    assert old in GOOD
    assert said in complaint(folder, GOOD.replace(old, new))


def test_a_file_that_is_no_text_or_no_mapping_or_not_there_is_said(folder):
    assert complaint(folder, "- a\n- b\n").startswith(":1: found a list of 2, wanted keys with values")
    assert complaint(folder, "hello").startswith(":1: found 'hello', wanted keys")
    (folder / "pedal.yaml").write_bytes(b"engine: litert\nstate: \xff\n")
    with pytest.raises(SpecError, match=r"pedal.yaml:2: byte 0xff is no UTF-8"):
        PedalFile(folder / "pedal.yaml")
    with pytest.raises(SpecError, match=r"gone.yaml: cannot be read \(No such file"):
        PedalFile(folder / "gone.yaml")


@given(st.text(max_size=200))
def test_any_text_is_settings_or_an_error_that_names_the_file(text):
    try:
        YamlDocument(Path("any.yaml"), text)
    except SpecError as error:
        assert str(error).startswith("any.yaml:")


@given(st.integers(0, len(GOOD)), st.text("{}[]:-#&*!|>'\"%@`, \n\t\x07\x85x1", max_size=4))
def test_any_slip_of_the_finger_is_settings_or_an_error_that_names_the_file(place, typed):
    try:
        document = YamlDocument(Path("any.yaml"), GOOD[:place] + typed + GOOD[place:])
    except SpecError as error:
        assert str(error).startswith("any.yaml:")
    else:
        assert document.line(("presets", 1, "tone", "treble")) >= 1


def test_every_number_and_switch_of_a_preset_is_a_parameter_of_its_own():
    assert {"input_gain_db", "output_gain_db", "gate", "gate_threshold_db", "tone", "bass", "mid", "treble",
            "cabinet"} <= set(PARAMETERS)
    preset = PresetSettings(name="a", model="a")
    for parameter in PARAMETERS.values():
        assert parameter.low <= parameter.default <= parameter.high
        if parameter.is_in(preset):
            changed = parameter.put(preset, parameter.high)
            assert parameter.of(changed) == parameter.high and parameter.of(preset) == parameter.default
            others = [other for other in PARAMETERS.values() if other != parameter and other.is_in(preset)]
            assert all(other.of(changed) == other.of(preset) for other in others)
            assert PresetSettings.model_validate(changed.model_dump()) == changed

def test_the_example_in_the_docs_is_one_that_plays(tmp_path):
    docs = Path(__file__).parents[1] / "docs"
    for name in ("models/sd1.w8.tflite", "cabinets/greenback.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    said = read(tmp_path, (docs / "pedal.yaml").read_text(encoding="utf-8")).settings
    assert [preset.name for preset in said.presets] == ["crunch", "lead", "clean"]
    page = (docs / "pedal-file.md").read_text(encoding="utf-8")
    assert [name for name in (*PARAMETERS, *PresetSettings.model_fields, *AudioSettings.model_fields)
            if f"`{name}`" not in page and f"`audio: {name}`" not in page] == []
