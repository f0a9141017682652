"""A WaveNet as a TFLite graph in integers: the schemes ``w8a16`` and ``w8a8``.

Formats come from what calibration audio reaches. int16 signals have one bit to spare: their steps are so fine that it
costs nothing one could measure, and louder playing than the calibration's does not saturate. int8 signals have none.
What feeds a table of tanh or sigmoid reaches no further than the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.audio import is_silent
from neuralpedal.contract.errors import RecordingError
from neuralpedal.contract.fixed_point import round_half_away
from neuralpedal.contract.graph_plan import GraphPlan, Step
from neuralpedal.contract.integer_wavenet import SIGNALS, read_integer_wavenet
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.reference_integer_wavenet import IntegerReferenceWaveNet
from neuralpedal.contract.tflite_file import parse_tflite
from neuralpedal.contract.wavenet import ConvArray, WaveNetSpec
from neuralpedal.contract.wavenet_plan import bias_type, last_answer, pasts, wavenet_plans
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.contract.weights import Array
from neuralpedal.convert.calibration import Range
from neuralpedal.convert.planned_graph import write_plan
from neuralpedal.convert.self_description import self_description
from neuralpedal.convert.tflite_writer import GraphWriter, Quantization, TfliteWriter
from neuralpedal.convert.wavenet_graph import arrays_by_name
from neuralpedal.convert.wavenet_shared_steps import shared_steps
from neuralpedal.convert.wavenet_stretches import cut_stretches, play_stretches
from neuralpedal.convert.weight_quantization import WEIGHT_LIMIT, WIDE_BIAS_LIMIT

Formats = dict[str, AffineCode]
"""By the plan's names, of every tensor of the main graph that holds a signal."""

HEADROOM = 2.0
"""Of int16 signals over the calibration's."""

FINEST_STEP = 2.0**-8
"""Of a sum or product, as a share of its source's step."""

_COUNTED_SAMPLES, _LANES = 8192, 4
_NARROW_BIAS_LIMIT = 2**30
_SAME_AS_SOURCE = ("RESHAPE", "STRIDED_SLICE", "LEAKY_RELU", "RELU")
_Q15, _Q11, _Q12 = 2.0**-15, 2.0**-11, 2.0**-12


def measure_signals(weights: WaveNetWeights, audio: Array) -> dict[str, Range]:
    """The range of every signal over ``audio`` (T,), by the plan's names.

    Raises:
        RecordingError: empty or silent.
    """
    if audio.ndim != 1 or audio.size == 0 or is_silent(audio):
        raise RecordingError("calibration audio is empty or silent; give some seconds of real playing")
    found: dict[str, Range] = {}

    def note(name: str, signal: Array) -> Array:
        seen = Range(min(0.0, float(signal.min())), max(0.0, float(signal.max())))
        found[name] = found[name].union(seen) if name in found else seen
        return signal

    for dry in cut_stretches(weights, audio, _COUNTED_SAMPLES, _LANES):
        head, _ = play_stretches(weights, dry, note)
        if weights.spec.skip:
            note("answer", (head + dry[:, -head.shape[1] :])[:, :, np.newaxis])
    return found


def choose_wavenet_formats(spec: WaveNetSpec, ranges: Mapping[str, Range], scheme: str) -> Formats:
    """The format of every signal of a scheme's graph."""
    return _Choice(spec, ranges, SIGNALS[scheme]).formats


