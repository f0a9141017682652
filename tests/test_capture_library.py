"""Folders of model files: each becomes a run or a row that says why not, and a second call goes on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capture_files import guitarml_json, nam_json, network, rtneural_json, write
from neuralpedal.cli.capture_library import Conversion, Item, find_items, process
from neuralpedal.contract.audio import write_recording
from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.train.importing.capture import ImportOptions
from signals import RATE_HZ, plucks

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    """A folder of four networks and two files that cannot be imported."""
    folder = tmp_path / "captures"
    (folder / "more").mkdir(parents=True)
    gear = {"gear_make": "Ibanez", "gear_model": "TS9", "input_level_dbu": 12.5, "output_level_dbu": "loud"}
    write(folder / "ts9.nam", nam_json(network(), np.zeros((1, 2, 4), np.float32), metadata=gear))
    write(folder / "ts9.json", guitarml_json("LSTM", 4))
    write(folder / "more" / "amp.aidax", rtneural_json(network("gru"), samplerate=44100, metadata={"loudness": -18.0}))
    write(folder / "more" / "lead.json", guitarml_json("LSTM", 4, input_size=2))
    (folder / "a broken one.json").write_text("{")
    write(folder / "wave.nam", {"architecture": "ConvNet", "config": {}, "weights": [0.5] * 7})
    (folder / "readme.txt").write_text("not a model")
    return folder


def rows_of(text: str) -> dict[str, dict[str, Any]]:
    return {Path(row["file"]).name: row for row in json.loads(text)}


def test_a_broken_file_stops_no_other_and_each_is_accounted_for(captures: Path, tmp_path: Path, cli: Cli) -> None:
    code, text, _ = cli("import", captures, "--out", tmp_path / "library", "--json")
    rows = rows_of(text)
    assert code == 1 and len(rows) == 6
    assert {name for name, row in rows.items() if row["result"] == "imported"} == {"ts9.nam", "ts9.json", "amp.aidax"}
    assert rows["a broken one.json"]["reason"].startswith("not valid JSON")
    assert rows["wave.nam"]["reason"].startswith("a ConvNet (7 weights)")
    assert "--knob gain=0.5" in rows["lead.json"]["reason"]
    assert rows["amp.aidax"]["sample_rate_hz"] == 44100 and rows["ts9.nam"]["metadata"]["gear_model"] == "TS9"
    found = {str(path.parent.relative_to(tmp_path / "library")) for path in (tmp_path / "library").rglob("model.keras")}
    assert found == {"ts9-nam", "ts9-json", "more/amp"}


def test_the_table_says_gear_levels_and_what_went_wrong(captures: Path, tmp_path: Path, cli: Cli) -> None:
    code, text, err = cli("import", captures, "--out", tmp_path / "library", "--knob", "gain=0.5")
    said = " ".join(text.replace("│", " ").split())
    assert code == 1 and "Ibanez TS9, input 12.5 dBu" in said and "loudness -18 dB" in said and "ConvNet" in said
    assert (tmp_path / "library" / "more" / "lead" / "model.keras").is_file() and "ts9.json: says no sample rate" in err


def test_a_second_call_imports_only_what_is_new_or_changed(captures: Path, tmp_path: Path, cli: Cli) -> None:
    cli("import", captures, "--out", tmp_path / "library", "--json")
    written = (tmp_path / "library" / "ts9-nam" / "training.json").stat().st_mtime_ns
    (tmp_path / "library" / "more" / "amp" / "training.json").unlink()
    write(captures / "ts9.json", guitarml_json("LSTM", 4, seed=1))
    write(captures / "more" / "new.json", guitarml_json("GRU", 4))
    _, text, _ = cli("import", captures, "--out", tmp_path / "library", "--json")
    results = {name: row["result"] for name, row in rows_of(text).items()}
    assert results["ts9.nam"] == "already there"
    assert [results[name] for name in ("ts9.json", "amp.aidax", "new.json")] == ["imported"] * 3
    assert (tmp_path / "library" / "ts9-nam" / "training.json").stat().st_mtime_ns == written
    _, text, _ = cli("import", captures, "--out", tmp_path / "library", "--json", "--rate", 44100)
    assert {row["result"] for row in rows_of(text).values()} == {"imported", "refused"}


def test_a_run_that_was_trained_here_is_not_replaced(captures: Path, tmp_path: Path, cli: Cli) -> None:
    trained = tmp_path / "library" / "ts9-nam"
    trained.mkdir(parents=True)
    (trained / "model.keras").write_bytes(b"days of work")
    (trained / "training.json").write_text('{"outcome": "finished"}')
    _, text, _ = cli("import", captures, "--out", tmp_path / "library", "--json")
    assert "holds a run already" in rows_of(text)["ts9.nam"]["reason"]
    assert (trained / "model.keras").read_bytes() == b"days of work"


def test_a_bug_in_a_reader_costs_one_file(captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("neuralpedal.cli.capture_library.import_file", broken)
    row = process(Item(captures / "ts9.nam", tmp_path / "run"), ImportOptions(), False, None, lambda step: None)
    assert row["result"] == "refused" and row["reason"].startswith("ZeroDivisionError: by zero (a bug:")


def test_the_library_itself_is_not_searched_and_an_empty_folder_is_refused(captures: Path) -> None:
    (captures / "library" / "ts9").mkdir(parents=True)
    (captures / "library" / "ts9" / "training.json").write_text("{}")
    assert len(find_items([captures], captures / "library")) == 6
    (captures / "empty").mkdir()
    with pytest.raises(ModelFileError, match="empty: holds no model file"):
        find_items([captures / "empty"], captures / "library")


def test_two_files_that_would_be_one_run_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "amp.nam", tmp_path / "b" / "amp.nam"]
    with pytest.raises(SpecError, match=r"a/amp.nam and .*b/amp.nam would both become .*out/amp-nam"):
        find_items(paths, tmp_path / "out")


def test_a_library_converts_and_goes_on_where_it_stopped(captures: Path, tmp_path: Path) -> None:
    write_recording(tmp_path / "dry.wav", plucks(3.0), RATE_HZ)
    conversion = Conversion(("w8",), tmp_path / "dry.wav", "nearest")

    def converted(name: str) -> dict[str, Any]:
        item = Item(captures / name, tmp_path / "library" / Path(name).stem)
        return process(item, ImportOptions(sample_rate_hz=RATE_HZ), False, conversion, lambda step: None)

    row, pedal = converted("ts9.nam"), tmp_path / "library" / "ts9" / "pedals" / "ts9.w8.tflite"
    assert row["conversion"] == "converted" and 0.0 < row["esr_float"]["w8"] < 1e-3
    written = pedal.stat().st_mtime_ns
    assert converted("ts9.nam")["conversion"] == "already there" and pedal.stat().st_mtime_ns == written
    pedal.unlink()
    assert converted("ts9.nam")["conversion"] == "converted" and pedal.is_file()
    gru = converted("more/amp.aidax")
    assert (gru["result"], gru["conversion"]) == ("imported", "converted") and 0.0 < gru["esr_float"]["w8"] < 1e-3


def test_a_network_that_cannot_be_converted_as_asked_is_imported_all_the_same(captures: Path, tmp_path: Path) -> None:
    item = Item(captures / "more" / "amp.aidax", tmp_path / "library" / "amp")
    row = process(item, ImportOptions(sample_rate_hz=RATE_HZ), False, Conversion(("w8a16",), None, "nearest"),
                  lambda step: None)
    assert (row["result"], row["conversion"]) == ("imported", "refused")
    assert "scheme w8a16: does not exist for gru 1×4; take float32, w8; for integer" in row["conversion_reason"]


def test_schemes_without_convert_are_wrong_usage(captures: Path, tmp_path: Path, cli: Cli) -> None:
    code, _, err = cli("import", captures, "--out", tmp_path / "library", "--schemes", "w8")
    assert code == 2 and "are for --convert" in err
