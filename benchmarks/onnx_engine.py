"""A network as an ONNX graph and ONNX Runtime as an engine, for comparison.

The graph is what an exporter would write at its best: one LSTM operator per layer, a linear head and the skip, with the
states as inputs and outputs. It is played through bindings of fixed memory, ONNX Runtime's fastest way from Python.
"""

from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights
from neuralpedal.device.engine import Block, Engine

_OPSET, _IR_VERSION = 14, 8
_GATES = (0, 3, 1, 2)
"""ONNX's order (input, output, forget, candidate) in Keras's."""


def onnx_graph(weights: NetworkWeights, block_size: int) -> bytes:
    """A model from ``dry`` (T, 1, 1) and states ``h0``, ``c0``… (1, 1, H) to ``wet`` (T, 1, 1) and ``next_h0``…"""
    spec = weights.spec
    nodes, tensors, heard = [], [], "dry"
    for index, layer in enumerate(weights.layers):
        tensors += _layer_tensors(layer, index)
        nodes.append(helper.make_node(
            "LSTM", [heard, f"w{index}", f"r{index}", f"b{index}", "", f"h{index}", f"c{index}"],
            [f"y{index}", f"next_h{index}", f"next_c{index}"], hidden_size=spec.hidden_size))
        nodes.append(helper.make_node("Squeeze", [f"y{index}", "direction"], [f"heard{index}"]))
        heard = f"heard{index}"
    tensors += [numpy_helper.from_array(np.array([1], np.int64), "direction"),
                numpy_helper.from_array(weights.head_kernel, "head"),
                numpy_helper.from_array(weights.head_bias, "head_bias")]
    nodes.append(helper.make_node("MatMul", [heard, "head"], ["product"]))
    nodes.append(helper.make_node("Add", ["product", "head_bias"], ["answer" if spec.skip else "wet"]))
    if spec.skip:
        nodes.append(helper.make_node("Add", ["answer", "dry"], ["wet"]))
    audio, state = [block_size, 1, 1], [1, 1, spec.hidden_size]
    names = list(_state_names(spec.num_layers))
    graph = helper.make_graph(
        nodes, "pedal",
        [_value("dry", audio), *[_value(name, state) for name in names]],
        [_value("wet", audio), *[_value(f"next_{name}", state) for name in names]], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    serialized: bytes = model.SerializeToString()
    return serialized


def _layer_tensors(layer: RecurrentWeights, index: int) -> list[onnx.TensorProto]:
    parts = [layer.gate(gate) for gate in _GATES]
    bias = np.concatenate([bias for _, _, bias in parts])
    arrays = {"w": np.concatenate([kernel.T for kernel, _, _ in parts]),
              "r": np.concatenate([recurrent.T for _, recurrent, _ in parts]),
              "b": np.concatenate([bias, np.zeros_like(bias)])}
    return [numpy_helper.from_array(np.ascontiguousarray(array[np.newaxis]), f"{name}{index}")
            for name, array in arrays.items()]


def _state_names(num_layers: int) -> Iterator[str]:
    for index in range(num_layers):
        yield from (f"h{index}", f"c{index}")


def _value(name: str, shape: list[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


class OnnxEngine(Engine):
    """See :class:`Engine`. One thread, states kept in two sets of buffers that change places with every block."""

    def __init__(self, weights: NetworkWeights, manifest: Manifest, block_size: int) -> None:
        self.manifest, self.block_size = manifest, block_size
        self.description = f"ONNX Runtime {onnxruntime.__version__}"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(onnx_graph(weights, block_size), options,
                                                     providers=["CPUExecutionProvider"])
        self._dry, self._wet = (np.zeros((block_size, 1, 1), np.float32) for _ in range(2))
        names = list(_state_names(weights.spec.num_layers))
        shape = (1, 1, weights.spec.hidden_size)
        self._states = [{name: np.zeros(shape, np.float32) for name in names} for _ in range(2)]
        self._bindings = [self._bind(self._states[now], self._states[1 - now]) for now in range(2)]
        self._now = 0

    def _bind(self, states: dict[str, np.ndarray], following: dict[str, np.ndarray]) -> onnxruntime.IOBinding:
        binding = self._session.io_binding()
        for name, array in [("dry", self._dry), *states.items()]:
            binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for name, array in [("wet", self._wet), *((f"next_{name}", array) for name, array in following.items())]:
            binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return binding

    def process(self, dry: Block, wet: Block) -> None:
        """One block."""
        self._dry[:, 0, 0] = dry
        self._session.run_with_iobinding(self._bindings[self._now])
        self._now = 1 - self._now
        wet[:] = self._wet[:, 0, 0]

    def reset(self) -> None:
        """As freshly opened."""
        for states in self._states:
            for array in states.values():
                array.fill(0.0)
