"""``benchmarks/exactness.py`` on fractions of a second: the same comparison that its hour-long run makes."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("tflite_micro", reason="tflite-micro has no wheel for this machine")


@pytest.fixture(scope="module")
def exactness() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "exactness.py"
    spec = importlib.util.spec_from_file_location("exactness", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _real_data(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURALPEDAL_DATA", str(data_folder))


def test_at_least_twenty_networks_of_every_kind_are_compared(exactness, data_folder):
    cases = exactness.cases(data_folder)
    specs = [case.weights.spec for case in cases]
    assert len({case.name for case in cases}) >= 20
    assert {spec.num_layers for spec in specs} == {1, 2} and {spec.skip for spec in specs} == {True, False}
    assert {spec.family for spec in specs} == {"lstm", "frame_lstm"}
    assert any(case.coarse_fine for case in cases)


# In the first 0.2 s of lstm4_ts9 lies a sum halfway between two integers, where the order of float products decides.
@pytest.mark.parametrize(("name", "files"), [("lstm4_ts9", 3), ("nam", 3), ("random ±0.3", 5), ("random ±0.6", 2)])
def test_every_interpreter_plays_what_its_reference_computes(exactness, name, files, capfd):
    code = exactness.main(["--seconds", "0.2", "--only", name, "--json"])
    found = json.loads(capfd.readouterr().out)
    assert code == 0 and found["exact"] and len(found["rows"]) == files
    for row in found["rows"]:
        assert row["differing"] == {"1": 0, "16": 0, "64": 0} and row["values"] > 10 and row["samples"] > 4000


def test_one_sample_that_differs_fails_and_is_counted(exactness, monkeypatch, capfd):
    def off_by_one(file, samples, block):
        outputs = [output.copy() for output in exactness.play_tflm(file, samples, block)]
        outputs[-1][7] ^= 1
        return outputs

    monkeypatch.setitem(exactness.PLAYERS, "tflm", off_by_one)
    assert exactness.main(["--seconds", "0.05", "--only", "nam", "--json"]) == 1
    rows = json.loads(capfd.readouterr().out)["rows"]
    assert {row["interpreter"]: row["differing"]["64"] for row in rows} == {"litert": 0, "tflm": 1}
    assert exactness.main(["--only", "no such network"]) == 1
