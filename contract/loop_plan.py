"""The graphs of a file whose layers no fused operator plays (GRU, RNN): what ``convert`` writes and readers demand.

TFLite has a fused LSTM and nothing alike for other cells. So the main graph is a WHILE operator that takes one sample
per turn: its condition compares a counter with the length of the block, its body is the layers and the head (dense
layers in front play the whole block before). Blocks of
any length play, state is kept in the interpreter's variables, ``reset_all_variables`` clears it, all as with an LSTM.

An operator behind a WHILE may not write a variable (LiteRT 2.3: it has no memory yet), but a fused RNN changes its own.
So one RNN of one unit and no memory, weight 1, takes a layer's H states for a batch of H and thereby stores them.
Source of the cells: Keras's GRUCell (reset_after) and SimpleRNNCell.
"""

import numpy as np

from neuralpedal.contract.graph_plan import FREE, GraphPlan
from neuralpedal.contract.spec import NetworkSpec


def loop_plans(spec: NetworkSpec) -> tuple[GraphPlan, GraphPlan, GraphPlan]:
    """The file's graphs: main, condition, body."""
    return _main(spec), _condition(spec), _body(spec)


def weight_name(layer: int, array: str) -> str:
    """Of the tensor that holds ``kernel``, ``recurrent_kernel`` or a bias (``bias_0``, ``bias_1``) of a layer."""
    return f"layer{layer}/{array}"


HEAD_KERNEL, HEAD_BIAS = "head/kernel", "head/bias"

_BLOCK = (1, FREE, 1)


def _operands(plan: GraphPlan, spec: NetworkSpec, suffix: str = "") -> tuple[str, ...]:
    """What goes round: the counter, the block that the layers hear, the wet block so far, the states."""
    states = [plan.tensor(f"state{layer}{suffix}", (1, 1, spec.hidden_size)) for layer in range(spec.num_layers)]
    return (plan.tensor(f"sample{suffix}", (1,), np.int32), plan.tensor(f"dry{suffix}", (*_BLOCK[:-1], _width(spec))),
            plan.tensor(f"wet{suffix}", _BLOCK), *states)


def _width(spec: NetworkSpec) -> int:
    return spec.layer_input_sizes[0]


def _main(spec: NetworkSpec) -> GraphPlan:
    plan, h, layers = GraphPlan(), spec.hidden_size, range(spec.num_layers)
    dry = plan.tensor("dry", _BLOCK)
    heard = plan.bends("front", spec.front, dry)
    kept = [plan.variable(f"kept{layer}", (h, 1)) for layer in layers]
    before = [plan.step("RESHAPE", (kept[layer], plan.constant(f"row{layer}", (1, 1, h))),
                        plan.tensor(f"before{layer}", (1, 1, h))) for layer in layers]
    after = _operands(plan, spec, "_after")
    # The wet block may begin as anything: every sample of it is written.
    plan.step("WHILE", (plan.constant("first", [0]), heard, dry, *before), *after,
              cond_subgraph_index=1, body_subgraph_index=2)
    for layer, state in zip(layers, after[3:], strict=True):
        column = plan.step("RESHAPE", (state, plan.constant(f"column{layer}", (h, 1, 1))),
                           plan.tensor(f"column{layer}/state", (h, 1, 1)))
        one, nothing = (plan.constant(f"store{layer}/{name}", [[value]], np.float32)
                        for name, value in (("one", 1), ("nothing", 0)))
        plan.step("UNIDIRECTIONAL_SEQUENCE_RNN",
                  (column, one, nothing, plan.constant(f"store{layer}/bias", [0], np.float32), kept[layer]),
                  plan.tensor(f"stored{layer}", (h, 1, 1)), time_major=0, fused_activation_function=0,
                  asymmetric_quantize_inputs=0)
    answer = after[2]
    if spec.skip:
        answer = plan.elementwise("ADD", "answer", answer, dry)
    plan.inputs, plan.outputs = (dry,), (answer,)
    return plan


def _condition(spec: NetworkSpec) -> GraphPlan:
    plan = GraphPlan()
    plan.inputs = _operands(plan, spec)
    shape = plan.step("SHAPE", (plan.inputs[1],), plan.tensor("shape", (3,), np.int32), out_type=2)
    samples = plan.step("GATHER", (shape, plan.constant("axis", [1])), plan.tensor("samples", (1,), np.int32), axis=0,
                        batch_dims=0)
    plan.outputs = (plan.step("LESS", (plan.inputs[0], samples), plan.tensor("goes on", (1,), np.bool_)),)
    return plan


