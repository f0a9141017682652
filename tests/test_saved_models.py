"""SavedModels of Keras 2: read as Keras 2 plays them, from the checkpoint alone, and refused where they are damaged."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capture_files import nam_json, network, write
from damage import damaged_bytes
from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.reference import open_reference
from neuralpedal.train.importing.capture import ImportOptions
from neuralpedal.train.importing.formats import read_capture
from neuralpedal.train.importing.imported_run import import_file
from neuralpedal.train.networks.model_file import load_model
from saved_models import GOLDEN, metadata, write_saved_model

Cli = Callable[..., tuple[int, str, str]]
OPTIONS = ImportOptions(sample_rate_hz=22050)
FRAMES = "frames-2x3-of-16"
FILES = ("keras_metadata.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """What Keras 2 wrote, to be damaged."""
    shutil.copytree(GOLDEN / FRAMES, tmp_path / "amp")
    return tmp_path / "amp"


@pytest.mark.parametrize(("name", "label"), [(FRAMES, "frame_lstm 2×3/16"), ("gru-1x4", "gru 1×4")])
def test_what_keras_2_saved_plays_as_keras_2_played_it(name: str, label: str) -> None:
    weights, golden = read_capture(GOLDEN / name, OPTIONS).weights, np.load(GOLDEN / f"{name}.npz")
    assert weights.spec.label == label and weights.spec.sample_rate_hz == 22050
    np.testing.assert_allclose(open_reference(weights).process(golden["dry"]), golden["wet"], atol=1e-6)


def test_the_folders_that_these_tests_write_have_the_layout_of_keras_2(tmp_path: Path) -> None:
    weights = read_capture(GOLDEN / FRAMES, OPTIONS).weights
    ours, theirs = (dict(tf.train.list_variables(str(folder / "variables" / "variables")))
                    for folder in (write_saved_model(tmp_path / "amp", weights), GOLDEN / FRAMES))
    trained = ("optimizer/", "keras_api/")
    assert ours == {name: shape for name, shape in theirs.items() if not name.startswith(trained)}


def test_an_archive_s_network_as_a_saved_model_becomes_the_same_run_to_the_last_bit(data_folder: Path,
                                                                                   tmp_path: Path) -> None:
    for name in ("model_2742", "modelB_1042_dual_layer_"):
        path = data_folder / "seed_models" / f"{name}.npz"
        folder = write_saved_model(tmp_path / name, read_capture(path, OPTIONS).weights)
        runs = [tmp_path / f"{name}-{kind}" for kind in ("folder", "archive")]
        told = [import_file(source, run, OPTIONS) for source, run in zip((folder, path), runs, strict=True)]
        found, wanted = (load_model(run / "model.keras").network_weights() for run in runs)
        assert found.digest() == wanted.digest() and told[0]["network"] == told[1]["network"]
        assert told[0]["imported"]["sha256"] != told[1]["imported"]["sha256"]


@pytest.mark.parametrize(("family", "fields"), [("lstm", {"num_layers": 2}), ("gru", {}), ("gru", {"num_layers": 2})])
def test_networks_that_stream_are_read_to_the_last_bit(family: str, fields: dict[str, Any], tmp_path: Path) -> None:
    weights = network(family, **fields)
    found = read_capture(write_saved_model(tmp_path / "amp", weights), ImportOptions()).weights
    assert found.digest() == weights.digest()


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_empty_file_is_named(name: str, saved: Path) -> None:
    (saved / name).write_bytes(b"")
    with pytest.raises(ModelFileError, match=r"amp: its (keras_metadata.pb|checkpoint)") as raised:
        read_capture(saved, OPTIONS)
    assert "\n" not in str(raised.value)
    (saved / name).unlink()
    with pytest.raises(ModelFileError, match=f"amp: lacks {name.split('-')[0]}"):
        read_capture(saved, OPTIONS)


def test_a_byte_that_changed_in_an_array_is_noticed(saved: Path) -> None:
    data = bytearray((saved / FILES[2]).read_bytes())
    place = bytes(data).index(read_capture(saved, OPTIONS).weights.head_kernel.tobytes())
    data[place + 1] ^= 1
    (saved / FILES[2]).write_bytes(data)
    with pytest.raises(ModelFileError, match=r"amp: its checkpoint cannot be read \(.*[Cc]hecksum"):
        read_capture(saved, OPTIONS)


def units(count: int) -> Callable[[dict[str, Any]], None]:
    """Another size in the description than the arrays have."""
    return lambda description: description["config"]["layers"][1]["config"].update(units=count)


def convolution(description: dict[str, Any]) -> None:
    """The first layer's kind changes."""
    description["config"]["layers"][1]["class_name"] = "Conv1D"


def without_dense(description: dict[str, Any]) -> None:
    """The dense layer is not described."""
    del description["config"]["layers"][2]