class _Choice:
    """Goes through the plan once; ``formats`` is the result."""

    def __init__(self, spec: WaveNetSpec, ranges: Mapping[str, Range], signal: Any) -> None:
        self._signal, self._ranges = signal, ranges
        self._last = last_answer(spec)
        self._arrays = {f"array{index}": array for index, array in enumerate(spec.arrays)}
        self._shared = shared_steps(spec, ranges, HEADROOM) if self._wide else {}
        self.formats: Formats = {}
        plan = wavenet_plans(spec, signal)[0]
        self.formats["dry"] = self._input(ranges["dry"])
        for step in plan.steps:
            self._step(step, plan)

    def _step(self, step: Step, plan: GraphPlan) -> None:
        formats = self.formats
        if step.operator == "CONCATENATION":
            # The past, the signal behind it, and both.
            formats[step.inputs[0]] = formats[step.outputs[0]] = formats[step.inputs[1]]
        elif step.operator in _SAME_AS_SOURCE:
            formats[step.outputs[0]] = formats[step.inputs[0]]
        elif step.operator == "SPLIT":
            formats.update(dict.fromkeys(step.outputs, formats[step.inputs[1]]))
        elif step.operator == "LOGISTIC":
            formats[step.outputs[0]] = self._code_of(_Q15) if self._wide else AffineCode(2.0**-8, -128, np.int8)
        elif step.outputs and plan.dtype(step.outputs[0]) is self._signal and step.operator != "READ_VARIABLE":
            formats[step.outputs[0]] = self._not_too_fine(step, self._measured(step.outputs[0]))

    def _not_too_fine(self, step: Step, code: AffineCode) -> AffineCode:
        """What hardly moves has no use for steps that kernels cannot rescale to: LiteRT ends the process for these."""
        if step.operator not in ("ADD", "MUL"):
            return code
        coarsest = max(self.formats[name].scale for name in step.inputs)
        if step.operator == "MUL":
            coarsest = self.formats[step.inputs[0]].scale
        return replace(code, scale=max(code.scale, coarsest * FINEST_STEP))

    @property
    def _wide(self) -> bool:
        return self._signal is np.int16

    def _measured(self, name: str) -> AffineCode:
        if name in self._shared:
            return self._code_of(self._shared[name])
        array, place = self._arrays.get(name.split("/")[0]), name.rsplit("/", 1)[-1]
        if self._wide and array and place in ("heard", "mixed_in"):
            return self._before_sum(array, name)
        seen = self._ranges["head" if name == self._last else name]
        if place == "sums" and array:
            return self._sums(array, seen)
        if self._wide and place in ("activated", "gated") and array and (place == "activated" or
                                                                         array.activation == "tanh"):
            return self._code_of(_Q15)
        return self._code(seen)

    def _before_sum(self, array: ConvArray, name: str) -> AffineCode:
        """On the sum's steps, where they reach as far."""
        own, sums = self._code(self._ranges[name]), self._sums(array, self._ranges[f"{name.rsplit('/', 1)[0]}/sums"])
        return sums if own.scale <= sums.scale else own

    def _sums(self, array: ConvArray, seen: Range) -> AffineCode:
        tabled = array.activation == "tanh" or array.gated
        if not tabled:
            return self._code(Range(0.0, seen.high) if array.activation == "relu" else seen)
        if self._wide:
            return self._code_of(_Q12 if seen.peak <= 8.0 or not array.gated else _Q11)
        reach = 8.0 if array.gated else 4.0
        return self._code(Range(max(seen.low, -reach), min(seen.high, reach)))

    def _input(self, seen: Range) -> AffineCode:
        # Full scale, whatever the calibration plays: 16 bits are enough for both.
        return self._code_of(max(1.0, seen.peak) / 2**15) if self._wide else self._code(seen)

    def _code(self, seen: Range) -> AffineCode:
        if self._wide:
            return self._code_of(max(HEADROOM * seen.peak, 1e-9) / 2**15)
        scale = float(np.float32(max(seen.high - seen.low, 1e-9) / 255))
        return AffineCode(scale, int(np.clip(round_half_away(-128 - seen.low / scale), -128, 127)), np.int8)

    def _code_of(self, scale: float) -> AffineCode:
        return AffineCode(float(np.float32(scale)), 0, self._signal)


@dataclass(frozen=True)
class _IntegerKernel:
    """int8 (outputs, 1, taps, inputs) with scales and bias (outputs,)."""

    values: Array
    scales: Array
    bias: Array


