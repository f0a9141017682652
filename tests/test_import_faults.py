"""Bad model files: one clear sentence that names the file, what was found and what was wanted; never anything else."""

import copy
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capture_files import guitarml_json, nam_json, network, rtneural_json, write
from damage import damaged_bytes
from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.train.importing.bounded_time import in_bounded_time
from neuralpedal.train.importing.capture import ImportOptions
from neuralpedal.train.importing.formats import read_capture
from neuralpedal.train.importing.golden_check import check_golden

Change = Callable[[dict[str, Any]], Any]

GOLDEN = Path(__file__).parent / "golden"
OPTIONS = ImportOptions(knobs={"gain": 0.5})
STATES = np.zeros((1, 2, 4), np.float32)
GOOD: dict[str, dict[str, Any]] = {
    "nam": nam_json(network(), STATES, metadata={"name": "x"}, sample_rate=48000),
    "rtneural": rtneural_json(network(), in_skip=1, out_gain=3.0, samplerate=48000,
                              input_batch=[0.0, 0.1], output_batch=[0.0, 0.1]),
    "gru": rtneural_json(network("gru")),
    "guitarml": guitarml_json("GRU", 4, num_layers=2),
    "knobs": guitarml_json("LSTM", 4, input_size=2),
    "wavenet": json.loads((GOLDEN / "wavenet-3+2-gated.nam").read_text()),
    "a2": json.loads((GOLDEN / "wavenet-4-a2.nam").read_text()),
}


def arrays() -> dict[str, Any]:
    layer = network().layers[0]
    return {"lstm0_kernel": layer.kernel, "lstm0_recurrent_kernel": layer.recurrent_kernel, "lstm0_bias": layer.bias,
            "dense_kernel": np.ones((4, 1), np.float32), "dense_bias": np.zeros(1, np.float32),
            "frame": np.int32(8), "sample_rate_hz": np.int32(22050)}


