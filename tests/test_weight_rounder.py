"""Joint rounding as ``convert`` shows it: how far it has come, Ctrl-C, and networks that are too large for it."""

import os
import signal

import pytest

from neuralpedal.cli.convert_command import choose_rounding
from neuralpedal.cli.weight_rounder import WeightRounder
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.weights import random_weights
from neuralpedal.convert.rounding import nearest_weights
from signals import plucks

WEIGHTS = random_weights(make_spec(family="frame_lstm", frame_samples=8, hidden_size=4), seed=1, scale=0.8)


def test_it_says_how_far_it_is_and_gives_weights_that_are_not_the_nearest() -> None:
    said: list[str] = []
    rounded = WeightRounder(said.append)(WEIGHTS, "gate", plucks(0.2), plucks(0.1, seed=3))
    assert "rounding weights together, a scale per gate, 0%" in said and len(said) >= 3
    assert rounded.digest() != nearest_weights(WEIGHTS, "gate").digest()


def test_ctrl_c_ends_rounding_alone_and_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    def press(line: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    rounded = WeightRounder(press)(WEIGHTS, "channel", plucks(0.2), plucks(0.1, seed=3))
    assert rounded.digest() == nearest_weights(WEIGHTS, "channel").digest()
    assert "stopped; the best so far is taken" in capfd.readouterr().err


@pytest.mark.parametrize(("hidden_size", "rounding"), [(64, "joint"), (96, "nearest")])
def test_networks_of_many_weights_are_rounded_to_nearest_and_that_is_said(
        hidden_size: int, rounding: str, capfd: pytest.CaptureFixture[str]) -> None:
    spec = make_spec(hidden_size=hidden_size)
    assert choose_rounding("joint", spec) == rounding
    assert ("nearest step" in capfd.readouterr().err) == (rounding == "nearest")
    assert choose_rounding("nearest", spec) == "nearest"
