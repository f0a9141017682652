"""The graphs of a WaveNet's file: what ``convert`` writes and readers demand.

Every convolution reads its past in front of the block. Pasts live in resource variables, which an interpreter keeps by
name: all are read before anything else and assigned behind everything else, so that XNNPACK computes what lies between
in one piece. The second graph puts them to what endless silence leaves, before the first block.
Tried against pasts as further inputs and outputs that the player copies (``benchmarks/wavenet_forms.py``): those cost
a quarter to a half more time, and any other player would have to know of them.

In integers (``w8a16``, ``w8a8``) every product is a CONV_2D, so that there is one arithmetic for all; the head's scale
lies in the last head's weights, and a relu in the addition before it.

Audio lies as [1, 1, T, C], as two-dimensional convolutions want it. A layer's way to the next one is left out where
nothing follows: of the network's last layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralpedal.contract.graph_plan import FREE, GraphPlan
from neuralpedal.contract.wavenet import LEAKY_SLOPE, ConvArray, WaveNetSpec

_VALID = 1
_ALL_AXES, _ALL_BUT_TIME = 0b1111, 0b1011


@dataclass(frozen=True)
class Past:
    """What a convolution remembers: ``span`` samples of ``channels``."""

    name: str
    span: int
    channels: int

    @property
    def rest(self) -> str:
        """The tensor [1, 1, 1, C] with what silence leaves, of every sample."""
        return f"{self.name}/rest"


def pasts(spec: WaveNetSpec) -> list[Past]:
    """Of every convolution that looks back, in the order of ReferenceWaveNet.past."""
    spans = [(span, array.channels) for array in spec.arrays for span in array.all_spans]
    return [Past(_past_name(index), span, channels) for index, (span, channels) in enumerate(spans) if span]


def _past_name(convolution: int) -> str:
    """Convolutions are counted through the whole network."""
    return f"past{convolution}"


def wavenet_plans(spec: WaveNetSpec, signal: Any = np.float32) -> tuple[GraphPlan, GraphPlan]:
    """The file's graphs, main and beginning; ``signal``: float32, int16 or int8."""
    main = _Main(spec) if signal is np.float32 else _IntegerMain(spec, signal)
    return main.plan, _beginning(spec, signal)


def bias_type(signal: Any) -> Any:
    """Of convolutions over a signal of integers."""
    return np.int64 if signal is np.int16 else np.int32


def array_weight(array: int, name: str) -> str:
    """Of the tensor that holds an array's ``entry``, ``head`` or ``head_bias``."""
    return f"array{array}/{name}"


def layer_weight(array: int, layer: int, name: str) -> str:
    """Of the tensor that holds a layer's ``kernel``, ``bias``, ``mixin``, ``mix`` or ``mix_bias``."""
    return f"array{array}/layer{layer}/{name}"


def array_answer(array: int) -> str:
    """The signal that leaves an array's head."""
    return f"array{array}/answer"


def last_answer(spec: WaveNetSpec) -> str:
    """The signal that leaves the last array's head: the network's, but for the head's scale."""
    return array_answer(len(spec.arrays) - 1)


def leads_on(spec: WaveNetSpec, array: int, layer: int) -> bool:
    """Whether something reads what a layer passes on."""
    return array < len(spec.arrays) - 1 or layer < len(spec.arrays[array].dilations) - 1


def _handle(plan: GraphPlan, past: Past) -> str:
    return plan.step("VAR_HANDLE", (), plan.tensor(f"{past.name}/handle", (), np.void), container="",
                     shared_name=past.name)


def _beginning(spec: WaveNetSpec, signal: Any) -> GraphPlan:
    plan = GraphPlan(signal)
    for past in pasts(spec):
        shape = (1, 1, past.span, past.channels)
        size = plan.constant(f"{past.name}/size", shape)
        rest = plan.weight(past.rest, (1, 1, 1, past.channels))
        filled = plan.step("BROADCAST_TO", (rest, size), plan.tensor(f"{past.name}/filled", shape))
        plan.step("ASSIGN_VARIABLE", (_handle(plan, past), filled))
    return plan


