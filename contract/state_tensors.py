"""What an interpreter's state tensors must hold before the first sample of a file that has an initial state.

An interpreter zeroes its variables and knows no other beginning, so the player writes them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.affine import code_of
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.initial_state import checked_initial_state
from neuralpedal.contract.signal_chain import signal_chain
from neuralpedal.contract.tflite_file import TfliteFile


def first_tensors(file: TfliteFile) -> dict[int, NDArray[Any]]:
    """Values (1, H) by tensor index, in the tensors' own types; nothing for a file that begins in zero state.

    Raises:
        ModelFileError: not one of our files, or state tensors that cannot hold it.
    """
    manifest = file.manifest()
    state = checked_initial_state(manifest.recurrent, manifest.initial_state)
    if state is None:
        return {}
    chain = signal_chain(file)
    arrays = [array for layer in state for array in layer]
    return {index: _encoded(file, index, array[np.newaxis]) for index, array in zip(chain.states, arrays, strict=True)}


def _encoded(file: TfliteFile, index: int, values: NDArray[np.float32]) -> NDArray[Any]:
    tensor = file.tensors[index]
    if tensor.shape != values.shape or not tensor.is_variable:
        raise ModelFileError(f"{file.path}: {tensor.name} is no state of {values.shape[1]} units; convert it again")
    return values if tensor.dtype == np.float32 else code_of(tensor, str(file.path)).encode(values)
