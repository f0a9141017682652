"""Opens a ``.tflite`` pedal in the engine asked for: here ``firmware_bridge`` compiles what ``device`` plays."""

from pathlib import Path

from neuralpedal.cli.console import note
from neuralpedal.contract.errors import FirmwareError
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.device.engine import ENGINES, Engine, open_engine

CHOICES = ("auto", *ENGINES)
ENGINE_HELP = "native: compiled for this machine; litert: interpreted; auto: native where a C compiler is."


def open_tflite(path: Path, engine: str = "auto", block_size: int = 64, cache: Path | None = None) -> Engine:
    """Open a pedal.

    Args:
        engine: of ``CHOICES``. auto takes native where the model has C and a compiler or a compiled pedal is there,
            else litert, and says why.
        cache: where compiled pedals are kept; the user's cache if None.

    Raises:
        As :func:`neuralpedal.device.engine.open_engine`. FirmwareError: native was asked for and cannot be built.
    """
    if engine not in ("auto", "native"):
        return open_engine(path, engine, block_size)
    try:
        return open_engine(path, "native", block_size, library=_library(path, cache))
    except FirmwareError as reason:
        if engine == "native":
            raise
        first = str(reason).splitlines()[0]
        note(f"playing with the interpreter: {first}")
    return open_engine(path, "litert", block_size)


def _library(path: Path, cache: Path | None) -> Path:
    """The folder of the compiled pedal."""
    from neuralpedal.firmware_bridge.native_library import build_native, find_native

    _refuse_without_c(path)
    try:
        return build_native(path, cache).folder
    except FirmwareError:
        kept = find_native(path, cache)
        if kept is None:
            raise
        return kept.folder


def _refuse_without_c(path: Path) -> None:
    from neuralpedal.contract.manifest import FLOAT_SCHEMES
    from neuralpedal.contract.tflite_file import read_manifest
    from neuralpedal.firmware_bridge.code_generation import WAVENET_SCHEMES
    from neuralpedal.firmware_bridge.unit_rows import KINDS

    manifest = read_manifest(path)
    network = manifest.network
    if isinstance(network, WaveNetSpec):
        if manifest.scheme not in WAVENET_SCHEMES:
            raise FirmwareError(f"{path}: there is no C for a {network.label} as {manifest.scheme}")
        return
    if network.kind.has_frame and manifest.scheme not in FLOAT_SCHEMES:
        raise FirmwareError(f"{path}: there is no C for frame networks as {manifest.scheme}")
    if network.kind.cell not in KINDS:
        raise FirmwareError(f"{path}: there is no C for a {network.label}")
