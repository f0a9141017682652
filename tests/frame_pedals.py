"""Random frame networks written as files, for tests of everything that reads and plays them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.float_graph import build_float32, build_w8
from neuralpedal.convert.int8_graph import build_w8a8

SCHEMES = ("float32", "w8", "w8a8")


def frame_weights(num_layers: int, hidden_size: int, frame_samples: int, skip: bool,
                  spread: float = 0.4) -> NetworkWeights:
    """A random frame network, its seed the number of its weights."""
    spec = make_spec(family="frame_lstm", num_layers=num_layers, hidden_size=hidden_size, skip=skip,
                     frame_samples=frame_samples)
    return random_weights(spec, seed=spec.num_parameters, scale=spread)


def frame_model(weights: NetworkWeights, scheme: str, calibration: NDArray[np.float32]) -> bytes:
    """The file's bytes."""
    manifest = Manifest(name="frame", scheme=scheme, network=weights.spec)
    if scheme == "w8a8":
        return build_w8a8(weights, calibrate(weights, calibration), manifest)
    return {"float32": build_float32, "w8": build_w8}[scheme](weights, manifest)


def write_frame_model(folder: Path, weights: NetworkWeights, scheme: str, calibration: NDArray[np.float32]) -> Path:
    """The file ``frame.SCHEME.tflite``."""
    path = folder / f"frame.{scheme}.tflite"
    path.write_bytes(frame_model(weights, scheme, calibration))
    return path
