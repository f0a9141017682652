"""Networks and weights: impossible ones are refused by field, sizes are counted, digests tell networks apart."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.spec import FAMILIES, NetworkSpec, make_spec
from neuralpedal.contract.weights import NetworkWeights, RecurrentWeights, random_weights

specs = st.sampled_from(sorted(FAMILIES)).flatmap(lambda family: st.builds(
    NetworkSpec, family=st.just(family), hidden_size=st.integers(1, 20), num_layers=st.integers(1, 2),
    skip=st.booleans(), frame_samples=st.integers(2, 9) if FAMILIES[family].has_frame else st.none()))


@pytest.mark.parametrize(("field", "value"), [
    ("hidden_size", 0), ("hidden_size", 1025), ("hidden_size", 2.5), ("hidden_size", "many"), ("num_layers", 0),
    ("num_layers", 3), ("sample_rate_hz", 7999), ("sample_rate_hz", 384_001), ("skip", "perhaps"), ("skip", None),
    ("family", "organ"), ("family", 3),
])
def test_an_impossible_field_is_refused_with_its_name_and_what_was_found(field, value):
    with pytest.raises(SpecError) as caught:
        make_spec(**{field: value})
    assert str(caught.value).startswith(f"network: {field}: ")
    assert repr(value) in str(caught.value)


def test_an_unknown_field_is_refused_by_name():
    with pytest.raises(SpecError, match="network: dropout"):
        make_spec(dropout=0.1)


def test_an_unknown_family_is_told_the_known_ones():
    with pytest.raises(SpecError, match="'organ' is not one of lstm, gru, rnn, frame_lstm"):
        make_spec(family="organ")


def test_further_complaints_are_counted():
    with pytest.raises(SpecError, match=r"hidden_size.*; and 2 more"):
        make_spec(hidden_size=0, num_layers=0, sample_rate_hz=0)


@pytest.mark.parametrize(("field", "value"), [("hidden_size", 1), ("hidden_size", 1024), ("num_layers", 2),
                                              ("sample_rate_hz", 8000), ("sample_rate_hz", 384_000)])
def test_the_limits_themselves_are_allowed(field, value):
    assert getattr(make_spec(**{field: value}), field) == value


def test_the_label_names_family_layers_and_size():
    assert make_spec(hidden_size=24, num_layers=2).label == "lstm 2×24"


def test_the_second_layer_reads_the_first():
    assert make_spec(hidden_size=5, num_layers=1).layer_input_sizes == (1,)
    assert make_spec(hidden_size=5, num_layers=2).layer_input_sizes == (1, 5)


def test_one_layer_of_16_units_has_1169_parameters():
    # 4·16·(1 + 16 + 1) + 16 + 1
    assert make_spec(hidden_size=16).num_parameters == 1169


def test_a_frame_belongs_to_families_that_have_one():
    assert make_spec(family="frame_lstm", frame_samples=64).label == "frame_lstm 1×16/64"
    with pytest.raises(SpecError, match="frame_lstm needs frame_samples"):
        make_spec(family="frame_lstm")
    with pytest.raises(SpecError, match=r"gru carries its state on and has no frame_samples \(found 64\)"):
        make_spec(family="gru", frame_samples=64)


def test_parameters_of_every_family_are_those_of_keras():
    # Keras: GRU(5) on one input 3·5·(1 + 5 + 2), SimpleRNN(5) 5·(1 + 5 + 1); head 6.
    assert make_spec(family="gru", hidden_size=5).num_parameters == 126
    assert make_spec(family="rnn", hidden_size=5).num_parameters == 41
    assert (make_spec(family="frame_lstm", frame_samples=32, hidden_size=5).num_parameters
            == make_spec(hidden_size=5).num_parameters)


@given(specs)
def test_num_parameters_is_the_number_of_weights(spec):
    assert spec.num_parameters == sum(array.size for array in random_weights(spec, seed=0).arrays())


@given(specs, st.integers(0, 2**32 - 1))
def test_random_weights_depend_on_the_seed_alone(spec, seed):
    assert random_weights(spec, seed).digest() == random_weights(spec, seed).digest()
    assert random_weights(spec, seed).digest() != random_weights(spec, seed + 1).digest()


def rebuilt(weights: NetworkWeights, arrays: list[Any], spec: NetworkSpec | None = None) -> NetworkWeights:
    layers = tuple(RecurrentWeights(*arrays[3 * index : 3 * index + 3]) for index in range(len(weights.layers)))
    return NetworkWeights(spec or weights.spec, layers, *arrays[-2:])


@given(specs, st.data())
def test_one_changed_weight_changes_the_digest(spec, data):
    weights = random_weights(spec, seed=3)
    arrays = [array.copy() for array in weights.arrays()]
    changed = arrays[data.draw(st.integers(0, len(arrays) - 1))].reshape(-1)
    place = data.draw(st.integers(0, len(changed) - 1))
    changed[place] = np.nextafter(changed[place], np.float32(np.inf))
    assert rebuilt(weights, arrays).digest() != weights.digest()


def test_the_skip_connection_changes_the_digest_and_the_memory_layout_does_not():
    weights = random_weights(make_spec(hidden_size=4, num_layers=2), seed=0)
    arrays = list(weights.arrays())
    assert rebuilt(weights, [np.asfortranarray(array) for array in arrays]).digest() == weights.digest()
    assert rebuilt(weights, arrays, weights.spec.model_copy(update={"skip": False})).digest() != weights.digest()


@given(specs, st.data())
def test_an_array_of_the_wrong_shape_is_refused(spec, data):
    weights = random_weights(spec, seed=0)
    arrays = list(weights.arrays())
    place = data.draw(st.integers(0, len(arrays) - 1))
    arrays[place] = np.zeros((*arrays[place].shape[:-1], arrays[place].shape[-1] + 1), np.float32)
    with pytest.raises(SpecError, match="has shape"):
        rebuilt(weights, arrays)


def test_a_transposed_kernel_is_refused_by_name_with_both_shapes():
    weights = random_weights(make_spec(hidden_size=3), seed=0)
    arrays = list(weights.arrays())
    with pytest.raises(SpecError, match=r"layer 0 recurrent kernel has shape \(12, 3\), wanted \(3, 12\) for lstm 1×3"):
        rebuilt(weights, [arrays[0], arrays[1].T, *arrays[2:]])


def test_a_missing_layer_is_refused():
    weights = random_weights(make_spec(hidden_size=3, num_layers=2), seed=0)
    with pytest.raises(SpecError, match="1 layers of weights, but the spec says 2"):
        replace(weights, layers=weights.layers[:1])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", range(8))
def test_a_weight_that_is_no_number_is_refused(place, value):
    weights = random_weights(make_spec(hidden_size=3, num_layers=2), seed=0)
    arrays = [array.copy() for array in weights.arrays()]
    arrays[place].reshape(-1)[-1] = value
    with pytest.raises(ModelFileError, match="holds NaN or infinity"):
        rebuilt(weights, arrays)


@given(specs)
def test_the_gates_side_by_side_are_the_whole_layer(spec):
    for layer in random_weights(spec, seed=0).layers:
        kernels, recurrents, biases = zip(*(layer.gate(index) for index in range(len(spec.kind.gates))), strict=True)
        np.testing.assert_array_equal(np.concatenate(kernels, axis=1), layer.kernel)
        np.testing.assert_array_equal(np.concatenate(recurrents, axis=1), layer.recurrent_kernel)
        np.testing.assert_array_equal(np.concatenate(biases, axis=-1), layer.bias)


def test_random_weights_leave_the_forget_gate_open():
    weights = random_weights(make_spec(hidden_size=64), seed=0)
    biases = [float(np.mean(weights.layers[0].gate(index)[2])) for index in range(4)]
    assert FAMILIES["lstm"].gates[int(np.argmax(biases))] == "forget"
    assert biases[1] == pytest.approx(1.0, abs=0.2)
