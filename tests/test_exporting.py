"""Files that are written for others' players: read again they are the same network, and NAM's own loader plays them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beginnings import begun
from capture_files import nam_json, network, torch_rnn, write
from neuralpedal.contract.dense import BENDS
from neuralpedal.contract.errors import ModelFileError, OutputError, SpecError
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.train.exporting.exported_run import FORMATS, export_run
from neuralpedal.train.exporting.layout import Exported
from neuralpedal.train.importing.capture import Capture, ImportOptions
from neuralpedal.train.importing.formats import read_capture
from neuralpedal.train.importing.golden_check import check_golden
from neuralpedal.train.importing.imported_run import import_file
from signals import plucks

Cli = Callable[..., tuple[int, str, str]]
PLAIN = ImportOptions()
GEAR = {"gear_make": "Ibanez", "gear_model": "TS9", "gear_type": "pedal", "tone_type": "overdrive", "loudness": -18.25,
        "input_level_dbu": 18.3, "output_level_dbu": 12.1}


DENSE = st.lists(st.fixed_dictionaries({"units": st.integers(1, 5), "activation": st.sampled_from(sorted(BENDS))}),
                 max_size=4)


def read_again(exported: Exported, name: str, folder: Path) -> Capture:
    suffix, make = FORMATS[name]
    path = folder / f"again{suffix}"
    path.write_text(json.dumps(make(exported), allow_nan=False))
    return check_golden(read_capture(path, PLAIN), force=False)[0]


def bits(weights: NetworkWeights) -> list[bytes]:
    state = [array for layer in weights.initial_state or () for array in layer]
    return [np.asarray(array, np.float32).tobytes() for array in (*weights.arrays(), *state)]


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(FORMATS)), st.sampled_from(["lstm", "gru"]), st.integers(1, 9), st.integers(1, 2),
       st.booleans(), st.booleans(), st.sampled_from([0.0, -7.3]), st.sampled_from([44100, 48000, 96000]),
       st.integers(0, 999), DENSE, DENSE)
def test_what_is_exported_comes_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, name: str, family: str, size: int, num_layers: int, skip: bool,
    begins: bool, gain_db: float, rate_hz: int, seed: int, front: list[dict[str, Any]], head: list[dict[str, Any]]
) -> None:
    dense = {"front": front, "head": head} if name == "aidax" else {}
    spec = make_spec(family=family if name != "nam" else "lstm", hidden_size=size, num_layers=num_layers,
                     skip=skip and name != "nam", sample_rate_hz=rate_hz, **dense)
    weights = random_weights(spec, seed)
    # Minus zeros are bits as well.
    weights.layers[0].bias[..., 0], weights.head_bias[0] = -0.0, -0.0
    weights = begun(weights, seed) if begins and name == "nam" else weights
    exported = Exported(weights, "ts9", GEAR, gain_db if name == "aidax" and spec.skip else 0.0)
    capture = read_again(exported, name, tmp_path_factory.getbasetemp())
    assert bits(capture.weights) == bits(weights) and capture.weights.spec == spec
    assert capture.output_gain_db == exported.output_gain_db and not capture.remarks


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_gear_levels_and_loudness_go_through_every_format(name: str, tmp_path: Path) -> None:
    weights, run = network(hidden_size=3), tmp_path / "ts9"
    import_file(write(tmp_path / "a.nam", nam_json(weights, np.zeros((1, 2, 3), np.float32), metadata=GEAR,
                                                   sample_rate=44100)), run, PLAIN)
    for turn in range(2):
        out = tmp_path / f"{turn}{FORMATS[name][0]}"
        written = export_run(run, name, out)
        assert {key: written["metadata"][key] for key in GEAR} == GEAR
        run = tmp_path / f"again{turn}"
        content = import_file(out, run, PLAIN)
    assert content["network"]["sample_rate_hz"] == 44100


def test_a_guitarml_file_plays_as_pytorch_s_equations_say(tmp_path: Path) -> None:
    weights, dry = network("gru", 5, 2, skip=True), plucks(0.1)[:400].astype(np.float64)
    content = FORMATS["guitarml"][1](Exported(weights, "x"))
    wanted = ReferenceNetwork(weights).process(dry)
    np.testing.assert_allclose(torch_rnn(content, dry[:, np.newaxis]), wanted, atol=1e-9)


def test_an_aida_x_file_brings_a_test_that_a_changed_weight_fails(tmp_path: Path) -> None:
    content = FORMATS["aidax"][1](Exported(network(skip=True), "x", output_gain_db=-3.0))
    assert len(content["input_batch"]) == len(content["output_batch"]) == 2048 and content["in_skip"] == 1
    content["layers"][-1]["weights"][1][0] += 0.01
    with pytest.raises(ModelFileError, match="its own test of 2048 samples"):
        check_golden(read_capture(write(tmp_path / "a.aidax", content), PLAIN), force=False)


@pytest.mark.parametrize(("name", "weights", "gain_db", "said"), [
    ("nam", network(skip=True), 0.0, "NAM has no skip.*aidax or guitarml"),
    ("nam", network("gru"), 0.0, "NAM has no gru, only lstm and wavenet; export to aidax"),
    ("aidax", network("rnn"), 0.0, "AIDA-X has no rnn, only lstm and gru; train a streaming LSTM"),
    ("guitarml", network("frame_lstm", frame_samples=8), 0.0, "GuitarML has no frame_lstm"),
    ("aidax", begun(network()), 0.0, "AIDA-X has no initial state.*export to nam.*--zero-state"),
    ("guitarml", begun(network()), 0.0, "GuitarML has no initial state"),
    ("guitarml", network(skip=True), 6.0, "GuitarML has no gain.*6 dB.*aidax"),
])
def test_what_a_format_cannot_say_is_refused_by_name(name: str, weights: NetworkWeights, gain_db: float,
                                                     said: str) -> None:
    with pytest.raises(SpecError, match=f"amp: .*{said}"):
        FORMATS[name][1](Exported(weights, "amp", output_gain_db=gain_db))


def test_the_command_writes_one_whole_file_and_replaces_none_unasked(tmp_path: Path, cli: Cli,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    weights = begun(network(hidden_size=3))
    assert weights.initial_state is not None
    nam = nam_json(replace(weights, initial_state=None), np.array(weights.initial_state), sample_rate=48000)
    import_file(write(tmp_path / "a.nam", nam), tmp_path / "ts9", PLAIN)
    monkeypatch.chdir(tmp_path)
    code, text, _ = cli("export", "ts9", "--format", "nam", "--json")
    assert code == 0 and json.loads(text)["file"] == "ts9.nam"
    assert bits(read_capture(tmp_path / "ts9.nam", PLAIN).weights) == bits(weights)
    code, _, err = cli("export", "ts9", "--format", "nam")
    assert code == 1 and "--overwrite" in err
    code, _, err = cli("export", "ts9", "--format", "aidax")
    assert code == 2 and "--zero-state" in err and not (tmp_path / "ts9.aidax").exists()
    assert cli("export", "ts9", "--format", "aidax", "--zero-state")[0] == 0
    code, _, err = cli("export", tmp_path / "nothing", "--format", "nam")
    assert code == 1 and "no such file" in err
    with pytest.raises(OutputError):
        export_run(tmp_path / "ts9", "nam", tmp_path / "no" / "folder.nam")


_PEER = """
import json, sys, numpy, torch
from nam.models import init_from_nam
model = init_from_nam(json.load(open(sys.argv[1])))
model.eval()
with torch.no_grad():
    wet = model(torch.tensor(numpy.load(sys.argv[2])), pad_start=False)
