"""The constants of a float graph by the tensor index that operators read, looking through DEQUANTIZE."""

from collections.abc import Iterator

import numpy as np

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.signal_chain import DEQUANTIZE, foreign
from neuralpedal.contract.tflite_file import Subgraph, TfliteFile
from neuralpedal.contract.weights import Array


class Constants:
    """Of one graph of a file."""

    def __init__(self, file: TfliteFile, graph: Subgraph) -> None:
        self._file, self._graph = file, graph
        self._sources = dict(self._expansions())

    def array(self, index: int) -> Array:
        """The constant as float32. Raises ModelFileError when it is missing or belongs to an integer file."""
        expanded = index in self._sources
        tensor = self._graph.tensors[self._sources.get(index, index)]
        is_float = tensor.dtype == np.float32
        if tensor.data is None or not (is_float or (expanded and len(tensor.scales))):
            found = "no constant" if tensor.data is None else f"{np.dtype(tensor.dtype).name} arithmetic"
            raise ModelFileError(
                f"{self._file.path}: tensor {tensor.name!r} holds {found}; only float32 and w8 files give weights "
                f"(this one says {self._file.manifest().scheme})"
            )
        return np.asarray(tensor.dequantized(), dtype=np.float32)

    def _expansions(self) -> Iterator[tuple[int, int]]:
        """(expanded tensor, stored tensor) of every DEQUANTIZE."""
        for operator in self._graph.operators:
            if operator.name == DEQUANTIZE:
                if len(operator.inputs) != 1 or len(operator.outputs) != 1:
                    raise foreign(self._file, "a DEQUANTIZE that is not one tensor to one tensor")
                yield operator.outputs[0], operator.inputs[0]
