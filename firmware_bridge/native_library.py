"""Compiles a ``.tflite`` for the machine that plays it, proves the result, and keeps it.

The cache holds a folder per model, processor, compiler, flags and version of the kernels. A folder appears whole or not
at all, and only after its library agreed with the reference; so two processes may build at once.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import FirmwareError, ModelFileError
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.native_library import (
    GOLDEN_FILE,
    LIBRARY_FILE,
    NativeLibrary,
    model_digest,
    native_cache_folder,
    processor_identity,
    read_native_library,
    write_description,
)
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.firmware_bridge.code_generation import (
    MODEL_HEADER,
    MODEL_SOURCE,
    SHARED_RUNTIME_FILES,
    CodeRequest,
    generate_code,
    model_header,
    model_source,
)
from neuralpedal.firmware_bridge.compiler import compiler_command, run_compiler
from neuralpedal.firmware_bridge.expected_audio import EXACT, ExpectedAudio
from neuralpedal.firmware_bridge.generated_code import GeneratedCode
from neuralpedal.firmware_bridge.golden import golden_dry
from neuralpedal.firmware_bridge.project import runtime_text
from neuralpedal.firmware_bridge.target import load_target

LARGEST_ESR = 1e-6
"""Of a float kernel's output against the float64 reference; where int16 weights miss it, floats are taken."""
CACHED_FLOAT_BYTES = 16_384
"""Above this, matrices of int16 are faster than those of floats: half of what a first cache holds."""
GOLDEN_SAMPLES = 2048
PROOF_SAMPLES = 8192
_SHARED = ("-shared", "-fPIC")
# A float kernel may fuse; one of integers must round its audio as the reference does.
_FLOAT_FLAGS = ("-std=gnu11", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
_EXACT_FLAGS = ("-std=gnu11", "-O3", "-ffp-contract=off")
_FLOAT_SCHEMES = ("float32", "w8")


@dataclass(frozen=True)
class Toolchain:
    """A compiler and what it compiles for.

    Attributes:
        command: the compiler. tuning: flags that choose the processor. identity: its version, for the cache.
        macros: names that it defines for that processor.
    """

    command: tuple[str, ...]
    tuning: tuple[str, ...]
    identity: str
    macros: frozenset[str]

    def lanes(self, hidden_size: int) -> int:
        """Floats per vector that serve a layer best."""
        if {"__AVX512F__", "__AVX512BW__"} <= self.macros and -(-hidden_size // 16) < -(-hidden_size // 8):
            return 16
        return 8 if {"__AVX2__", "__FMA__"} <= self.macros else 4


def find_toolchain(command: Sequence[str] = (), tuning: Sequence[str] = ("-march=native",)) -> Toolchain:
    """The host's compiler, or ``command``. Raises FirmwareError: none is there, or it fails."""
    chosen = tuple(command or compiler_command(load_target("host")))
    try:
        told = [subprocess.run([*chosen, *options], capture_output=True, text=True, check=True, timeout=60, input="",
                               errors="replace").stdout
                for options in (["--version"], [*tuning, "-dM", "-E", "-x", "c", "-"])]
    except subprocess.CalledProcessError as error:
        raise FirmwareError(f"{chosen[0]} failed; it says: {' '.join(error.stderr.split())[:300]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FirmwareError(f"{chosen[0]}: cannot be run ({error}); choose another compiler (CC)") from error
    macros = frozenset(line.split()[1] for line in told[1].splitlines() if line.startswith("#define"))
    return Toolchain(chosen, tuple(tuning), told[0], macros)


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
    package = Path(__file__).parent
    sources = [path.read_bytes() for path in sorted([*package.glob("*_code.py"), *package.glob("runtime/*.[ch]")])]
    identity = repr((toolchain.command, toolchain.tuning, toolchain.identity, processor_identity(), _FLOAT_FLAGS,
                     _EXACT_FLAGS, LARGEST_ESR, CACHED_FLOAT_BYTES, GOLDEN_SAMPLES))
    return hashlib.sha256(b"\0".join([*sources, identity.encode()])).hexdigest()[:16]


def _build(file: TfliteFile, place: Path, toolchain: Toolchain) -> None:
    """Compile the fastest kernel that is right to ``place``/done."""
    expected = ExpectedAudio(file)
    dry = (golden_dry(PROOF_SAMPLES, file.manifest().sample_rate_hz) / 32768).astype(np.float32)
    wanted = expected.play(dry)
    told: list[str] = []
    for request, kernel in _candidates(file, toolchain):
        folder = place / f"try-{len(told)}"
        folder.mkdir()
        code = generate_code(file, request)
        _compile(file, code, request, folder, toolchain)
        got = play_library(folder / LIBRARY_FILE, code.state_bytes, dry)
        error = esr(wanted, got)
        if np.array_equal(wanted, got) if expected.tolerance is EXACT else error <= LARGEST_ESR:
            _finish(file, folder, code, kernel, error, dry[:GOLDEN_SAMPLES])
            folder.rename(place / "done")
            return
        told.append(f"{kernel}: ESR {error:.2g}")
    raise FirmwareError(f"{file.path}: compiled for this machine it does not play what the reference plays "
                        f"({'; '.join(told)}); please report this, and play it with --engine litert")


def _candidates(file: TfliteFile, toolchain: Toolchain) -> list[tuple[CodeRequest, str]]:
    """Kernels to try, the fastest first, and their names."""
    spec, scheme = file.manifest().network, file.manifest().scheme
    plain = CodeRequest("float", None, "pedal", "(made for this machine)")
    if scheme not in _FLOAT_SCHEMES:
        return [(plain, scheme)]
    lanes = toolchain.lanes(spec.hidden_size)
    floats = (CodeRequest("float", None, "pedal", plain.command, lanes), f"{lanes} lanes, float weights")
    int16 = (CodeRequest("float", None, "pedal", plain.command, lanes, True), f"{lanes} lanes, int16 weights")
    matrix_bytes = (2 * spec.num_layers - 1) * 16 * spec.hidden_size**2
    fast = [int16, floats] if matrix_bytes > CACHED_FLOAT_BYTES else [floats]
    return [*fast, (plain, "portable")]


def _compile(file: TfliteFile, code: GeneratedCode, request: CodeRequest, folder: Path, toolchain: Toolchain) -> None:
    names = (*SHARED_RUNTIME_FILES, *code.runtime_files)
    texts = {name: runtime_text(name) for name in names}
    texts[MODEL_HEADER], texts[MODEL_SOURCE] = model_header(file, code, request), model_source(code, request)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    flags = _FLOAT_FLAGS if code.arithmetic == "FLOAT" else _EXACT_FLAGS
    sources = sorted(name for name in texts if name.endswith(".c"))
    run_compiler([*toolchain.command, *flags, *toolchain.tuning, *_SHARED, *sources, "-o", LIBRARY_FILE], folder)
    for name in texts:
        (folder / name).unlink()


def _finish(file: TfliteFile, folder: Path, code: GeneratedCode, kernel: str, error: float,
            dry: NDArray[np.float32]) -> None:
    library = folder / LIBRARY_FILE
    np.save(folder / GOLDEN_FILE, np.stack([dry, play_library(library, code.state_bytes, dry)]))
    write_description(NativeLibrary(folder, model_digest(file.path), hashlib.sha256(library.read_bytes()).hexdigest(),
                                    processor_identity(), code.state_bytes, kernel, float(error)))
    for path in folder.iterdir():
        with path.open("rb") as content:
            os.fsync(content.fileno())


def play_library(library: Path, state_bytes: int, dry: NDArray[np.float32]) -> NDArray[np.float32]:
    """A library's answer from zero state to (T,) float32, in blocks of 64."""
    loaded = ctypes.CDLL(str(library.resolve()))
    loaded.pedal_process.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_size_t]
    state, wet = np.zeros(state_bytes, np.uint8), np.empty_like(dry)
    loaded.pedal_init(ctypes.c_void_p(state.ctypes.data))
    for start in range(0, len(dry), 64):
        count, offset = min(64, len(dry) - start), 4 * start
        loaded.pedal_process(state.ctypes.data, dry.ctypes.data + offset, wet.ctypes.data + offset, count)
    return wet
