"""Compiles a cell's C for one layer size, once per machine.

The shared library is cached under the user's cache folder by a digest of sources, flags, sizes and compiler; it is
written under a temporary name and renamed, so two trainings may compile at once. Whatever goes wrong (no compiler, a
read-only cache) raises KernelUnavailableError, and training goes on with TensorFlow's ops.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

from neuralpedal.contract.compiled_code import processor_identity, user_cache_folder

_FLAGS = ("-std=gnu11", "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-shared", "-fPIC")
_HEADERS = ("vector.h", "recurrent_layer.h")


class KernelUnavailableError(Exception):
    """The kernel cannot be built or loaded here; the message says why."""


def load_library(cell: str, inputs: int, hidden_size: int, options: tuple[str, ...] = ()) -> ctypes.CDLL:
    """The compiled C of one cell and layer size, with argument types declared.

    Args:
        cell: lstm, gru or rnn. inputs: C. hidden_size: H. options: more for the compiler, such as definitions.

    Raises:
        KernelUnavailableError: no compiler, the build failed, or its result does not load.
    """
    sources = {name: read_source(name) for name in (f"{cell}_training.c", *_HEADERS)}
    library = compiled(f"{cell}_{inputs}x{hidden_size}", sources,
                       (f"-DPEDAL_HIDDEN={hidden_size}", f"-DPEDAL_INPUTS={inputs}", *options))
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    library.pedal_forward.argtypes = [size, pointer, size, *[pointer] * 5, size, *[pointer] * 2]
    library.pedal_backward.argtypes = [size, pointer, size, *[pointer] * 4, size, *[pointer] * 5]
    library.pedal_history_floats.argtypes, library.pedal_history_floats.restype = [size], size
    return library


def read_source(name: str) -> str:
    """A C file of this package."""
    return resources.files("neuralpedal.train.native").joinpath(name).read_text(encoding="utf-8")


def compiled(name: str, sources: dict[str, str], options: tuple[str, ...] = ()) -> ctypes.CDLL:
    """C sources as a library, from the cache or built anew.

    Args:
        name: what the cached file begins with. sources: texts by file name; the first includes the others.
        options: more for the compiler.

    Raises:
        KernelUnavailableError: no compiler, the build failed, or its result does not load.
    """
    path = _build(name, sources, options)
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        # A damaged file in the cache: build it once more.
        path.unlink(missing_ok=True)
    try:
        return ctypes.CDLL(str(_build(name, sources, options)))
    except OSError as error:
        raise KernelUnavailableError(f"{path}: does not load ({error})") from error


def _build(name: str, sources: dict[str, str], options: tuple[str, ...]) -> Path:
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        raise KernelUnavailableError("no C compiler (apt install gcc)")
    flags = (*_FLAGS, *options)
    identity = "\n".join((*sources.values(), compiler, *flags, processor_identity()))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:20]
    library = user_cache_folder() / f"{name}_{digest}.so"
    if not library.is_file():
        _compile(compiler, flags, sources, library)
    return library


def _compile(compiler: str, flags: tuple[str, ...], sources: dict[str, str], library: Path) -> None:
    """Compile the first of ``sources``, which includes the others, to ``library``."""
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            for name, text in sources.items():
                (Path(folder) / name).write_text(text, encoding="utf-8")
            built = Path(folder) / "kernel.so"
            command = [*compiler.split(), *flags, str(Path(folder) / next(iter(sources))), "-o", str(built)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
            if done.returncode:
                raise KernelUnavailableError(f"{compiler} failed: {' '.join(done.stderr.split())[:300]}")
            built.replace(library)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KernelUnavailableError(f"the training kernel cannot be built: {error}") from error
