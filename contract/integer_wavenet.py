"""What an integer player of a WaveNet's ``w8a16`` or ``w8a8`` file computes with, read out of the file.

All that a kernel needs follows from the scales and integers in the file, by the rules of LiteRT's kernels
(contract/integer_operators.py). Formats that the graph must have in common are compared here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuralpedal.contract import integer_operators
from neuralpedal.contract.affine import AffineCode, code_of
from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.fixed_point import Integers
from neuralpedal.contract.graph_plan import GraphPlan
from neuralpedal.contract.integer_operators import (
    IntegerConvolution,
    IntegerFunction,
    IntegerProduct,
    IntegerSum,
    make_convolution,
)
from neuralpedal.contract.planned_file import check_planned
from neuralpedal.contract.signal_chain import foreign
from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.contract.wavenet import ConvArray, WaveNetSpec
from neuralpedal.contract.wavenet_plan import bias_type, wavenet_plans

SIGNALS = {"w8a16": np.int16, "w8a8": np.int8}
"""The type of every signal, by scheme."""

_SAME_FORMAT = ("RESHAPE", "CONCATENATION", "STRIDED_SLICE", "SPLIT")


@dataclass(frozen=True)
class IntegerConvLayer:
    """One layer.

    Attributes:
        heard: the dilated convolution. mixed_in: of the network's input. sums: of both.
        activate: of the first half, None for a relu, which is in ``sums``. open_gate, gate: sigmoid of the second half
            and the product of both; None where nothing is gated.
        total: the activations added to those of the layers before, None of the first.
        mix: of the activations. signal: what goes on, the sum with the layer's input. Both None where nothing follows.
    """

    heard: IntegerConvolution
    mixed_in: IntegerConvolution
    sums: IntegerSum
    activate: IntegerFunction | None
    open_gate: IntegerFunction | None
    gate: IntegerProduct | None
    total: IntegerSum | None
    mix: IntegerConvolution | None
    signal: IntegerSum | None


@dataclass(frozen=True)
class IntegerConvArray:
    """Layers of one width; ``entry`` from what the array reads to its channels, ``head`` of the last total."""

    spec: ConvArray
    entry: IntegerConvolution
    layers: tuple[IntegerConvLayer, ...]
    head: IntegerConvolution


@dataclass(frozen=True)
class IntegerWaveNet:
    """Everything that an integer player needs.

    Attributes:
        input_code, output_code: formats of the audio.
        skip: the sum of head and dry signal; None without a skip.
    """

    spec: WaveNetSpec
    input_code: AffineCode
    output_code: AffineCode
    arrays: tuple[IntegerConvArray, ...]
    skip: IntegerSum | None


def read_integer_wavenet(file: TfliteFile) -> tuple[IntegerWaveNet, dict[str, Integers]]:
    """The integer network of a file, and what its pasts begin with: (C,) by the names of ``wavenet_plan.Past.rest``.

    Raises:
        ModelFileError: another scheme or network, or anything otherwise than ``convert`` writes it.
    """
    manifest = file.manifest()
    spec = manifest.network
    if not isinstance(spec, WaveNetSpec) or manifest.scheme not in SIGNALS:
        raise ModelFileError(f"{file.path}: holds a {spec.label} as {manifest.scheme}, wanted a WaveNet as "
                             f"{' or '.join(SIGNALS)}")
    plans = wavenet_plans(spec, SIGNALS[manifest.scheme])
    main, beginning = check_planned(file, plans, [manifest.scheme])
    try:
        network = _Reader(file, plans[0], main).network(spec)
        rests = {name: _rest(file, beginning[name], SIGNALS[manifest.scheme]) for name in plans[1].weights}
    # Which of these a damaged constant or scale raises depends on where it is met; all of it means the same.
    except (ValueError, OverflowError, IndexError, ZeroDivisionError, TypeError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{file.path}: its integer network is damaged ({error}); convert it again") from error
    return network, rests


def _rest(file: TfliteFile, index: int, signal: type) -> Integers:
    tensor = file.called[0].tensors[index]
    if tensor.data is None or tensor.dtype != signal:
        raise ModelFileError(f"{file.path}: tensor {tensor.name!r} is no {np.dtype(signal).name} constant")
    return tensor.data.astype(np.int64).ravel()


class _Reader:
    """Goes through the plan's operators once; they are found again by the tensor that they fill."""

    def __init__(self, file: TfliteFile, plan: GraphPlan, tensors: Mapping[str, int]) -> None:
        self._file, self._plan, self._tensors = file, plan, tensors
        self._steps = {step.outputs[0]: step for step in plan.steps if step.outputs}
        for step in plan.steps:
            if step.operator in _SAME_FORMAT:
                names = [name for name in (*step.inputs, *step.outputs) if name in plan.shapes]
                if len({(code.scale, code.zero_point) for code in map(self._code, names)}) > 1:
                    raise foreign(file, f"a {step.operator} that changes the format of {names[0]!r}")

    def network(self, spec: WaveNetSpec) -> IntegerWaveNet:
        arrays = tuple(self._array(index, array) for index, array in enumerate(spec.arrays))
        skip = self._sum(self._plan.outputs[0]) if spec.skip else None
        return IntegerWaveNet(spec, self._code(self._plan.inputs[0]), self._code(self._plan.outputs[0]), arrays, skip)

    def _array(self, index: int, array: ConvArray) -> IntegerConvArray:
        name = f"array{index}"
        layers = tuple(self._layer(f"{name}/layer{layer}", array) for layer in range(len(array.dilations)))
        return IntegerConvArray(array, self._convolution(f"{name}/signal"), layers,
                                self._convolution(f"{name}/answer"))

    def _layer(self, name: str, array: ConvArray) -> IntegerConvLayer:
        activated = self._steps.get(f"{name}/activated")
        function = None
        if activated:
            function = self._function(f"{name}/activated", activated.operator)
        leads_on, adds = f"{name}/mixed" in self._steps, f"{name}/total" in self._steps
        return IntegerConvLayer(
            self._convolution(f"{name}/heard"), self._convolution(f"{name}/mixed_in"), self._sum(f"{name}/sums"),
            function, self._function(f"{name}/gate_open", "LOGISTIC") if array.gated else None,
            self._product(f"{name}/gated") if array.gated else None, self._sum(f"{name}/total") if adds else None,
            self._convolution(f"{name}/mixed") if leads_on else None,
            self._sum(f"{name}/signal") if leads_on else None)

    def _convolution(self, name: str) -> IntegerConvolution:
        step = self._steps[name]
        source, target = self._code(step.inputs[0]), self._code(name)
        kernel, bias = (self._file.tensors[self._tensors[weight]] for weight in step.inputs[1:])
        outputs = kernel.shape[0]
        if kernel.dtype != np.int8 or kernel.data is None or len(kernel.scales) != outputs or np.any(
                kernel.zero_points) or kernel.channel_axis or not np.all(kernel.scales > 0):
            raise foreign(self._file, f"tensor {kernel.name!r} that is no int8 kernel with a scale per output")
        if bias.dtype != bias_type(self._plan.signal) or bias.data is None or bias.shape != (outputs,):
            raise foreign(self._file, f"tensor {bias.name!r} that is no {np.dtype(bias_type(self._plan.signal)).name} "
                                      "bias")
        taps = kernel.data.astype(np.int64)[:, 0].transpose(1, 2, 0)
        return make_convolution(taps, kernel.scales, bias.data.astype(np.int64), int(step.options["dilation_w_factor"]),
                                source, target)

    def _sum(self, name: str) -> IntegerSum:
        step = self._steps[name]
        one, other = map(self._code, step.inputs)
        return IntegerSum((one, other), self._code(name), bool(step.options["fused_activation_function"]))

    def _product(self, name: str) -> IntegerProduct:
        one, other = map(self._code, self._steps[name].inputs)
        return IntegerProduct((one, other), self._code(name))

    def _function(self, name: str, operator: str) -> IntegerFunction:
        source, target = self._code(self._steps[name].inputs[0]), self._code(name)
        made = {"TANH": integer_operators.tanh, "LOGISTIC": integer_operators.sigmoid,
                "LEAKY_RELU": integer_operators.leaky_relu, "RELU": integer_operators.relu}[operator]
        return made(source, target)

    def _code(self, name: str) -> AffineCode:
        code = code_of(self._file.tensors[self._tensors[name]], str(self._file.path))
        if code.dtype is np.int16 and code.zero_point:
            raise foreign(self._file, f"an int16 signal {name!r} with the zero point {code.zero_point}")
        return code
