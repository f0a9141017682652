"""The one file that talks to a TFLite interpreter, whichever of the three packages is there.

Order: ai-edge-litert, tflite-runtime (its predecessor: wheels up to Python 3.11, NumPy 1 only), TensorFlow's own.
All three have the same Python class; their errors are translated here and nowhere else.
"""

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuralpedal.contract.errors import DeviceError, ModelFileError

PACKAGES = ("ai_edge_litert", "tflite_runtime", "tensorflow")
"""Import names, in the order they are tried."""

_MODULES = {"ai_edge_litert": "ai_edge_litert.interpreter", "tflite_runtime": "tflite_runtime.interpreter",
            "tensorflow": "tensorflow.lite.python.interpreter"}

# By the graph of the family. fused: reference kernels, no XNNPACK: the LSTM is the same and as fast, and the int8 head
# and skip round as the specification says. The optimized ones differ from it by one step now and then. tflite-runtime
# rounds that way with any kernels, and its reference ones lack the DEQUANTIZE by channel that w8 files need.
# fused_dense: float alone; reference kernels lack ELU.
# loop: small operators, float all of them; XNNPACK makes one of a loop's whole turn (GRU of 16 units: 0.6 of the time).
# integer convolutions: reference kernels round as the integer reference says; optimized ones and XNNPACK otherwise.
# convolutions: float as the loops, and XNNPACK's are six times faster (WaveNet "feather"), tflite-runtime's included.
_WITHOUT_DELEGATES = "BUILTIN_WITHOUT_DEFAULT_DELEGATES"
_KERNELS = {
    "fused": {"ai_edge_litert": "BUILTIN_REF", "tflite_runtime": _WITHOUT_DELEGATES, "tensorflow": "BUILTIN_REF"},
    "fused_dense": dict.fromkeys(PACKAGES, _WITHOUT_DELEGATES),
    "loop": {"ai_edge_litert": "BUILTIN", "tflite_runtime": _WITHOUT_DELEGATES, "tensorflow": _WITHOUT_DELEGATES},
    "integer convolutions": dict.fromkeys(PACKAGES, "BUILTIN_REF"),
    "convolutions": {"ai_edge_litert": "BUILTIN", "tflite_runtime": "BUILTIN", "tensorflow": "BUILTIN"},
}


@dataclass(frozen=True)
class InterpreterPackage:
    """An importable interpreter: ``name`` of ``PACKAGES``, its ``Interpreter``, and the kernels to ask for."""

    name: str
    interpreter: Callable[..., Any]
    resolver: Any


def find_interpreter(only: str | None = None, graph: str = "fused") -> InterpreterPackage:
    """The first package that works here.

    Args:
        only: look for this one of ``PACKAGES`` alone. graph: of the family that is to be played.

    Raises:
        DeviceError: none is installed, or the only one cannot work with the installed NumPy.
    """
    obstacles = []
    for name in (only,) if only else PACKAGES:
        if name == "tflite_runtime" and int(np.__version__.split(".")[0]) >= 2:
            # The import succeeds and the constructor fails: built against NumPy 1.
            if importlib.util.find_spec(name):
                obstacles.append(f"tflite_runtime needs NumPy < 2, found {np.__version__}")
            continue
        try:
            module = importlib.import_module(_MODULES[name])
        except ImportError as error:
            if importlib.util.find_spec(name):
                obstacles.append(f"{name} is installed but does not load ({error})")
            continue
        return InterpreterPackage(name, module.Interpreter, getattr(module.OpResolverType, _KERNELS[graph][name]))
    detail = f" ({'; '.join(obstacles)})" if obstacles else ""
    raise DeviceError(f"no TFLite interpreter found{detail}; pip install 'neuralpedal[device]'")


