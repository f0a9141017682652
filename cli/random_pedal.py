"""Random networks for a board to be measured with: what a network costs does not depend on its weights."""

import tempfile
from pathlib import Path

from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.weights import random_weights
from neuralpedal.convert.float_graph import build_w8
from neuralpedal.convert.integer_formats import IntegerRanges, choose_formats
from neuralpedal.firmware_bridge.link.protocol import Samples
from neuralpedal.firmware_bridge.model_blob import ModelBlob, write_blob


def random_blob(scheme: str, hidden_size: int, num_layers: int, sample_rate_hz: int, samples: Samples) -> ModelBlob:
    """A streaming LSTM as ``w8`` or ``w8a16``, for a board. Raises SpecError."""
    spec = NetworkSpec(hidden_size=hidden_size, num_layers=num_layers, frame_samples=None,
                       sample_rate_hz=sample_rate_hz)
    weights = random_weights(spec, seed=0)
    manifest = Manifest(name=f"random {spec.label}", scheme=scheme, network=spec)
    if scheme == "w8a16":
        formats = choose_formats(weights, IntegerRanges(1.0, (1.0,) * num_layers, 1.0), 1.0)
        manifest = manifest.model_copy(update={"integer_format": formats})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.tflite"
        path.write_bytes(build_w8(weights, manifest))
        return write_blob(path, samples)
