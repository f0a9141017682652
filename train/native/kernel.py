"""Compiles the C kernel for one layer size, once per machine, and calls it on NumPy arrays.

The shared library is cached under the user's cache folder by a digest of source, flags, sizes and compiler; it is
written under a temporary name and renamed, so two trainings may compile at once. Whatever goes wrong (no compiler, a
read-only cache) raises KernelUnavailableError, and training goes on with TensorFlow's op.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LANES = 16
"""Streams that one call of the C code computes side by side."""

MAX_HIDDEN_SIZE = 96
"""Beyond it the C code's working memory no longer belongs on a thread's stack."""

_FLAGS = ("-std=gnu11", "-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-shared", "-fPIC")
_GATES = 4

Array = NDArray[np.float32]


class KernelUnavailableError(Exception):
    """The kernel cannot be built or loaded here; the message says why."""


@dataclass
class History:
    """What a forward pass leaves for its backward pass: inputs, first cells and the C code's record, per group."""

    x: Array
    c0: Array
    weights: Array
    head: Array | None
    record: Array


class LstmKernel:
    """Forward and backward of one LSTM layer over (B, T, C) batches.

    Args:
        inputs: C. hidden_size: H, at most 96.

    Raises:
        KernelUnavailableError: no compiler, or the build failed.
    """

    def __init__(self, inputs: int, hidden_size: int) -> None:
        self.inputs, self.hidden_size = inputs, hidden_size
        if hidden_size > MAX_HIDDEN_SIZE:
            raise KernelUnavailableError(f"hidden size {hidden_size} is above {MAX_HIDDEN_SIZE}")
        library = _load(inputs, hidden_size)
        self._forward, self._backward = library.pedal_lstm_forward, library.pedal_lstm_backward
        self._history_floats = library.pedal_lstm_history_floats
        size, pointer = ctypes.c_size_t, ctypes.c_void_p
        self._forward.argtypes = [size, pointer, size, *[pointer] * 6, size, *[pointer] * 3]
        self._backward.argtypes = [size, pointer, size, *[pointer] * 5, size, *[pointer] * 6]
        self._history_floats.argtypes, self._history_floats.restype = [size], size

    def forward(self, x: Array, h0: Array, c0: Array, kernel: Array, recurrent: Array, bias: Array,
                head: Array | None = None) -> tuple[Array, Array, Array, History]:
        """Hidden states (B, T, H), last h and c (B, H), and the history.

        Args:
            x: (B, T, C). h0, c0: (B, H). kernel: (C, 4H), recurrent: (H, 4H), bias: (4H,), gates i, f, c, o.
            head: (H, 1); with it the hidden states are summed into (B, T, 1) at once, which spares most of the
                memory traffic.
        """
        batch, steps = x.shape[:2]
        x, h0, c0 = (_in_groups(array) for array in (x, h0, c0))
        weights = self._interleaved(np.concatenate([kernel, recurrent]))
        by_unit = np.ascontiguousarray(weights.transpose(1, 0, 2))
        gate_bias = np.ascontiguousarray(bias.reshape(_GATES, -1).T, np.float32)
        groups, h = len(x) // LANES, self.hidden_size
        if head is not None:
            head = np.ascontiguousarray(head, np.float32)
        width = h if head is None else 1
        out, last_h, last_c = np.empty((len(x), steps, width), np.float32), np.empty_like(h0), np.empty_like(c0)
        record = _aligned(groups, self._history_floats(steps))

        def run(group: int) -> None:
            rows = slice(group * LANES, (group + 1) * LANES)
            self._forward(
                steps, _at(x[rows]), steps * self.inputs, _at(h0[rows]), _at(c0[rows]), _at(by_unit), _at(gate_bias),
                _at(head), _at(out[rows]), steps * width, _at(last_h[rows]), _at(last_c[rows]), _at(record[group]),
            )

        _on_all_cores(run, groups)
        return out[:batch], last_h[:batch], last_c[:batch], History(x, c0, weights, head, record)

    def backward(self, history: History, d_out: Array, d_h: Array, d_c: Array) -> tuple[Array, ...]:
        """Gradients of x (B, T, C), h0, c0 (B, H), kernel, recurrent, bias, and head (H, 1) when there was one.

        Args:
            d_out: (B, T, H) or (B, T, 1), d_h, d_c: (B, H): gradients of what :meth:`forward` returned.
        """
        batch, steps = d_out.shape[:2]
        d_out, d_h, d_c = _in_groups(d_out), _in_groups(d_h).copy(), _in_groups(d_c).copy()
        groups, h, inputs = len(d_out) // LANES, self.hidden_size, self.inputs
        d_x = np.empty((len(d_out), steps, inputs), np.float32)
        d_weights = np.empty((groups, inputs + h, h, _GATES), np.float32)
        d_bias = np.empty((groups, h, _GATES), np.float32)
        d_head = np.zeros((groups, h, 1), np.float32)
        width = d_out.shape[2]

        def run(group: int) -> None:
            rows = slice(group * LANES, (group + 1) * LANES)
            self._backward(
                steps, _at(history.x[rows]), steps * inputs, _at(history.c0[rows]), _at(history.weights),
                _at(history.record[group]), _at(history.head), _at(d_out[rows]), steps * width, _at(d_h[rows]),
                _at(d_c[rows]), _at(d_x[rows]), _at(d_weights[group]), _at(d_bias[group]), _at(d_head[group]),
            )

        _on_all_cores(run, groups)
        weights = d_weights.sum(axis=0).transpose(0, 2, 1).reshape(inputs + h, -1)
        gradients = (d_x[:batch], d_h[:batch], d_c[:batch], np.ascontiguousarray(weights[:inputs]),
                     np.ascontiguousarray(weights[inputs:]), np.ascontiguousarray(d_bias.sum(axis=0).T.reshape(-1)))
        return gradients if history.head is None else (*gradients, d_head.sum(axis=0))

    def _interleaved(self, matrix: Array) -> Array:
        """(C + H, 4H), gates side by side, to (C + H, H, 4), gates of one unit together."""
        return np.ascontiguousarray(matrix.reshape(len(matrix), _GATES, -1).transpose(0, 2, 1), np.float32)