class PreparedInterpreter(ABC):
    """A model prepared for blocks of one length; what was played before matters, see the subclasses.

    Args:
        path: a file whose structure was checked already (the interpreter's own messages are poor).
        shapes: what is resized: tensor index to shape.
        package: which interpreter; the first that works when None.
        num_threads: 1: a small model loses more by waking a second core than it gains. graph: of the model's family.

    Raises:
        ModelFileError: the interpreter refuses the file. DeviceError: there is no interpreter.
    """

    def __init__(self, path: Path, shapes: Mapping[int, Sequence[int]], package: str | None = None,
                 num_threads: int = 1, graph: str = "fused") -> None:
        self.package = find_interpreter(package, graph)
        self._path, self._shapes, self._num_threads = path, dict(shapes), num_threads
        self._open()

    def _open(self) -> None:
        """Make the interpreter and everything that it holds anew."""
        path = self._path
        try:
            self._interpreter = self.package.interpreter(
                model_path=str(path), num_threads=self._num_threads,
                experimental_op_resolver_type=self.package.resolver
            )
            for index, shape in self._shapes.items():
                self._interpreter.resize_tensor_input(index, list(shape), strict=True)
            self._interpreter.allocate_tensors()
            # Functions that give a view of the tensor's memory: no copy is made per block.
            self._input_view = self._interpreter.tensor(self._interpreter.get_input_details()[0]["index"])
            self._output_views = [self._interpreter.tensor(detail["index"])
                                  for detail in self._interpreter.get_output_details()]
            self._output_view = self._output_views[0]
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ModelFileError(f"{path}: {self.package.name} cannot play it ({reason}); convert it again") from error

    @property
    @abstractmethod
    def input(self) -> np.ndarray:
        """View (T,), or (T, channels), of where the next block goes; must not be kept over :meth:`invoke`."""

    @property
    @abstractmethod
    def output(self) -> np.ndarray:
        """View (T,) of the last block's answer; must not be kept over :meth:`invoke`."""

    @property
    def outputs(self) -> Sequence[np.ndarray]:
        """Views of all answers of a graph that has several, as :attr:`output`."""
        return (self.output,)

    @abstractmethod
    def invoke(self) -> None:
        """Run one block. Real-time safe: nothing is allocated in the interpreter's arena."""

    @abstractmethod
    def reset(self) -> None:
        """Forget what was played. Not real-time safe."""


class StreamingInterpreter(PreparedInterpreter):
    """A network whose state is kept from block to block, in the interpreter's variables.

    Args:
        input_index: the input tensor. channels: its last axis. Others: see :class:`PreparedInterpreter`.
        beginning: what its variables hold before the first sample, by tensor index; zero where it says nothing.
    """

    def __init__(self, path: Path, input_index: int, block_size: int, package: str | None = None,
                 channels: int = 1, graph: str = "fused", beginning: Mapping[int, np.ndarray] | None = None) -> None:
        super().__init__(path, {input_index: (1, block_size, channels)}, package, graph=graph)
        self._channel = 0 if channels == 1 else slice(None)
        self._beginning = dict(beginning or {})
        self._begin()

    @property
    def input(self) -> np.ndarray:
        """The input tensor's own memory."""
        view: np.ndarray = self._input_view()[0, :, self._channel]
        return view

    @property
    def output(self) -> np.ndarray:
        """The output tensor's own memory."""
        view: np.ndarray = self._output_view()[0, :, 0]
        return view

    @property
    def outputs(self) -> Sequence[np.ndarray]:
        """See :class:`PreparedInterpreter`."""
        return [view()[0, :, 0] for view in self._output_views]

    def invoke(self) -> None:
        """See :class:`PreparedInterpreter`."""
        self._interpreter.invoke()

    def reset(self) -> None:
        """Back to the state that it began in."""
        self._interpreter.reset_all_variables()
        self._begin()

    def _begin(self) -> None:
        for index, values in self._beginning.items():
            self._interpreter.set_tensor(index, values)


class SelfBeginningInterpreter(StreamingInterpreter):
    """A network whose file puts its own variables to where it begins, before the first block and never again.

    ``reset_all_variables`` does not know such variables: to begin anew the interpreter is made anew (a millisecond).
    """

    def reset(self) -> None:
        """See :class:`PreparedInterpreter`."""
        self._open()