def _body(spec: NetworkSpec) -> GraphPlan:
    plan = GraphPlan()
    plan.inputs = _operands(plan, spec)
    sample, dry, wet, *states = plan.inputs
    signal = plan.step("GATHER", (dry, sample), plan.tensor("x", (1, 1, _width(spec))), axis=1, batch_dims=0)
    after = []
    for layer, state in enumerate(states):
        signal = _CELLS[spec.kind.cell](plan, spec, layer, signal, state)
        after.append(signal)
    signal = plan.bends("head", spec.head, signal)
    kernel, bias = plan.weight(HEAD_KERNEL, (1, spec.sum_inputs)), plan.weight(HEAD_BIAS, (1,))
    head = plan.dense("head", signal, kernel, bias, 1)
    zero = plan.constant("zero", [0])
    place = plan.step("CONCATENATION", (zero, sample, zero), plan.tensor("place", (3,), np.int32), axis=0,
                      fused_activation_function=0)
    longer = plan.step("DYNAMIC_UPDATE_SLICE", (wet, head, place), plan.tensor("wet_next", _BLOCK))
    following = plan.step("ADD", (sample, plan.constant("one", [1])), plan.tensor("sample_next", (1,), np.int32),
                          fused_activation_function=0)
    plan.outputs = (following, dry, longer, *after)
    return plan


def _layer_weights(plan: GraphPlan, spec: NetworkSpec, layer: int) -> tuple[str, str, list[str]]:
    """Kernel and recurrent kernel, (outputs, inputs) as TFLite wants them, and one or two biases."""
    rows = len(spec.kind.gates) * spec.hidden_size
    kernel = plan.weight(weight_name(layer, "kernel"), (rows, spec.layer_input_sizes[layer]))
    recurrent = plan.weight(weight_name(layer, "recurrent_kernel"), (rows, spec.hidden_size))
    return kernel, recurrent, [plan.weight(weight_name(layer, f"bias_{row}"), (rows,))
                               for row in range(spec.kind.bias_rows)]


def _gru(plan: GraphPlan, spec: NetworkSpec, layer: int, signal: str, state: str) -> str:
    h, name = spec.hidden_size, f"layer{layer}"
    kernel, recurrent, (input_bias, state_bias) = _layer_weights(plan, spec, layer)
    heard = plan.dense(f"{name}/heard", signal, kernel, input_bias, 3 * h)
    recalled = plan.dense(f"{name}/recalled", state, recurrent, state_bias, 3 * h)
    sizes = (2 * h, h)
    heard_gates, heard_candidate = plan.split(name, heard, ("heard_gates", "heard_candidate"), sizes)
    recalled_gates, recalled_candidate = plan.split(name, recalled, ("recalled_gates", "recalled_candidate"), sizes)
    sums = plan.elementwise("ADD", f"{name}/sums", heard_gates, recalled_gates)
    gates = plan.elementwise("LOGISTIC", f"{name}/gates", sums)
    update, reset = plan.split(name, gates, ("update", "reset"), (h, h))
    let_through = plan.elementwise("MUL", f"{name}/let_through", reset, recalled_candidate)
    candidate = plan.elementwise("TANH", f"{name}/candidate", plan.elementwise(
        "ADD", f"{name}/candidate_sum", let_through, heard_candidate))
    # z h + (1 - z) n, with one product: n + z (h - n).
    step = plan.elementwise("SUB", f"{name}/step", state, candidate)
    held = plan.elementwise("MUL", f"{name}/held", update, step)
    return plan.elementwise("ADD", f"{name}/state_next", held, candidate)


def _rnn(plan: GraphPlan, spec: NetworkSpec, layer: int, signal: str, state: str) -> str:
    h, name = spec.hidden_size, f"layer{layer}"
    kernel, recurrent, (bias,) = _layer_weights(plan, spec, layer)
    heard = plan.dense(f"{name}/heard", signal, kernel, bias, h)
    recalled = plan.dense(f"{name}/recalled", state, recurrent, plan.constant(f"{name}/no_bias", [0] * h, np.float32),
                          h)
    return plan.elementwise("TANH", f"{name}/state_next",
                            plan.elementwise("ADD", f"{name}/sum", heard, recalled))


_CELLS = {"gru": _gru, "rnn": _rnn}
"""By cell: adds a layer's step to the body, returns its new state."""