def _in_groups(array: Array) -> Array:
    """Contiguous float32 with the batch filled up with zeros to a multiple of LANES."""
    surplus = -len(array) % LANES
    if surplus:
        array = np.concatenate([array, np.zeros((surplus, *array.shape[1:]), np.float32)])
    return np.ascontiguousarray(array, np.float32)


def _aligned(groups: int, floats: int) -> Array:
    """Uninitialised (groups, floats), every row at a multiple of 32 bytes (rows are multiples of 64 already)."""
    raw = np.empty(groups * floats * 4 + 64, np.uint8)
    begin = -raw.ctypes.data % 64
    return raw[begin : begin + groups * floats * 4].view(np.float32).reshape(groups, floats)


def _at(array: Array | None) -> int | None:
    return None if array is None else array.ctypes.data


@cache
def _pool() -> ThreadPoolExecutor:
    # ctypes gives up the interpreter's lock during a call: threads really are side by side.
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="lstm")


def _on_all_cores(run, groups: int) -> None:  # type: ignore[no-untyped-def]
    if groups == 1:
        run(0)
    else:
        list(_pool().map(run, range(groups)))


def _load(inputs: int, hidden_size: int) -> ctypes.CDLL:
    path = _build(inputs, hidden_size)
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        # A damaged file in the cache: build it once more.
        path.unlink(missing_ok=True)
    try:
        return ctypes.CDLL(str(_build(inputs, hidden_size)))
    except OSError as error:
        raise KernelUnavailableError(f"{path}: does not load ({error})") from error


def _build(inputs: int, hidden_size: int) -> Path:
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        raise KernelUnavailableError("no C compiler (apt install gcc)")
    source = resources.files("neuralpedal.train.native").joinpath("lstm_training.c").read_text(encoding="utf-8")
    flags = (*_FLAGS, f"-DPEDAL_HIDDEN={hidden_size}", f"-DPEDAL_INPUTS={inputs}")
    identity = "\n".join((source, compiler, *flags, platform.machine(), _cpu_flags()))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:20]
    library = _cache_folder() / f"lstm_{inputs}x{hidden_size}_{digest}.so"
    if not library.is_file():
        _compile(compiler, flags, source, library)
    return library


def _compile(compiler: str, flags: tuple[str, ...], source: str, library: Path) -> None:
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            (Path(folder) / "lstm_training.c").write_text(source, encoding="utf-8")
            built = Path(folder) / "kernel.so"
            command = [*compiler.split(), *flags, str(Path(folder) / "lstm_training.c"), "-o", str(built)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
            if done.returncode:
                raise KernelUnavailableError(f"{compiler} failed: {' '.join(done.stderr.split())[:300]}")
            built.replace(library)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KernelUnavailableError(f"the training kernel cannot be built: {error}") from error


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "neuralpedal"


def _cpu_flags() -> str:
    """What -march=native depends on: a home folder may be shared by machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")
