"""Reads a WaveNet's file (contract/wavenet_plan.py) as real numbers; in integers: contract/integer_wavenet.py."""

from collections.abc import Iterator, Mapping

import numpy as np

from neuralpedal.contract.constants import Constants
from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.integer_wavenet import SIGNALS
from neuralpedal.contract.planned_file import check_planned
from neuralpedal.contract.reference_integer_wavenet import open_integer_wavenet
from neuralpedal.contract.reference_wavenet import ReferenceWaveNet
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.contract.wavenet_plan import array_weight, layer_weight, leads_on, pasts, wavenet_plans
from neuralpedal.contract.wavenet_weights import WaveNetWeights, wavenet_weights
from neuralpedal.contract.weights import Array

_REST_TOLERANCE = 1e-4
"""Of the largest: tanh is another one in every library."""


def check_wavenet(file: TfliteFile) -> None:
    """Compare a file with what its manifest's network asks for, its weights and its beginning.

    Raises:
        ModelFileError: anything is otherwise than ``convert`` writes it.
    """
    if file.manifest().scheme in SIGNALS:
        open_integer_wavenet(file)
    else:
        read_wavenet_weights(file)


def read_wavenet_weights(file: TfliteFile) -> WaveNetWeights:
    """The network of a file; what its last layer would pass on, which nobody hears, comes back as zeros.

    Raises:
        ModelFileError: as :func:`check_wavenet`.
    """
    spec = file.manifest().network
    if not isinstance(spec, WaveNetSpec):
        raise ModelFileError(f"{file.path}: holds a {spec.label}, no WaveNet")
    main, beginning = check_planned(file, wavenet_plans(spec))
    try:
        weights = wavenet_weights(spec, list(_arrays(spec, Constants(file, file), main)))
    except SpecError as error:
        raise ModelFileError(f"{file.path}: its tensors contradict its manifest ({error}); convert it again") from error
    _check_beginning(file, weights, beginning)
    return weights


def rests(weights: WaveNetWeights) -> dict[str, Array]:
    """What silence leaves in every sample of a past, by the plan's names, each [1, 1, 1, C]."""
    flat, found, start = ReferenceWaveNet(weights).past(), {}, 0
    for past in pasts(weights.spec):
        size = past.channels * past.span
        channels = flat[start : start + size].reshape(past.channels, past.span)[:, 0]
        found[past.rest] = channels.reshape(1, 1, 1, -1)
        start += size
    return found


def _arrays(spec: WaveNetSpec, constants: Constants, tensors: Mapping[str, int]) -> Iterator[Array]:
    """In the order and layout of WaveNetWeights; TFLite has outputs first."""
    def read(name: str) -> Array:
        array = constants.array(tensors[name])
        return np.ascontiguousarray(array[:, 0].transpose(1, 2, 0) if array.ndim == 4 else array.T)

    for index, array in enumerate(spec.arrays):
        yield read(array_weight(index, "entry"))
        for layer in range(len(array.dilations)):
            yield from (read(layer_weight(index, layer, name)) for name in ("kernel", "bias", "mixin"))
            if leads_on(spec, index, layer):
                yield from (read(layer_weight(index, layer, name)) for name in ("mix", "mix_bias"))
            else:
                yield np.zeros((array.channels, array.channels), np.float32)
                yield np.zeros(array.channels, np.float32)
        yield read(array_weight(index, "head"))
        if array.head_bias:
            yield read(array_weight(index, "head_bias"))


def _check_beginning(file: TfliteFile, weights: WaveNetWeights, tensors: Mapping[str, int]) -> None:
    constants = Constants(file, file.called[0])
    for name, wanted in rests(weights).items():
        found = constants.array(tensors[name])
        if not np.allclose(found, wanted, rtol=0, atol=_REST_TOLERANCE * max(1.0, float(np.max(np.abs(wanted))))):
            raise ModelFileError(f"{file.path}: does not begin where silence leaves its network ({name}); convert it "
                                 "again")
