"""One random network in every format, and every engine that plays it."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from neuralpedal.contract.errors import PedalError
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.network_file import read_weights
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.float_graph import build_float32, build_w8
from neuralpedal.convert.int8_graph import build_w8a8
from neuralpedal.convert.integer_formats import IntegerRanges, choose_formats
from neuralpedal.device.engine import Engine, open_engine
from neuralpedal.firmware_bridge.native_library import build_native

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from signals import plucks

BASELINE = "native w8"
SCHEMES = ("float32", "w8", "w8a16", "w8a8")


def write_network(folder: Path, num_layers: int, hidden_size: int, seed: int,
                  family: str = "lstm") -> NetworkWeights:
    """Write ``SCHEME.tflite`` of a random network; its weights, which lie on the grid of ``w8``.

    So float32, w8 and w8a16 files hold the same numbers, and only w8a8, which has coarser grids, rounds them again. A
    GRU has no integer schemes.
    """
    spec = NetworkSpec(family=family, hidden_size=hidden_size, num_layers=num_layers)
    manifest = Manifest(name="benchmark", scheme="w8", network=spec)
    path = folder / "w8.tflite"
    path.write_bytes(build_w8(random_weights(spec, seed), manifest))
    weights = read_weights(read_tflite(path))
    files = {"float32": build_float32(weights, manifest.model_copy(update={"scheme": "float32"}))}
    if family == "lstm":
        files |= _integer_files(weights, manifest, seed)
    for scheme, content in files.items():
        (folder / f"{scheme}.tflite").write_bytes(content)
    return weights


def _integer_files(weights: NetworkWeights, manifest: Manifest, seed: int) -> dict[str, bytes]:
    ranges = calibrate(weights, plucks(0.5, seed), lanes=8, warm_up_samples=256)
    formats = choose_formats(weights, IntegerRanges(ranges.input.peak, tuple(cell.peak for cell in ranges.cell),
                                                    ranges.output.peak))
    return {"w8a16": build_w8(weights, manifest.model_copy(update={"scheme": "w8a16", "integer_format": formats})),
            "w8a8": build_w8a8(weights, ranges, manifest.model_copy(update={"scheme": "w8a8"}))}


def open_contenders(folder: Path, weights: NetworkWeights, block_size: int) -> dict[str, Engine]:
    """Engines by name, ours first; the others as far as they are installed.

    ``LiteRT`` is the interpreter with its default kernels, ``litert`` our engine of that name, with reference kernels.

    Raises:
        PedalError: native ones do not play.
    """
    files = {scheme: folder / f"{scheme}.tflite" for scheme in SCHEMES}
    engines = {f"native {scheme}": _open_native(path, block_size) for scheme, path in files.items() if path.is_file()}

    def onnx_engine() -> Engine:
        from onnx_engine import OnnxEngine

        return OnnxEngine(weights, Manifest(name="benchmark", scheme="float32", network=weights.spec), block_size)

    def micro_engine() -> Engine:
        from micro_engine import MicroEngine

        return MicroEngine(files["w8a8"], block_size)

    def default_engine() -> Engine:
        from litert_defaults import LiteRTDefaults

        return LiteRTDefaults(files["float32"], block_size)

    others: dict[str, Callable[[], Engine]] = {
        "LiteRT float32": default_engine,
        "litert float32": lambda: open_engine(files["float32"], "litert", block_size),
        "litert w8a8": lambda: open_engine(files["w8a8"], "litert", block_size),
        "ONNX Runtime": onnx_engine, "tflite-micro w8a8": micro_engine,
    }
    if weights.spec.family != "lstm":
        # The others are written for LSTMs alone.
        others = {name: opened for name, opened in others.items() if name.endswith("float32")}
    return engines | open_installed(others)


def open_installed(contenders: dict[str, Callable[[], Engine]]) -> dict[str, Engine]:
    """Those that this machine has; of the others it says why they are left out."""
    engines = {}
    for name, opened in contenders.items():
        try:
            engines[name] = opened()
        except (ImportError, PedalError) as reason:
            print(f"left out: {name} ({reason})", file=sys.stderr)
    return engines


def _open_native(model: Path, block_size: int) -> Engine:
    """Compiled, or from the folder of libraries beside the model."""
    return open_engine(model, "native", block_size, library=build_native(model, model.parent / "libraries").folder)


def open_ms(model: Path, block_size: int) -> float:
    """Milliseconds to open a pedal that is compiled already, with all that is checked then: the least of fifteen."""
    library, taken = build_native(model, model.parent / "libraries").folder, []
    for _ in range(15):
        begun = time.perf_counter()
        open_engine(model, "native", block_size, library=library)
        taken.append(1e3 * (time.perf_counter() - begun))
    return min(taken)


def play(engine: Engine, dry: np.ndarray) -> np.ndarray:
    """The engine's answer from zero state to (T,) float32, as many whole blocks as T holds."""
    engine.reset()
    blocks = dry[: len(dry) // engine.block_size * engine.block_size].reshape(-1, engine.block_size)
    wet = np.full_like(blocks, np.nan)
    for block, answer in zip(blocks, wet, strict=True):
        engine.process(block, answer)
    return wet.ravel()