def build_integer_wavenet(weights: WaveNetWeights, formats: Formats, manifest: Manifest) -> bytes:
    """The file of a ``w8a16`` or ``w8a8`` WaveNet whose weights were put on their grids already, or are so now."""
    signal = SIGNALS[manifest.scheme]
    plans = wavenet_plans(weights.spec, signal)
    kernels = _kernels(weights, plans[0], formats)
    silent = {past.rest: np.zeros((1, 1, 1, past.channels), signal) for past in pasts(weights.spec)}
    unbegun = _write(weights, plans, formats, kernels, manifest, silent)
    return _write(weights, plans, formats, kernels, manifest, _rests(unbegun, weights.spec, signal))


def _rests(data: bytes, spec: WaveNetSpec, signal: Any) -> dict[str, Array]:
    """What silence leaves, asked of the file itself, in its own integers; each [1, 1, 1, C]."""
    network, _ = read_integer_wavenet(parse_tflite(Path("file to write"), data))
    return {past.rest: values.reshape(1, 1, 1, -1).astype(signal) for past, values in
            zip(pasts(spec), IntegerReferenceWaveNet(network).rests(), strict=True)}


def _write(weights: WaveNetWeights, plans: tuple[GraphPlan, GraphPlan], formats: Formats,
           kernels: Mapping[str, _IntegerKernel], manifest: Manifest, rests: Mapping[str, Array]) -> bytes:
    writer = TfliteWriter(f"neuralpedal {weights.spec.label} {manifest.scheme}")
    codes = {name: Quantization((code.scale,), (code.zero_point,)) for name, code in formats.items()}
    border = write_plan(writer, plans[0], partial(_add_kernel, kernels), codes)
    first = writer.called("beginning")
    first_border = write_plan(first, plans[1], lambda graph, name: graph.constant(name, rests[name]))
    return writer.finish(*border, self_description(weights, manifest), [first.graph(*first_border)])


def _add_kernel(kernels: Mapping[str, _IntegerKernel], writer: GraphWriter, name: str) -> int:
    owner = kernels[name]
    if not name.endswith("bias"):
        scales = tuple(float(scale) for scale in owner.scales)
        return writer.constant(name, owner.values, Quantization(scales, (0,) * len(scales)))
    return writer.constant(name, owner.bias)


def _kernels(weights: WaveNetWeights, plan: GraphPlan, formats: Formats) -> dict[str, _IntegerKernel]:
    """By the names of kernels and of their biases."""
    arrays, found = dict(arrays_by_name(weights)), {}
    last = last_answer(weights.spec)
    for step in plan.steps:
        if step.operator == "CONV_2D":
            _, kernel, bias = step.inputs
            factor = weights.spec.head_scale if step.outputs[0] == last else 1.0
            matrix = arrays[kernel].astype(np.float64).reshape(plan.weights[kernel]) * factor
            offset = arrays[bias] * factor if bias in arrays else np.zeros(len(matrix))
            made = _quantize(matrix, offset, formats[step.inputs[0]], formats[step.outputs[0]], plan)
            found.update({kernel: made, bias: made})
    return found


def _quantize(matrix: Any, bias: Any, source: AffineCode, target: AffineCode, plan: GraphPlan) -> _IntegerKernel:
    rows = matrix.reshape(len(matrix), -1)
    dtype = bias_type(plan.signal)
    limit = WIDE_BIAS_LIMIT if dtype is np.int64 else _NARROW_BIAS_LIMIT
    peaks = np.max(np.abs(rows), axis=1)
    # Rows that are tiny beside their bias, or nothing: then the scale must suit the bias. With 16 bits the least factor
    # is one that a product of 32 bits has room for, and makes at most a quarter of a step of difference.
    finest = 2.0**-16 if dtype is np.int64 else 2.0**-20
    least = np.maximum(np.abs(bias) / limit, target.scale * finest) / source.scale
    scales = np.maximum(peaks / WEIGHT_LIMIT, least).astype(np.float32)
    steps = scales.astype(np.float64)
    values = np.clip(round_half_away(rows / steps[:, np.newaxis]), -WEIGHT_LIMIT, WEIGHT_LIMIT).astype(np.int8)
    return _IntegerKernel(values.reshape(matrix.shape), scales,
                          round_half_away(bias / (source.scale * steps)).astype(dtype))
