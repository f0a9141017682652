"""The compiled training kernels are Keras's layers, and training does without them where they cannot be built."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from neuralpedal.contract.pair import read_pair
from neuralpedal.contract.spec import make_spec
from neuralpedal.train.dataset import split_pair
from neuralpedal.train.native import kernel as kernel_module
from neuralpedal.train.native.kernel import RecurrentKernel
from neuralpedal.train.native.layout import layer_layout
from neuralpedal.train.native.library import KernelUnavailableError
from neuralpedal.train.native.recurrent_op import native_recurrent
from neuralpedal.train.networks.model_file import build_model
from neuralpedal.train.recipe import read_recipe
from neuralpedal.train.trainer import Trainer

pytestmark = pytest.mark.usefixtures("c_compiler")

LAYERS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}
# Units, inputs, batch: below, at and beyond sixteen streams; units odd, even, and in blocks of four with a rest.
SIZES = [(1, 1, 3), (2, 3, 17), (7, 5, 20), (9, 9, 1), (16, 1, 32), (32, 16, 16), (48, 48, 5)]
STEPS = 37
"""Two whole blocks of the steps that the C code takes together, and a rest."""

Arrays = list[np.ndarray]


def _draw_arguments(cell: str, units: int, inputs: int, batch: int, head: bool) -> Arrays:
    """x, states (not zero), kernel, recurrent kernel, bias and perhaps a head."""
    rng = np.random.default_rng(units)
    shapes = list(layer_layout(cell, inputs, units).shapes(head, batch, STEPS))
    # Matrices that keep a signal's size, lest rounding grow from step to step.
    scales = {name: shape[0] ** -0.5 if "kernel" in name else 0.5 for name, shape in shapes}
    return [rng.normal(0, scales[name], shape).astype(np.float32) for name, shape in shapes]


def _draw_targets(cell: str, units: int, batch: int, head: bool) -> Arrays:
    rng = np.random.default_rng(units + 1)
    shapes = [(batch, STEPS, 1 if head else units), *[(batch, units)] * layer_layout(cell, 1, units).state_arrays]
    return [rng.normal(0, 0.5, shape).astype(np.float32) for shape in shapes]


def _outputs_and_gradients(run, arguments: Arrays, targets: Arrays, dtype: tf.DType):  # type: ignore[no-untyped-def]
    """What ``run`` returns, and the gradients of its squared distance to ``targets`` by every argument."""
    sources = [tf.constant(array, dtype) for array in arguments]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        outputs = run(*sources)
        loss = tf.add_n([tf.reduce_sum(tf.square(o - tf.cast(t, dtype))) for o, t in
                         zip(outputs, targets, strict=True)])
    return list(outputs), tape.gradient(loss, sources)


def _keras_in_float64(cell: str, units: int, head: bool):  # type: ignore[no-untyped-def]
    """Keras's own cell, step by step, as a function of the arguments of a kernel."""
    keras_cell = LAYERS[cell](units, dtype="float64").cell
    state_arrays = layer_layout(cell, 1, units).state_arrays

    def run(x: tf.Tensor, *rest: tf.Tensor) -> list[tf.Tensor]:
        states = list(rest[:state_arrays])
        # Not assigned but replaced: a variable's gradient would not be the argument's.
        keras_cell.built = True
        kernel, recurrent, bias = rest[state_arrays : state_arrays + 3]
        vars(keras_cell).update({"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias})
        hidden = []
        for t in range(x.shape[1]):
            output, states = keras_cell.call(x[:, t], states)
            states = list(states) if isinstance(states, (list, tuple)) else [states]
            hidden.append(output)
        stacked = tf.stack(hidden, axis=1)
        return [stacked @ rest[-1] if head else stacked, *states]

    return run


def _close(ours: list[tf.Tensor], theirs: list[tf.Tensor], tolerance: float) -> None:
    """Equal to ``tolerance`` of the largest value; float32 functions near 1 are exact to 1e-7, whatever their use."""
    for found, wanted in zip(ours, theirs, strict=True):
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, atol=tolerance * max(0.1, float(np.max(np.abs(wanted)))), rtol=0)


@pytest.mark.parametrize("head", [False, True], ids=["hidden", "head"])
@pytest.mark.parametrize(("units", "inputs", "batch"), SIZES)
@pytest.mark.parametrize("cell", LAYERS)
def test_outputs_states_and_all_gradients_equal_keras_in_float64(
    cell: str, units: int, inputs: int, batch: int, head: bool
) -> None:
    arguments, targets = _draw_arguments(cell, units, inputs, batch, head), _draw_targets(cell, units, batch, head)
    ours = _outputs_and_gradients(native_recurrent(cell, inputs, units), arguments, targets, tf.float32)
    theirs = _outputs_and_gradients(_keras_in_float64(cell, units, head), arguments, targets, tf.float64)
    _close(ours[0], theirs[0], 2e-6)
    _close(ours[1], theirs[1], 5e-6)


@pytest.mark.parametrize("cell", LAYERS)
def test_outputs_equal_a_whole_keras_layer(cell: str) -> None:
    x, *states, kernel, recurrent, bias = _draw_arguments(cell, 6, 2, 4, head=False)
    layer = LAYERS[cell](6, return_sequences=True, return_state=True)
    layer.build((None, None, 2))
    layer.set_weights([kernel, recurrent, bias])
    ours = native_recurrent(cell, 2, 6)(x, *states, kernel, recurrent, bias)
    _close(list(ours), list(layer(x, initial_state=states)), 2e-6)


@pytest.mark.parametrize("cell", LAYERS)
def test_extreme_inputs_saturate_instead_of_becoming_infinite(cell: str) -> None:
    _, *states, kernel, recurrent, bias = _draw_arguments(cell, 4, 1, 1, head=False)
    x = np.array([[[1e4], [-1e4], [3e38], [-3e38], [0.0]]], np.float32)
    arguments = [x, *states, kernel, recurrent, bias]
    wanted = _keras_in_float64(cell, 4, head=False)(*(tf.constant(array, tf.float64) for array in arguments))
    _close(list(native_recurrent(cell, 1, 4)(*arguments)), wanted, 2e-6)


@pytest.mark.parametrize("cell", LAYERS)
def test_a_sequence_in_two_parts_equals_one(cell: str) -> None:
    x, *rest = _draw_arguments(cell, 5, 1, 18, head=True)
    op, state_arrays = native_recurrent(cell, 1, 5), layer_layout(cell, 1, 5).state_arrays
    whole, *last = op(x, *rest)
    first, *between = op(x[:, :11], *rest)
    second, *last_of_parts = op(x[:, 11:], *between, *rest[state_arrays:])
    np.testing.assert_array_equal(tf.concat([first, second], axis=1), whole)
    for found, wanted in zip(last_of_parts, last, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_whole_model_is_the_same_with_and_without_the_kernel() -> None:
    keras.utils.set_random_seed(5)
    model = build_model(make_spec(hidden_size=12, num_layers=2))
    x = tf.constant(np.random.default_rng(1).normal(0, 0.5, (20, 200, 1)), tf.float32)
    states = model.zero_states(20)
    plain, plain_states = model.stream(x, states)
    model.use_native()
    native, native_states = model.stream(x, states)
    np.testing.assert_allclose(native, plain, atol=2e-6)
    _close(tf.nest.flatten(native_states), tf.nest.flatten(plain_states), 1e-5)


@pytest.mark.parametrize("cell", LAYERS)
def test_the_result_does_not_depend_on_which_thread_was_first(cell: str) -> None:
    kernel = RecurrentKernel(cell, 1, 16)
    arguments = _draw_arguments(cell, 16, 1, 64, head=False)

    def gradients() -> tuple[bytes, ...]:
        out, last, history = kernel.forward(*arguments)
        return tuple(array.tobytes() for array in kernel.backward(history, out, *last))

    assert len({gradients() for _ in range(5)}) == 1


@pytest.mark.parametrize("cell", LAYERS)
def test_two_threads_give_the_bits_of_one(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, arguments = RecurrentKernel(cell, 1, 7), _draw_arguments(cell, 7, 1, 40, head=True)

    def everything() -> list[bytes]:
        out, last, history = kernel.forward(*arguments)
        return [array.tobytes() for array in (out, *last, *kernel.backward(history, out, *last))]

    side_by_side = everything()
    monkeypatch.setattr(kernel_module, "on_all_cores", lambda run, groups: [run(group) for group in range(groups)])
    assert everything() == side_by_side


@pytest.mark.parametrize("cell", LAYERS)
def test_memory_of_an_earlier_pass_leaves_no_trace(cell: str) -> None:
    fresh, used = RecurrentKernel(cell, 1, 6), RecurrentKernel(cell, 1, 6)
    arguments = _draw_arguments(cell, 6, 1, 20, head=True)
    out, last, history = used.forward(*(array * 3 for array in arguments))
    used.backward(history, out, *last)
    results = []
    for kernel in (fresh, used):
        out, last, history = kernel.forward(*arguments)
        results.append([array.tobytes() for array in (out, *last, *kernel.backward(history, out, *last))])
    assert results[0] == results[1]


def test_a_history_serves_one_backward_pass() -> None:
    kernel = RecurrentKernel("rnn", 1, 3)
    out, last, history = kernel.forward(*_draw_arguments("rnn", 3, 1, 2, head=False))
    kernel.backward(history, out, *last)
    with pytest.raises(ValueError, match="used up"):
        kernel.backward(history, out, *last)


@pytest.mark.parametrize("cell", LAYERS)
def test_a_missing_argument_is_named_instead_of_read(cell: str) -> None:
    arguments = _draw_arguments(cell, 3, 1, 2, head=False)
    for call in (native_recurrent(cell, 1, 3), RecurrentKernel(cell, 1, 3).forward):
        with pytest.raises(ValueError, match=f"{cell}.* {len(arguments) - 1} arguments, wanted .*bias"):
            call(*arguments[:-1])


@pytest.mark.parametrize(("cell", "index", "shape", "message"), [
    ("gru", -1, (9,), r"bias has shape \(9,\), wanted \(2, 9\)"),
    ("lstm", -1, (2, 12), r"bias has shape \(2, 12\), wanted \(12,\)"),
    ("rnn", 0, (2, 5, 2), r"x has shape \(2, 5, 2\), wanted \(2, 5, 1\)"),
    ("lstm", 2, (1, 3), r"state 1 has shape \(1, 3\), wanted \(2, 3\)"),
    ("gru", -2, (9, 3), r"recurrent kernel has shape \(9, 3\), wanted \(3, 9\)"),
])
def test_a_wrong_shape_is_named_with_the_wanted_one(cell: str, index: int, shape: tuple[int, ...],
                                                   message: str) -> None:
    arguments = _draw_arguments(cell, 3, 1, 2, head=False)
    arguments[index] = np.zeros(shape, np.float32)
    for call in (native_recurrent(cell, 1, 3), RecurrentKernel(cell, 1, 3).forward):
        with pytest.raises(ValueError, match=message):
            call(*arguments)


def test_sizes_beyond_the_limit_are_refused() -> None:
    for inputs, units in ((1, 97), (97, 1)):
        with pytest.raises(KernelUnavailableError, match="97"):
            RecurrentKernel("lstm", inputs, units)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with nothing in it, and no op remembered."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    native_recurrent.cache_clear()
    return tmp_path


def _compiler_that(folder: Path, edits: str) -> str:
    """A C compiler that changes the source by a sed expression before it compiles."""
    script = folder / "cc"
    script.write_text(f'#!/bin/sh\nfor a; do case $a in *.c) sed -i "{edits}" "$a";; esac; done\nexec cc "$@"\n')
    script.chmod(0o755)
    return str(script)


def _kernel_of_a_new_training(pair_paths: tuple[Path, Path]) -> str:
    recipe = read_recipe(None, epochs=1, hidden_size=3, streams=4, chunk_samples=256, warm_up_samples=16)
    trainer = Trainer(recipe, recipe.network(48_000), split_pair(read_pair(*pair_paths), 0.1), "dry.wav")
    trainer.run(lambda progress: None, lambda state: None)
    return trainer.kernel


def test_without_a_compiler_training_goes_on_with_tensorflow(
    empty_cache: Path, pair_paths: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", str(empty_cache / "no-such-compiler"))
    assert _kernel_of_a_new_training(pair_paths).startswith("tensorflow (the training kernel cannot be built")


@pytest.mark.parametrize("cell", LAYERS)
def test_without_a_compiler_no_kernel_is_made(cell: str, empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", str(empty_cache / "no-such-compiler"))
    with pytest.raises(KernelUnavailableError, match="cannot be built"):
        native_recurrent(cell, 1, 3)


def test_a_compiler_that_fails_is_quoted(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", _compiler_that(empty_cache, "s/lanes/lames/"))
    with pytest.raises(KernelUnavailableError, match=r"failed: .*error"):
        RecurrentKernel("lstm", 1, 3)
    assert not list(empty_cache.rglob("*.so"))


def test_a_kernel_that_computes_something_else_is_not_trusted(
    empty_cache: Path, pair_paths: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", _compiler_that(empty_cache, "s/f = logistic(gate_sum(sums.1.))/f = logistic(sums[0])/"))
    assert "does not compute the equations of lstm" in _kernel_of_a_new_training(pair_paths)


@pytest.mark.parametrize(("cell", "edits"), [
    ("gru", "s/r, sums.3./r, sums[2]/"),
    ("rnn", "s/tangent(sums/logistic(sums/"),
])
def test_every_cell_is_checked_before_it_is_trusted(
    cell: str, edits: str, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", _compiler_that(empty_cache, edits))
    with pytest.raises(KernelUnavailableError, match=f"equations of {cell}"):
        native_recurrent(cell, 1, 3)


def test_a_damaged_library_in_the_cache_is_built_again(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RecurrentKernel("gru", 1, 3)
    sound = next(empty_cache.rglob("*.so"))
    # In another cache, as after a power cut; the system would not open the path of a loaded library again.
    monkeypatch.setenv("XDG_CACHE_HOME", str(empty_cache / "other"))
    damaged = empty_cache / "other" / sound.relative_to(empty_cache)
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"\x7fELF but no more")
    RecurrentKernel("gru", 1, 3)
    assert damaged.stat().st_size > 1000


@pytest.mark.parametrize("header", ["vector.h", "recurrent_layer.h"])
def test_a_library_made_with_an_older_header_is_not_used(
    header: str, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RecurrentKernel("rnn", 1, 3)
    read_text = Path.read_text

    def edited(path: Path, *args: str, **kwargs: str) -> str:
        return read_text(path, *args, **kwargs) + ("/* edited */" if path.name == header else "")

    monkeypatch.setattr(Path, "read_text", edited)
    RecurrentKernel("rnn", 1, 3)
    assert len(list(empty_cache.rglob("*.so"))) == 2


def test_a_cache_that_cannot_be_written_is_no_disaster(
    tmp_path: Path, pair_paths: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    native_recurrent.cache_clear()
    assert _kernel_of_a_new_training(pair_paths).startswith("tensorflow")