numpy.save(sys.argv[3], wet.numpy())
"""


@pytest.mark.parametrize("num_layers", [1, 2])
def test_nam_s_own_loader_plays_an_exported_file_the_same(num_layers: int, tmp_path: Path) -> None:
    python = os.environ.get("NEURALPEDAL_NAM_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import nam"], capture_output=True, check=False).returncode:
        # In CI too: PyTorch is heavier than all else together. Whoever changes the writer installs it.
        pytest.skip("no neural-amp-modeler: pip install 'neuralpedal[nam]', or name the Python of an environment that "
                    "has it in NEURALPEDAL_NAM_PYTHON")
    weights, dry = begun(network(hidden_size=6, num_layers=num_layers)), plucks(1.0)[24_000:26_000]
    np.save(tmp_path / "dry.npy", dry)
    path = write(tmp_path / "a.nam", FORMATS["nam"][1](Exported(weights, "a", GEAR)))
    subprocess.run([python, "-c", _PEER, path, tmp_path / "dry.npy", tmp_path / "wet.npy"], check=True)
    np.testing.assert_allclose(np.load(tmp_path / "wet.npy").ravel(), ReferenceNetwork(weights).process(dry), atol=1e-5)


def test_metadata_that_is_no_json_object_stays_away() -> None:
    content: dict[str, Any] = FORMATS["nam"][1](Exported(network(), "x"))
    assert content["metadata"] == {"name": "x"}
