"""Fine-tuning in the arithmetic of an integer file: better than rounding, never worse, and on the builders' grid."""

import shutil

import numpy as np
import pytest

from neuralpedal.contract.arithmetic import Arithmetic, Grid, LayerArithmetic
from neuralpedal.contract.errors import RecordingError, TrainingError
from neuralpedal.contract.reference import ReferenceNetwork
from neuralpedal.contract.spec import make_spec
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.convert.weight_quantization import quantize_per_channel, quantize_per_matrix
from neuralpedal.train.finetuning import Budget, TuningHistory, finetune
from signals import plucks

pytestmark = pytest.mark.usefixtures("c_compiler")

STEP = 2.0**-5
SIGNAL = Grid(STEP, -1.0, 1.0 - STEP)
COARSE = Arithmetic("gate", (LayerArithmetic(Grid(2.0**-12, -8.0, 8.0), Grid(2.0**-10, -16.0, 16.0), SIGNAL),),
                    input=Grid(2.0**-7, -1.0, 1.0), output=Grid(2.0**-8, -2.0, 2.0))
"""Six-bit hidden states: rounding alone loses much."""


@pytest.fixture(scope="module")
def weights() -> NetworkWeights:
    return random_weights(make_spec(hidden_size=4, skip=True, sample_rate_hz=8000), seed=3)


@pytest.fixture(scope="module")
def lesson(weights: NetworkWeights) -> tuple[np.ndarray, np.ndarray]:
    """Dry audio and what the float network makes of it."""
    dry = plucks(1.0, seed=4)
    return dry, ReferenceNetwork(weights).process(dry).astype(np.float32)


@pytest.fixture(scope="module")
def tuned(weights: NetworkWeights, lesson: tuple[np.ndarray, np.ndarray]) -> tuple[NetworkWeights, TuningHistory]:
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    return finetune(weights, COARSE, *lesson, Budget(batches=8))


def test_tuning_lowers_the_error_of_a_coarse_arithmetic(tuned: tuple[NetworkWeights, TuningHistory]) -> None:
    _, history = tuned
    assert history.esr_start > 1e-3
    assert history.esr_best < 0.7 * history.esr_start
    assert not history.interrupted


def test_the_same_seed_gives_the_same_network(weights, lesson, tuned) -> None:
    again, history = finetune(weights, COARSE, *lesson, Budget(batches=8))
    assert history.candidates == tuned[1].candidates
    assert again.digest() == tuned[0].digest()


def test_a_rate_that_ruins_everything_leaves_the_rounded_start(weights, lesson) -> None:
    kept, history = finetune(weights, COARSE, *lesson, Budget(batches=2), learning_rate=3.0)
    assert history.esr_best == history.esr_start
    assert len(history.candidates) > 1
    np.testing.assert_array_equal(kept.layers[0].bias, weights.layers[0].bias)
    for index in range(4):
        wanted = quantize_per_matrix(weights.layers[0].gate(index)[0].T).dequantized().T
        np.testing.assert_allclose(kept.layers[0].gate(index)[0], wanted, rtol=1e-6)


def test_what_comes_back_lies_on_the_grid_that_the_builders_find(tuned) -> None:
    for index in range(4):
        for matrix in tuned[0].layers[0].gate(index)[:2]:
            held = quantize_per_matrix(np.ascontiguousarray(matrix.T)).dequantized().T
            np.testing.assert_allclose(held, matrix, rtol=3e-7)
    head = tuned[0].head_kernel
    np.testing.assert_allclose(quantize_per_channel(np.ascontiguousarray(head.T)).dequantized().T, head, rtol=3e-7)


def test_ctrl_c_keeps_the_best_so_far(weights, lesson) -> None:
    def interrupt(fraction: float, best: float) -> None:
        if fraction >= 0.5:
            raise KeyboardInterrupt

    kept, history = finetune(weights, COARSE, *lesson, Budget(batches=8), watch=interrupt)
    assert history.interrupted
    assert 1 < len(history.candidates) < 9
    assert history.esr_best == min(found for _, found in history.candidates)
    assert kept.digest() != weights.digest()


def test_without_a_compiler_it_says_what_to_do(weights, lesson, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    grids = Arithmetic("gate", (LayerArithmetic(hidden=Grid(2.0**-4, -1.0, 1.0)),))
    with pytest.raises(TrainingError, match="install a C compiler"):
        finetune(weights, grids, *lesson, Budget(batches=1))


def test_frames_and_silence_are_refused(lesson) -> None:
    frames = random_weights(make_spec(family="frame_lstm", frame_samples=8, hidden_size=4), seed=0)
    with pytest.raises(TrainingError, match="is not fine-tuned"):
        finetune(frames, COARSE, *lesson, Budget(batches=1))
    with pytest.raises(RecordingError, match="silence"):
        finetune(frames, COARSE, lesson[0], np.zeros_like(lesson[1]), Budget(batches=1))
