"""What every writer is given, and the refusal of what its format has no place for."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.contract.weights import NetworkWeights

_EVERY_FORMAT = {"metadata", "training", "samplerate", "sample_rate"}
_TEXT_OF_LAYERS = {"layers", "in_shape", "model_data", "in_skip", "in_gain", "out_gain", "input_batch", "output_batch"}


_ELSEWHERE = {"gru": "export to aidax or guitarml", "wavenet": "export to nam"}
"""What to do with a family that a format lacks."""


@dataclass(frozen=True)
class Exported:
    """A network and what is known of it.

    Attributes:
        name: for messages and metadata. metadata: gear, tone type, levels, loudness… by NAM's names.
        output_gain_db: by which its player must turn it up.
    """

    weights: NetworkWeights | WaveNetWeights
    name: str
    metadata: dict[str, Any] = field(default_factory=dict)
    output_gain_db: float = 0.0


def flat_metadata(found: dict[str, Any]) -> dict[str, Any]:
    """What a file said of itself as one object, whatever format it had: no layers, no tests, no rates."""
    inner = found.get("metadata")
    said = {**found, **(inner if isinstance(inner, dict) else {})}
    return {key: value for key, value in said.items() if key not in _EVERY_FORMAT | _TEXT_OF_LAYERS}


def refuse(exported: Exported, format_name: str, cells: tuple[str, ...], skip: bool, state: bool, gain: bool,
           bends: bool) -> None:
    """Refuse what a format cannot say.

    Args:
        cells: that it has, ``wavenet`` among them. skip, state, gain, bends: whether it has a skip, an initial state, a
            gain behind the network, dense layers that bend.

    Raises:
        SpecError: names the network, what the format lacks, and what to do.
    """
    spec = exported.weights.spec
    reasons = []
    cell, has_frame = (spec.kind.cell, spec.kind.has_frame) if isinstance(spec, NetworkSpec) else (spec.family, False)
    if has_frame or cell not in cells:
        reasons.append(f"has no {spec.family}, only {' and '.join(cells)}; "
                       f"{_ELSEWHERE.get(spec.family, 'train a streaming LSTM')}")
    if isinstance(spec, NetworkSpec) and spec.bends and not bends:
        reasons.append("has no dense layers with an activation; export to aidax")
    if spec.skip and not skip:
        reasons.append("has no skip (the dry signal added to the output); export to aidax or guitarml, or train with "
                       "skip: false in the recipe")
    if exported.weights.initial_state is not None and not state:
        reasons.append("has no initial state, and this network begins in one; export to nam, or let it begin in zero "
                       "state with --zero-state")
    if exported.output_gain_db and not gain:
        reasons.append(f"has no gain, and this network wants {exported.output_gain_db:.3g} dB behind it; export to "
                       "aidax")
    if reasons:
        raise SpecError(f"{exported.name}: {spec.label}: {format_name} {reasons[0]}")


def numbers(array: NDArray[np.float32]) -> Any:
    """Nested lists of float64 that are float32 again to the bit."""
    return np.asarray(array, np.float64).tolist()


def recurrent(exported: Exported, format_name: str, skip: bool, state: bool, gain: bool, bends: bool) -> NetworkWeights:
    """The weights of an LSTM or GRU. Raises SpecError as :func:`refuse`."""
    refuse(exported, format_name, ("lstm", "gru"), skip, state, gain, bends)
    assert isinstance(exported.weights, NetworkWeights)
    return exported.weights
