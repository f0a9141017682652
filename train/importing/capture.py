"""What every reader makes of a file: a network in our layout, and all that the file says besides."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.dense import DenseWeights
from neuralpedal.contract.errors import ModelFileError, PedalError
from neuralpedal.contract.initial_state import InitialState
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.contract.weights import Array, NetworkWeights, RecurrentWeights

CELLS = ("lstm", "gru")
"""Families whose layers are read; how many gates they have, their family says."""


Bending = tuple[str, DenseWeights]
"""A dense layer with its activation."""


@dataclass(frozen=True)
class ImportOptions:
    """What the file cannot say.

    Attributes:
        sample_rate_hz: instead of what the file says, or leaves out.
        knobs: settings by name, 0 to 1, for networks with knobs.
        force: take a file whose own test fails.
    """

    sample_rate_hz: int | None = None
    knobs: dict[str, float] = field(default_factory=dict)
    force: bool = False


@dataclass(frozen=True)
class GoldenBatch:
    """A test that lies in the file: what ``weights`` must make of ``dry`` (T,) from zero state, ``wet`` (T,).

    Attributes:
        weights: of the capture itself, but for one with knobs, whose test is made with all of them at 0.
    """

    dry: NDArray[np.float32]
    wet: NDArray[np.float32]
    weights: NetworkWeights


@dataclass(frozen=True)
class Capture:
    """A network that was read from a file.

    Attributes:
        kind: the format, for people and training.json.
        architecture: what the file calls the network, with its size.
        metadata: what else the file says: gear, levels, loudness.
        output_gain_db: by which the network must be turned up to be as loud as the file says; 0 wherever the weights
            could take the gain in.
        knobs: the settings that were folded into the weights.
        remarks: sentences for the user, each naming the file.
    """

    path: Path
    kind: str
    architecture: str
    weights: NetworkWeights | WaveNetWeights
    metadata: dict[str, Any] = field(default_factory=dict)
    output_gain_db: float = 0.0
    knobs: dict[str, float] = field(default_factory=dict)
    golden: GoldenBatch | None = None
    remarks: tuple[str, ...] = ()


def checked_weights(path: Path, layers: tuple[RecurrentWeights, ...], head: tuple[Array, Array],
                    initial_state: InitialState | None = None, front: Sequence[Bending] = (),
                    behind: Sequence[Bending] = (), **spec: Any) -> NetworkWeights:
    """The weights as float32 under a spec, checked.

    Args:
        head: kernel (H, 1) and bias (1,). initial_state: where the file has one.
        front, behind: dense layers that bend, before the recurrent ones and between these and ``head``.
        spec: fields of NetworkSpec without sizes, which the arrays have.

    Raises:
        ModelFileError: a size, rate or shape that no network of ours has, NaN; the message names the file.
    """
    try:
        said = [[{"units": len(weights.bias), "activation": activation} for activation, weights in dense]
                for dense in (front, behind)]
        made = make_spec(hidden_size=layers[0].hidden_size, num_layers=len(layers), front=said[0], head=said[1], **spec)
        return NetworkWeights(made, layers, *head, initial_state,
                              *(tuple(weights for _, weights in dense) for dense in (front, behind)))
    except PedalError as error:
        # What to do about it is another thing than with a training of one's own.
        reason = str(error).partition(";")[0]
        raise ModelFileError(f"{path}: {reason}; download or export it again") from error


def float32(values: Any) -> Array:
    """As float32; what is too large becomes infinite, which the check of the weights finds."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)