class _Main:
    """Writes the main graph's plan."""

    def __init__(self, spec: WaveNetSpec, signal: Any = np.float32) -> None:
        self.plan, self._spec = GraphPlan(signal), spec
        self._pasts = {past.name: past for past in pasts(spec)}
        self._convolutions = 0
        self._kept: list[tuple[str, str]] = []
        self._write()

    def _write(self) -> None:
        plan, spec = self.plan, self._spec
        dry = plan.tensor("dry", (1, FREE, 1))
        plan.step("CALL_ONCE", (), init_subgraph_index=1)
        self._handles = {past.name: _handle(plan, past) for past in self._pasts.values()}
        self._before = {past.name: plan.step("READ_VARIABLE", (self._handles[past.name],), plan.tensor(
            f"{past.name}/before", (1, 1, past.span, past.channels))) for past in self._pasts.values()}
        self._condition = self._reshape("condition", dry, (1, 1, FREE, 1))
        signal, head = self._condition, ""
        for index, array in enumerate(spec.arrays):
            signal, head = self._array(index, array, signal, head)
        answer = self._reshape("wet", self._scaled(head), (1, FREE, 1))
        if spec.skip:
            answer = plan.elementwise("ADD", "answer", answer, dry)
        for handle, after in self._kept:
            plan.step("ASSIGN_VARIABLE", (handle, after))
        plan.inputs, plan.outputs = (dry,), (answer,)

    def _scaled(self, head: str) -> str:
        return self.plan.elementwise("MUL", "scaled", head,
                                     self.plan.constant("head_scale", self._spec.head_scale, np.float32))

    def _reshape(self, name: str, signal: str, shape: Sequence[int]) -> str:
        return self.plan.step("RESHAPE", (signal, self.plan.constant(f"{name}/shape", shape)),
                              self.plan.tensor(name, tuple(shape)))

    def _array(self, index: int, array: ConvArray, signal: str, head: str) -> tuple[str, str]:
        """What goes on, and the head."""
        plan, c = self.plan, array.channels
        signal = self._dense(f"array{index}/signal", signal, array_weight(index, "entry"), self._zeros(c), c)
        for layer in range(len(array.dilations)):
            activated = self._layer(index, layer, array, signal)
            head = activated if not head else plan.elementwise("ADD", f"array{index}/layer{layer}/total", head,
                                                               activated)
            if leads_on(self._spec, index, layer):
                signal = self._mix(index, layer, c, signal, activated)
        kernel = plan.weight(array_weight(index, "head"), (array.head_size, 1, array.head_kernel_size, c))
        bias = plan.weight(array_weight(index, "head_bias"), (array.head_size,)) if array.head_bias else self._zeros(
            array.head_size)
        return signal, self._convolve(array_answer(index), head, kernel, bias, 1)

    def _layer(self, index: int, layer: int, array: ConvArray, signal: str) -> str:
        """The activations, [1, 1, T, C]."""
        plan, sums, taps, name = self.plan, array.sums, array.kernel_sizes[layer], f"array{index}/layer{layer}"

        def weight(which: str, *shape: int) -> str:
            return plan.weight(layer_weight(index, layer, which), shape)

        heard = self._convolve(f"{name}/heard", signal, weight("kernel", sums, 1, taps, array.channels),
                               weight("bias", sums), array.dilations[layer])
        mixed_in = self._dense(f"{name}/mixed_in", self._condition, layer_weight(index, layer, "mixin"),
                               self._zeros(sums), sums)
        total = self._sum(f"{name}/sums", array, heard, mixed_in)
        if not array.gated:
            return self._activate(f"{name}/activated", array, total)
        halves = tuple(plan.tensor(f"{name}/{half}", (1, 1, FREE, array.channels)) for half in ("open", "gate"))
        plan.step("SPLIT", (plan.constant("channels", 3), total), *halves, num_splits=2)
        activated = self._activate(f"{name}/activated", array, halves[0])
        gate = plan.elementwise("LOGISTIC", f"{name}/gate_open", halves[1])
        return plan.elementwise("MUL", f"{name}/gated", activated, gate)

    def _sum(self, name: str, array: ConvArray, heard: str, mixed_in: str) -> str:
        """What the activation is of."""
        return self.plan.elementwise("ADD", name, heard, mixed_in)

    def _dense(self, name: str, signal: str, kernel: str, bias: str, outputs: int) -> str:
        """Of every sample by itself."""
        plan = self.plan
        return plan.dense(name, signal, plan.weight(kernel, (outputs, plan.shapes[signal][-1])), bias, outputs)

    def _activate(self, name: str, array: ConvArray, sums: str) -> str:
        if array.activation != "leaky_relu":
            return self.plan.elementwise(array.activation.upper(), name, sums)
        return self.plan.step("LEAKY_RELU", (sums,), self.plan.tensor(name, self.plan.shapes[sums]),
                              alpha=float(np.float32(LEAKY_SLOPE)))

    def _mix(self, index: int, layer: int, channels: int, signal: str, activated: str) -> str:
        plan, name = self.plan, f"array{index}/layer{layer}"
        bias = plan.weight(layer_weight(index, layer, "mix_bias"), (channels,))
        mixed = self._dense(f"{name}/mixed", activated, layer_weight(index, layer, "mix"), bias, channels)
        return plan.elementwise("ADD", f"{name}/signal", signal, mixed)

    def _convolve(self, name: str, signal: str, kernel: str, bias: str, dilation: int) -> str:
        """Causal: over the past and the block."""
        past = self._pasts.get(_past_name(self._convolutions))
        self._convolutions += 1
        if past:
            signal = self._track(signal, past)
        return self._conv_2d(name, signal, kernel, bias, dilation)

    def _conv_2d(self, name: str, signal: str, kernel: str, bias: str, dilation: int) -> str:
        plan = self.plan
        sums = plan.tensor(name, (1, 1, FREE, plan.weights[kernel][0]))
        return plan.step("CONV_2D", (signal, kernel, bias), sums, padding=_VALID, stride_w=1, stride_h=1,
                         fused_activation_function=0, dilation_w_factor=dilation, dilation_h_factor=1,
                         quantized_bias_type=0)

    def _track(self, signal: str, past: Past) -> str:
        """The past in front of the block; its last samples are kept for the next one."""
        plan = self.plan
        track = plan.tensor(f"{past.name}/track", (1, 1, FREE, past.channels))
        plan.longer[track] = past.span
        plan.step("CONCATENATION", (self._before[past.name], signal), track, axis=2, fused_activation_function=0)
        edges = (plan.constant(f"last{past.span}", [0, 0, -past.span, 0]), plan.constant("end", [0] * 4),
                 plan.constant("every", [1] * 4))
        after = plan.tensor(f"{past.name}/after", (1, 1, past.span, past.channels))
        plan.step("STRIDED_SLICE", (track, *edges), after, begin_mask=_ALL_BUT_TIME, end_mask=_ALL_AXES,
                  ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=0, offset=0)
        self._kept.append((self._handles[past.name], after))
        return track

    def _zeros(self, count: int) -> str:
        """A bias of nothing."""
        return self.plan.constant(f"zeros{count}", [0] * count, np.float32)


class _IntegerMain(_Main):
    """The same in integers."""

    def _scaled(self, head: str) -> str:
        return head

    def _dense(self, name: str, signal: str, kernel: str, bias: str, outputs: int) -> str:
        weight = self.plan.weight(kernel, (outputs, 1, 1, self.plan.shapes[signal][-1]))
        return self._conv_2d(name, signal, weight, bias, 1)

    def _sum(self, name: str, array: ConvArray, heard: str, mixed_in: str) -> str:
        relu = float(array.activation == "relu" and not array.gated)
        return self.plan.step("ADD", (heard, mixed_in), self.plan.tensor(name, self.plan.shapes[heard]),
                              fused_activation_function=relu, pot_scale_int16=0)

    def _activate(self, name: str, array: ConvArray, sums: str) -> str:
        if array.activation == "relu" and not array.gated:
            return sums
        return super()._activate(name, array, sums)

    def _zeros(self, count: int) -> str:
        return self.plan.constant(f"zeros{count}", [0] * count, bias_type(self.plan.signal))
