"""Compiles a ``.tflite`` for the machine that plays it, proves the result, and keeps it.

The cache holds a folder per model, processor, compiler, flags and version of the kernels. A folder appears whole or not
at all, and only after its library agreed with the reference; so two processes may build at once.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract import tflite_file
from neuralpedal.contract.compiled_code import processor_identity
from neuralpedal.contract.errors import FirmwareError, ModelFileError
from neuralpedal.contract.native_library import (
    GOLDEN_FILE,
    LIBRARY_FILE,
    NativeLibrary,
    model_digest,
    native_cache_folder,
    read_native_library,
    write_description,
)
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.firmware_bridge.audio_defines import INT16_STEPS
from neuralpedal.firmware_bridge.code_generation import has_portable_kernel
from neuralpedal.firmware_bridge.expected_audio import EXACT, ExpectedAudio
from neuralpedal.firmware_bridge.golden import golden_dry
from neuralpedal.firmware_bridge.kernel_race import (
    EXACT_FLAGS,
    FLOAT_FLAGS,
    LARGEST_ESR,
    Trial,
    race,
    try_kernel,
    vector_kernels,
)
from neuralpedal.firmware_bridge.loaded_pedal import play_library
from neuralpedal.firmware_bridge.toolchain import Toolchain, find_toolchain

GOLDEN_SAMPLES = 2048
PROOF_SAMPLES = 8192


def build_native(model: Path, cache: Path | None = None, toolchain: Toolchain | None = None) -> NativeLibrary:
    """The compiled pedal of ``model``, from the cache if it is there.

    Args:
        cache: a folder; the user's cache if None. toolchain: the host's if None.

    Raises:
        ModelFileError: no file of ours, or one without C (frames). FirmwareError: no compiler, it fails, its code is
            not the reference's, or the cache cannot be written.
    """
    file, cache = read_tflite(model), cache or native_cache_folder()
    toolchain = toolchain or find_toolchain()
    folder = cache / f"{model_digest(model)[:16]}-{_build_digest(toolchain)}"
    try:
        return read_native_library(folder, model)
    except ModelFileError:
        # Absent, or damaged: what lies there is no use to anybody.
        shutil.rmtree(folder, ignore_errors=True)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".building-") as place:
            _build(file, Path(place), toolchain)
            _move(Path(place) / "done", folder)
    except OSError as error:
        if isinstance(error, FirmwareError):
            raise
        raise FirmwareError(f"{cache}: compiled pedals cannot be kept there ({error.strerror or error}); make it "
                            "writable or set XDG_CACHE_HOME") from error
    return read_native_library(folder, model)


def find_native(model: Path, cache: Path | None = None) -> NativeLibrary | None:
    """A compiled pedal of ``model`` for this machine by whatever compiler, the newest; None if there is none."""
    folders = (cache or native_cache_folder()).glob(f"{model_digest(model)[:16]}-*")
    for folder in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            return read_native_library(folder, model)
        except ModelFileError:
            continue
    return None


def _move(done: Path, folder: Path) -> None:
    try:
        done.rename(folder)
    except OSError:
        # Another process was faster, with the same result.
        if not folder.is_dir():
            raise


def _build_digest(toolchain: Toolchain) -> str:
    """Of all that decides what the compiler makes, but for the model."""
    # All of both rooms: tables, constants and settings are decided in many files, and a list of them would forget one.
    package, contract = Path(__file__).parent, Path(tflite_file.__file__).parent
    deciding = [*package.glob("*.py"), *contract.glob("*.py"), *package.glob("runtime/*.[ch]")]
    sources = [path.read_bytes() for path in sorted(deciding)]
    identity = repr((toolchain.command, toolchain.tuning, toolchain.identity, processor_identity(), FLOAT_FLAGS,
                     EXACT_FLAGS, LARGEST_ESR, GOLDEN_SAMPLES))
    return hashlib.sha256(b"\0".join([*sources, identity.encode()])).hexdigest()[:16]


def _build(file: TfliteFile, place: Path, toolchain: Toolchain) -> None:
    """Compile every kernel that may be the fastest, and move the fastest that is right to ``place``/done."""
    expected = ExpectedAudio(file)
    dry = (golden_dry(PROOF_SAMPLES, file.manifest().sample_rate_hz) / INT16_STEPS).astype(np.float32)
    wanted = expected.play(dry)
    tried: list[Trial] = []
    refused: list[FirmwareError] = []
    vectors = vector_kernels(file, toolchain)
    for index, vector in enumerate(vectors):
        try:
            tried.append(try_kernel(file, vector, place / f"try-{index}", toolchain, dry, wanted))
        except FirmwareError as error:
            refused.append(error)
    right = [trial for trial in tried if trial.is_right(expected.tolerance is EXACT)]
    if not right:
        # What is right everywhere, for whatever went wrong here.
        if refused and (vectors == [None] or not has_portable_kernel(file.manifest())):
            raise refused[0]
        tried.append(try_kernel(file, None, place / "portable", toolchain, dry, wanted))
        right = [trial for trial in tried[-1:] if trial.is_right(expected.tolerance is EXACT)]
    if not right:
        told = "; ".join(f"{trial.kernel}: ESR {trial.esr:.2g}" for trial in tried)
        raise FirmwareError(f"{file.path}: compiled for this machine it does not play what the reference plays "
                            f"({told}); please report this, and play it with --engine litert")
    race(right, dry)
    best = min(right, key=lambda trial: trial.ns_per_sample)
    _finish(file, best, dry[:GOLDEN_SAMPLES])
    best.folder.rename(place / "done")


def _finish(file: TfliteFile, trial: Trial, dry: NDArray[np.float32]) -> None:
    library = trial.folder / LIBRARY_FILE
    np.save(trial.folder / GOLDEN_FILE, np.stack([dry, play_library(library, trial.state_bytes, dry)]))
    write_description(NativeLibrary(trial.folder, model_digest(file.path),
                                    hashlib.sha256(library.read_bytes()).hexdigest(), processor_identity(),
                                    trial.state_bytes, trial.kernel, trial.esr))
    for path in trial.folder.iterdir():
        with path.open("rb") as content:
            os.fsync(content.fileno())


