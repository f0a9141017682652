"""Every capture that is at hand sounds the same in Keras, the reference, LiteRT, C and compiled for this machine."""

import os
from pathlib import Path

import numpy as np
import pytest

from firmware_pedals import compile_pedal
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.reference import open_reference
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.convert.float_graph import build_float32
from neuralpedal.device.engine import open_engine
from neuralpedal.device.stream import stream
from neuralpedal.firmware_bridge.kernel_race import vector_kernels
from neuralpedal.firmware_bridge.native_library import build_native
from neuralpedal.firmware_bridge.toolchain import find_toolchain
from neuralpedal.train.importing.capture import ImportOptions
from neuralpedal.train.importing.formats import SUFFIXES, read_capture
from neuralpedal.train.importing.golden_check import check_golden
from neuralpedal.train.networks.model_file import build_model
from signals import plucks
from vector_kernels import play_here

DRY = plucks(1.0)[24_000:24_192]
ELSEWHERE = {"wavenet.nam"}
"""Networks of other layers, which have proofs of their own."""


def _files() -> list[Path]:
    root = Path(os.environ.get("NEURALPEDAL_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
    return [path for folder in ("captures", "seed_models") for path in sorted((root / folder).rglob("*"))
            if path.suffix in SUFFIXES and path.name not in ELSEWHERE]


def test_there_are_captures_to_prove_it_with(data_folder: Path) -> None:
    kinds = {path.parent.name for path in _files()}
    assert kinds == {"nam", "rtneural", "guitarml", "seed_models"} and len(_files()) == 56


@pytest.mark.parametrize("path", _files(), ids=lambda path: path.name)
def test_a_capture_plays_equally_everywhere(path: Path, tmp_path: Path, c_compiler: None) -> None:
    capture, _ = check_golden(read_capture(path, ImportOptions()), force=False)
    weights, model = capture.weights, tmp_path / "pedal.tflite"
    wanted = open_reference(weights).process(DRY)
    keras = build_model(weights.spec)
    keras.assign(weights)
    np.testing.assert_allclose(keras.process(DRY), wanted, atol=1e-5)
    model.write_bytes(build_float32(weights, Manifest(name="proof", scheme="float32", network=weights.spec)))
    np.testing.assert_allclose(stream(open_engine(model, "litert", 64), DRY), wanted, atol=1e-5)
    # To race kernels and prove the best takes seconds: of the 47 alike networks of one study, every sixteenth goes
    # through the engine; the others are played by one of the kernels that race, in turn, compiled in haste.
    number = _files().index(path)
    if path.suffix != ".npz" or number % 16 == 0:
        native = open_engine(model, "native", 64, library=build_native(model, tmp_path / "cache").folder)
        np.testing.assert_allclose(stream(native, DRY), wanted, atol=1e-5)
    else:
        kernels = [kernel for kernel in vector_kernels(read_tflite(model), find_toolchain()) if kernel]
        played = play_here(read_tflite(model), tmp_path / "native", kernels[number % len(kernels)], DRY)
        np.testing.assert_allclose(played, wanted, atol=1e-5)
    if not weights.spec.kind.has_frame:
        portable = compile_pedal(read_tflite(model), tmp_path / "c")
        np.testing.assert_allclose(portable.pedal.process(DRY, (64,)), wanted, atol=1e-5)