@pytest.mark.parametrize(("change", "said"), [
    (units(5), r"layer recurrent_0 has arrays of shape \[\(1, 16\), \(4, 16\), \(16,\)\], wanted \[\(1, 20\)"),
    (units(100_000), "units is 100000, wanted a whole number from 1"),
    (convolution, "a Keras model of Conv1D → Dense"), (without_dense, "a Keras model of LSTM; wanted"),
    (lambda description: description.pop("config"), "lacks config"),
])
def test_a_description_that_does_not_fit_says_where(change: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=said):
        read_capture(write_saved_model(tmp_path / "amp", network(), change), OPTIONS)


def test_other_checkpoints_and_metadata_are_refused(saved: Path, tmp_path: Path) -> None:
    (saved / FILES[0]).write_bytes(metadata(b"{"))
    with pytest.raises(ModelFileError, match=r"its keras_metadata.pb not valid JSON"):
        read_capture(saved, OPTIONS)
    (saved / FILES[0]).write_bytes(metadata(b"{}").replace(b"root", b"tail"))
    with pytest.raises(ModelFileError, match=r"its keras_metadata.pb describes no model"):
        read_capture(saved, OPTIONS)
    shutil.copy(GOLDEN / FRAMES / FILES[0], saved / FILES[0])
    shutil.rmtree(saved / "variables")
    tf.raw_ops.SaveV2(prefix=str(saved / "variables" / "variables"), tensor_names=["a"], shape_and_slices=[""],
                      tensors=[tf.zeros(3)])
    with pytest.raises(ModelFileError, match=r"does not say which layer has which array"):
        read_capture(saved, OPTIONS)


def test_an_array_of_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    weights = network()
    folder = write_saved_model(tmp_path / "amp", weights)
    # 65 MB of float32 are 130 MB of float64.
    huge = tf.train.Checkpoint(**{"layer_with_weights-0": tf.train.Checkpoint(variables=[
        tf.Variable(np.zeros((1, 2**24), np.float32))])})
    huge.write(str(folder / "variables" / "variables"))
    with pytest.raises(ModelFileError, match="arrays of more than 67108864 bytes"):
        read_capture(folder, OPTIONS)


@settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "30")),
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
@pytest.mark.parametrize("name", FILES)
def test_no_damage_to_a_saved_model_raises_anything_else(name: str, draw: st.DataObject, saved: Path,
                                                         bounded_memory: None,
                                                         capfd: pytest.CaptureFixture[str]) -> None:
    whole = (GOLDEN / FRAMES / name).read_bytes()
    data = draw.draw(damaged_bytes([whole]))
    cut = draw.draw(st.just(0) | st.integers(0, 40))
    (saved / name).write_bytes(data[: len(data) - cut**2])
    try:
        read_capture(saved, OPTIONS)
    except (ModelFileError, SpecError) as error:
        assert str(saved) in str(error)
    # TensorFlow may abort the child that reads; an exception that nobody expected would end it as well.
    assert "Traceback" not in capfd.readouterr().err


def test_one_saved_model_becomes_a_run_and_a_folder_of_them_a_library(tmp_path: Path, cli: Cli) -> None:
    library = tmp_path / "models"
    first = write_saved_model(library / "amp", network())
    write_saved_model(library / "amp v1.0", network(seed=1))
    write_saved_model(library / "deep" / "torn", network())
    (library / "deep" / "torn" / FILES[1]).unlink()
    write(library / "amp.nam", nam_json(network(), np.zeros((1, 2, 4), np.float32)))
    # A SavedModel may carry files of its own.
    write(first / "assets.json", {})
    code, text, _ = cli("import", first, "--out", tmp_path / "run", "--json")
    assert code == 0 and json.loads(text)["imported"]["format"] == "keras saved_model"
    assert (tmp_path / "run" / "model.keras").is_file()

    def rows() -> dict[str, dict[str, Any]]:
        _, text, _ = cli("import", library, "--out", tmp_path / "runs", "--json")
        return {str(Path(row["file"]).relative_to(library)): row for row in json.loads(text)}

    found = rows()
    assert {name: row["result"] for name, row in found.items()} == {
        "amp": "imported", "amp v1.0": "imported", "deep/torn": "refused", "amp.nam": "imported"}
    assert found["deep/torn"]["reason"].startswith("lacks variables/variables.index")
    assert {Path(row["run"]).name for row in found.values() if row["run"]} == {"amp-saved_model", "amp v1.0", "amp-nam"}
    shutil.copy(library / "amp v1.0" / FILES[2], library / "amp" / FILES[2])
    shutil.copy(library / "amp v1.0" / FILES[1], library / "amp" / FILES[1])
    again = rows()
    assert [again[name]["result"] for name in ("amp", "amp v1.0", "amp.nam")] == ["imported"] + ["already there"] * 2
