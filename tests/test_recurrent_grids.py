"""The training kernel on the grids of an integer LSTM: rounding, clipping, and the gradients through both."""


import numpy as np
import pytest
import tensorflow as tf

from neuralpedal.contract.arithmetic import Grid, LayerArithmetic
from neuralpedal.contract.weights import RecurrentWeights
from neuralpedal.train.native.grids import NO_GRIDS, coarse_grids, grid_definitions, step_on_grids
from neuralpedal.train.native.library import KernelUnavailableError
from neuralpedal.train.native.recurrent_op import native_recurrent

pytestmark = pytest.mark.usefixtures("c_compiler")

GRIDS = LayerArithmetic(Grid(2.0**-12, -8.0, 8.0 - 2.0**-12), Grid(2.0**-13, -4.0, 4.0 - 2.0**-13),
                        Grid(0.0077, -100 * 0.0077, 155 * 0.0077))
H = 6


def _arguments(scale: float, batch: int = 100) -> list[np.ndarray]:
    """x (B, 1, 1), h, c, and weights; a large ``scale`` saturates gates and cells."""
    rng = np.random.default_rng(1)
    shapes = [(batch, 1, 1), (batch, H), (batch, H), (1, 4 * H), (H, 4 * H), (4 * H,)]
    return [rng.normal(0, scale, shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("arithmetic", [GRIDS, LayerArithmetic(hidden=GRIDS.hidden), LayerArithmetic(cell=GRIDS.cell),
                                        LayerArithmetic(gates=GRIDS.gates)], ids=["all", "hidden", "cell", "gates"])
@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_a_step_on_grids_is_numpys_but_for_a_few_values_rounded_to_the_other_side(
    arithmetic: LayerArithmetic, scale: float
) -> None:
    x, hidden, cell, *weights = _arguments(scale)
    _, *found = native_recurrent("lstm", 1, H, arithmetic)(x, hidden, cell, *weights)
    wanted = step_on_grids(RecurrentWeights(*weights), arithmetic, x[:, 0], hidden, cell)
    for ours, theirs, step in zip(found, wanted, (GRIDS.hidden.step, GRIDS.cell.step), strict=True):
        errors = np.abs(ours.numpy() - theirs)
        assert np.mean(errors > 3e-6) < 0.03
        assert errors.max() < 1.01 * step + 2.0**-11


def test_signals_lie_on_their_grids_and_within_their_ends() -> None:
    x, *rest = _arguments(4.0)
    _, hidden, cell = native_recurrent("lstm", 1, H, GRIDS)(x, *rest)
    for grid, signal in ((GRIDS.hidden, hidden.numpy()), (GRIDS.cell, cell.numpy())):
        assert np.abs(signal / grid.step - np.round(signal / grid.step)).max() < 1e-4
        assert signal.min() >= grid.low - 1e-6
        assert signal.max() <= grid.high + 1e-6
    assert cell.numpy().max() == pytest.approx(GRIDS.cell.high)


def test_without_grids_nothing_is_defined_and_the_op_is_the_plain_one() -> None:
    assert grid_definitions("lstm", NO_GRIDS) == ()
    assert grid_definitions("gru", NO_GRIDS) == ()


def test_fine_grids_change_neither_outputs_nor_gradients_to_speak_of() -> None:
    fine = Grid(2.0**-18, -8.0, 8.0)
    arguments = [tf.constant(array) for array in _arguments(0.4)]
    results = []
    for arithmetic in (NO_GRIDS, LayerArithmetic(Grid(2.0**-18, -16.0, 16.0), fine, fine)):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            out, _, _ = native_recurrent("lstm", 1, H, arithmetic)(*arguments)
            loss = tf.reduce_sum(tf.square(out))
        results.append([out, *tape.gradient(loss, arguments)])
    for plain, on_grids in zip(*results, strict=True):
        np.testing.assert_allclose(on_grids, plain, atol=2e-3)


def test_a_saturated_gate_has_no_gradient_and_an_open_one_keeps_it() -> None:
    x, hidden, cell, *weights = _arguments(0.3, batch=16)
    bias = weights[2].copy()
    bias[0], bias[H + 1] = 12.0, -12.0  # unit 0's input gate, unit 1's forget gate
    with tf.GradientTape() as tape:
        variable = tf.Variable(bias)
        out, _, _ = native_recurrent("lstm", 1, H, GRIDS)(x, hidden, cell, *weights[:2], variable)
        loss = tf.reduce_sum(out)
    slope = tape.gradient(loss, variable).numpy()
    assert slope[0] == 0.0
    assert slope[H + 1] == 0.0
    assert np.all(np.delete(slope, [0, H + 1]) != 0.0)


def test_grids_finer_than_float32_are_left_out_and_never_compiled() -> None:
    fine = Grid(2.0**-20, -2.0**11, 2.0**11)
    assert coarse_grids(LayerArithmetic(fine, GRIDS.cell, fine)) == LayerArithmetic(cell=GRIDS.cell)
    assert coarse_grids(GRIDS) == GRIDS
    with pytest.raises(KernelUnavailableError, match="steps"):
        native_recurrent("lstm", 1, 4, LayerArithmetic(fine))


def test_a_cell_without_integer_arithmetic_is_refused() -> None:
    with pytest.raises(KernelUnavailableError, match="gru"):
        native_recurrent("gru", 1, 4, GRIDS)
