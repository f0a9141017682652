"""The state that a network begins in, where that is not zero: some trainers learn it, and it is a part of the sound.

Real numbers everywhere, in weights and manifest; a player whose states are integers takes the nearest ones (halves away
from zero, saturated), so that all players of a file begin alike.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.spec import NetworkSpec

LayerState = tuple[NDArray[np.float32], ...]
"""The arrays of a layer's state, each (H,), in the order of its family: the hidden state, then an LSTM's cell."""

InitialState = tuple[LayerState, ...]
"""Of every layer."""

Lists = tuple[tuple[tuple[float, ...], ...], ...]
"""The same as plain numbers."""


def checked_initial_state(spec: NetworkSpec, values: Sequence[Sequence[Any]] | None) -> InitialState | None:
    """As float32; None for zero state, said or not.

    Raises:
        SpecError: sizes of another network, or a family that begins in zero state for every sample.
        ModelFileError: NaN, or larger than a float32.
    """
    if values is None:
        return None
    wanted = (spec.num_layers, len(spec.kind.state), spec.hidden_size)
    with np.errstate(over="ignore"):
        state = tuple(tuple(np.array(array, np.float32) for array in layer) for layer in values)
    if len(state) != wanted[0] or any(len(layer) != wanted[1] or any(array.shape != wanted[2:] for array in layer)
                                      for layer in state):
        found = f"{len(state)} layers of {[[array.shape for array in layer] for layer in state]}"
        raise SpecError(f"network: its initial state has {found[:120]}, wanted {wanted[0]} of {wanted[1]} times "
                        f"{wanted[2]} for {spec.label}")
    if not all(np.all(np.isfinite(array)) for layer in state for array in layer):
        raise ModelFileError("network: its initial state holds NaN or infinity; export it again")
    if not any(np.any(array) for layer in state for array in layer):
        return None
    if spec.kind.has_frame:
        raise SpecError(f"network: {spec.label} has an initial state, but begins anew for every sample")
    return state


def as_lists(state: InitialState | None) -> Lists | None:
    """For JSON: float64 that are float32 again to the bit."""
    return None if state is None else tuple(tuple(tuple(map(float, array)) for array in layer) for layer in state)