def npz(**changed: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{name: value for name, value in {**arrays(), **changed}.items() if value is not None})
    return buffer.getvalue()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Bytes of a small Keras model by suffix."""
    folder = tmp_path_factory.mktemp("saved")
    model = keras.Sequential([keras.layers.Input((None, 1)), keras.layers.LSTM(3, return_sequences=True),
                              keras.layers.Dense(1)])
    for suffix in (".keras", ".h5"):
        model.save(folder / f"amp{suffix}")
    return {suffix: (folder / f"amp{suffix}").read_bytes() for suffix in (".keras", ".h5")}


def setting(*place: Any, to: Any) -> Change:
    """Put ``to`` at a place."""
    def change(content: dict[str, Any]) -> None:
        for key in place[:-1]:
            content = content[key]
        content[place[-1]] = to
    return change


def removing(*place: Any) -> Change:
    """Take the value at a place away."""
    def change(content: dict[str, Any]) -> None:
        for key in place[:-1]:
            content = content[key]
        del content[place[-1]]
    return change


@pytest.mark.parametrize(("kind", "change", "said"), [
    ("nam", setting("config", "hidden_size", to=100_000), "config.hidden_size is 100000, wanted a whole number from 1"),
    ("nam", setting("config", "hidden_size", to=5), "109 weights, but an LSTM of this size has 156"),
    ("nam", setting("config", "num_layers", to=3), "config.num_layers is 3, wanted a whole number from 1 to 2"),
    ("nam", setting("config", "input_size", to=2), "config.input_size is 2"),
    ("nam", setting("config", to=[]), "config is an array, wanted an object"),
    ("nam", removing("config", "hidden_size"), "lacks config.hidden_size"),
    ("nam", removing("weights", -1), "108 weights, but an LSTM of this size has 109"),
    ("nam", setting("weights", 3, to=float("nan")), "layer 0 recurrent kernel holds NaN or infinity; download"),
    ("nam", setting("weights", 3, to=1e300), "holds NaN or infinity"),
    ("nam", setting("weights", 97, to=float("nan")), "initial state holds NaN"),
    ("nam", setting("weights", 3, to="0.5"), "weights is an array, wanted numbers"),
    ("nam", setting("weights", 3, to=[1.0]), "unequal lengths"),
    ("nam", setting("sample_rate", to=100), "sample_rate_hz"),
    ("nam", setting("sample_rate", to="fast"), 'sample_rate is "fast", wanted a number'),
    ("nam", setting("sample_rate", to=44100.5), "44100.5, wanted a whole number of Hz"),
    ("nam", setting("architecture", to=7), "architecture is 7, wanted a text"),
    ("rtneural", setting("layers", 0, "weights", 0, to=[[1.0] * 15]), r"layers\[0\].weights\[0\] has shape 1×15, "
                                                                     "wanted 1×16"),
    ("rtneural", setting("layers", 0, "shape", to=[None, None, 100_000]), "is 100000, wanted a whole number"),
    ("rtneural", setting("layers", 0, "weights", to=[]), "wanted 3 arrays, found 0"),
    ("rtneural", setting("layers", 0, "activation", to="relu"), "a lstm with activation relu"),
    ("rtneural", setting("layers", to={}), "layers is an object, wanted an array"),
    ("rtneural", setting("layers", to=[]), "no recurrent layer"),
    ("rtneural", removing("layers", 1), "no dense layer at its end"),
    ("rtneural", setting("layers", 1, "weights", 1, 0, to=float("inf")), "head bias holds NaN or infinity"),
    ("rtneural", setting("in_skip", to=2), "in_skip is 2, wanted a whole number from 0 to 1"),
    ("rtneural", setting("out_gain", to=900), "out_gain is 900, wanted -60 to 60 dB"),
    ("rtneural", setting("in_shape", to=[None, None, 9]), r"in_shape\[2\] is 9"),
    ("rtneural", setting("output_batch", to=[0.0]), "output_batch has shape 1, wanted 2"),
    ("rtneural", setting("output_batch", to=[0.0, float("nan")]), "its own test of 2 samples"),
    ("guitarml", setting("model_data", "unit_type", to="RNN"), "a network of RNN units"),
    ("guitarml", setting("model_data", "hidden_size", to=5), "rec.weight_ih_l0 has shape 12×1, wanted 15×1"),
    ("guitarml", setting("model_data", "num_layers", to=1), "holds more layers than the 1"),
    ("guitarml", removing("state_dict", "rec.bias_hh_l1"), "lacks state_dict.rec.bias_hh_l1"),
    ("guitarml", removing("model_data", "skip"), "lacks model_data.skip"),
    ("guitarml", setting("state_dict", to=None), "of no known model format"),
])
def test_a_file_that_is_wrong_in_one_place_says_where(kind: str, change: Change, said: str, tmp_path: Path) -> None:
    content = copy.deepcopy(GOOD[kind])
    change(content)
    with pytest.raises(ModelFileError, match=said) as raised:
        check_golden(read_capture(write(tmp_path / "amp.json", content), OPTIONS), force=False)
    assert str(tmp_path / "amp.json") in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(("data", "said"), [
    (b"", "not valid JSON"), (b'{"architecture": "LSTM", ', "not valid JSON .line 1, column 26"),
    (b"\xff\xfe\x00", "not valid JSON"), (b"[1]", "of no known model format .found list"),
    (b"[" * 100_000, "not valid JSON"), (b"1" * 6000, "not valid JSON"), (b"{}", "found nothing"),
    (b" " * (2**24 + 1), "16777217 bytes, wanted at most 16777216"),
])
def test_what_is_no_json_of_a_network_is_refused(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "amp.nam").write_bytes(data)
    with pytest.raises(ModelFileError, match=said):
        read_capture(tmp_path / "amp.nam", OPTIONS)


def test_a_file_that_is_missing_or_a_folder_is_refused(tmp_path: Path) -> None:
    for suffix in (".nam", ".npz", ".keras", ".h5"):
        (tmp_path / f"folder{suffix}").mkdir()
        for name, said in ((f"none{suffix}", "no such file"), (f"folder{suffix}", "is a folder")):
            with pytest.raises(ModelFileError, match=said):
                read_capture(tmp_path / name, OPTIONS)


@pytest.mark.parametrize(("changed", "said"), [
    ({"lstm0_kernel": np.ones((1, 15))}, r"layer 0 kernel has shape \(1, 15\), wanted \(1, 16\)"),
    ({"lstm0_bias": np.full(16, np.nan)}, "layer 0 bias holds NaN"), ({"dense_bias": None}, "lacks dense_bias"),
    ({"lstm0_recurrent_kernel": np.ones(3)}, "wanted lstm0_kernel"), ({"frame": np.float32(8)}, "frame has shape"),
    ({"frame": np.int32(10**6)}, "frame_samples"), ({"dense_kernel": np.array(["a"])}, "of type <U1, wanted numbers"),
    ({"dense_kernel": np.array([None])}, "not an .npz archive"), ({"sample_rate_hz": np.int32(1)}, "sample_rate_hz"),
    ({"lstm0_kernel": None}, "wanted lstm0_kernel"),
])
def test_an_array_archive_that_is_wrong_says_where(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    (tmp_path / "amp.npz").write_bytes(npz(**changed))
    with pytest.raises(ModelFileError, match=said):
        read_capture(tmp_path / "amp.npz", OPTIONS)


def test_a_keras_file_that_is_wrong_says_where(saved: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "cut.keras").write_bytes(saved[".keras"][:-200])
    (tmp_path / "cut.h5").write_bytes(saved[".h5"][:-2000])
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file["x"] = np.zeros(3)
    (tmp_path / "wide.h5").write_bytes(saved[".h5"])
    with h5py.File(tmp_path / "wide.h5", "r+") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"units": 3', '"units": 100000')
    for name, said in (("cut.keras", "neither a Keras archive nor HDF5"), ("cut.h5", "cannot be read|can be read"),
                       ("weights.h5", "without a description"), ("wide.h5", "units is 100000, wanted a whole number")):
        with pytest.raises(ModelFileError, match=said):
            read_capture(tmp_path / name, OPTIONS)


def test_what_would_unpack_to_gigabytes_is_refused_before_it_does(saved: dict[str, bytes], tmp_path: Path,
                                                                   bounded_memory: None) -> None:
    nothing = bytes(2**20)
    for name, entry in (("bomb.npz", "lstm0_kernel.npy"), ("bomb.keras", "config.json")):
        with (zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive,
              archive.open(entry, "w", force_zip64=True) as handle):
            for _ in range(600):
                handle.write(nothing)
    (tmp_path / "bomb.h5").write_bytes(saved[".h5"])
    with h5py.File(tmp_path / "bomb.h5", "r+") as file:
        file["model_weights"].create_dataset("bomb/kernel", (200_000, 200_000), "f4", compression="gzip")
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10)})
    with zipfile.ZipFile(tmp_path / "lie.npz", "w") as archive:
        archive.writestr("lstm0_kernel.npy", header.getvalue())
    for name, said in (("bomb.npz", "bytes when unpacked, wanted at most"), ("bomb.keras", "bytes when unpacked"),
                       ("bomb.h5", "arrays of more than"), ("lie.npz", "lie.npz")):
        with pytest.raises(ModelFileError, match=said):
            read_capture(tmp_path / name, OPTIONS)


def test_a_text_full_of_brackets_takes_little_memory(tmp_path: Path, bounded_memory: None) -> None:
    (tmp_path / "amp.json").write_bytes(b"[" + b"[],{}," * (2**24 // 6 - 2) + b"0]")
    with pytest.raises(ModelFileError, match="of no known model format"):
        read_capture(tmp_path / "amp.json", OPTIONS)


def test_a_reader_that_finds_no_end_or_dies_is_ended_and_the_file_refused(tmp_path: Path) -> None:
    def circles() -> None:
        while True:
            pass

    with pytest.raises(ModelFileError, match=r"amp.h5: cannot be read within 0.2 s"):
        in_bounded_time(tmp_path / "amp.h5", circles, seconds=0.2)
    with pytest.raises(ModelFileError, match=r"amp.h5: reading it ended the reader"):
        in_bounded_time(tmp_path / "amp.h5", lambda: os._exit(3))
    assert np.array_equal(in_bounded_time(tmp_path / "amp.h5", lambda: np.arange(10**6)), np.arange(10**6))


def accepted_or_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        read_capture(path, OPTIONS)
    except (ModelFileError, SpecError) as error:
        assert str(path) in str(error)


ANYTHING = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                        lambda inner: (st.lists(inner, max_size=4)
                                       | st.dictionaries(st.text(max_size=5), inner, max_size=3)), max_leaves=8)


@st.composite
def rewritten(draw: st.DrawFn) -> bytes:
    """A good file with a value somewhere replaced by any other, or taken away."""
    content: Any = copy.deepcopy(draw(st.sampled_from(list(GOOD.values()))))
    at = content
    while True:
        key = draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], dict | list) or not at[key] or draw(st.booleans()):
            break
        at = at[key]
    if draw(st.integers(0, 4)):
        at[key] = draw(ANYTHING)
    else:
        del at[key]
    return json.dumps(content).encode()


FUZZED = settings(max_examples=int(os.environ.get("FUZZ_EXAMPLES", "150")),
                  suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZED
@given(data=rewritten())
def test_no_value_in_any_place_raises_anything_else(data: bytes, tmp_path: Path, bounded_memory: None) -> None:
    accepted_or_refused(tmp_path / "amp.json", data)


@FUZZED
@given(data=damaged_bytes([json.dumps(content).encode() for content in GOOD.values()]))
def test_no_damage_to_a_json_file_raises_anything_else(data: bytes, tmp_path: Path, bounded_memory: None) -> None:
    accepted_or_refused(tmp_path / "amp.json", data)


@FUZZED
@given(data=damaged_bytes([npz()]), cut=st.integers(0, 40))
def test_no_damage_to_an_array_archive_raises_anything_else(data: bytes, cut: int, tmp_path: Path,
                                                            bounded_memory: None) -> None:
    accepted_or_refused(tmp_path / "amp.npz", data[: len(data) - cut**2])


@FUZZED
@given(draw=st.data())
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_no_damage_to_a_keras_file_raises_anything_else(suffix: str, draw: st.DataObject, saved: dict[str, bytes],
                                                        tmp_path: Path, bounded_memory: None) -> None:
    data = draw.draw(damaged_bytes([saved[suffix]]))
    cut = draw.draw(st.just(0) | st.integers(0, 40))
    accepted_or_refused(tmp_path / f"amp{suffix}", data[: len(data) - cut**2])
