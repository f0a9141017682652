"""Grids of simulated arithmetic."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neuralpedal.contract.affine import AffineCode
from neuralpedal.contract.arithmetic import Grid


@given(st.floats(-3.0, 3.0, width=32), st.integers(-128, 127), st.floats(2.0**-10, 0.1))
def test_a_grid_is_what_an_affine_code_does_to_a_sample(value: float, zero_point: int, scale: float) -> None:
    code = AffineCode(scale, zero_point)
    grid = Grid(scale, (-128 - zero_point) * scale, (127 - zero_point) * scale)
    assert abs(grid.snap(np.array([value]))[0] - code.decode(code.encode(np.array([value])))[0]) <= 1e-5


def test_halves_go_away_from_zero_and_ends_hold() -> None:
    snapped = Grid(0.5, -1.0, 0.5).snap(np.array([0.25, -0.25, 0.7, -9.0]))
    np.testing.assert_array_equal(snapped, [0.5, -0.5, 0.5, -1.0])
