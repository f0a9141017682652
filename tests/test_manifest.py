"""The manifest: what comes back, what an older reader must refuse, and that damage has one name."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from neuralpedal.contract.errors import ModelFileError
from neuralpedal.contract.integer_format import IntegerFormat, LayerFormat
from neuralpedal.contract.manifest import FORMAT_VERSION, SCHEMES, Manifest, decode_manifest, encode_manifest
from neuralpedal.contract.spec import NetworkSpec

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4), max_leaves=10)


FORMATS = IntegerFormat(input_fraction_bits=15, output_fraction_bits=14, output_guard_bits=8,
                        layers=(LayerFormat(gate_fraction_bits=20, cell_fraction_bits=27),))


def manifest(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "name": "Süper Drive", "scheme": "w8", "network": NetworkSpec(hidden_size=8, sample_rate_hz=44_100),
        "input_gain_db": -3.5, "output_gain_db": 6.0, "esr_wet": 0.0123, "esr_float": 4.5e-7,
        "provenance": {"weights_sha256": "ab" * 32},
    }
    return Manifest(**{**fields, **changes})


def as_dict() -> dict[str, Any]:
    fields = json.loads(encode_manifest(manifest()))
    assert isinstance(fields, dict)
    return fields


def decode(fields: Any) -> Manifest:
    return decode_manifest(json.dumps(fields).encode(), "pedal.tflite")


def decodes_or_is_refused(data: bytes) -> None:
    try:
        assert isinstance(decode_manifest(data, "pedal.tflite"), Manifest)
    except ModelFileError as error:
        assert str(error).startswith("pedal.tflite: ")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("measured", [0.01, None])
def test_a_manifest_comes_back_as_it_was_written(scheme, measured):
    written = manifest(scheme=scheme, esr_wet=measured, integer_format=FORMATS if scheme == "w8a16" else None)
    assert decode_manifest(encode_manifest(written), "pedal.tflite") == written


def test_the_sample_rate_stands_at_the_top_for_readers_that_know_nothing_else():
    assert as_dict()["sample_rate_hz"] == 44_100
    assert manifest().sample_rate_hz == 44_100


def test_a_newer_format_is_refused_naming_both_versions():
    newer = FORMAT_VERSION + 1
    with pytest.raises(ModelFileError, match=rf"pedal\.tflite: .* {newer}, .*up to {FORMAT_VERSION}; upgrade"):
        decode({**as_dict(), "format_version": newer})


def test_a_newer_format_is_refused_even_when_nothing_else_is_known():
    with pytest.raises(ModelFileError, match="upgrade neuralpedal"):
        decode({"format_version": FORMAT_VERSION + 7})


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, None, [1]])
def test_a_format_version_that_is_no_positive_integer_is_refused(version):
    with pytest.raises(ModelFileError, match="wanted an integer from 1"):
        decode({**as_dict(), "format_version": version})


def test_unknown_fields_are_ignored():
    assert decode({**as_dict(), "colour": "orange", "knobs": {"drive": 7}}) == manifest()


@pytest.mark.parametrize("field", ["name", "scheme", "network", "format_version"])
def test_a_missing_field_is_refused_by_name(field):
    fields = as_dict()
    del fields[field]
    with pytest.raises(ModelFileError, match=field):
        decode(fields)


@pytest.mark.parametrize("field", ["input_gain_db", "output_gain_db", "esr_wet", "esr_float", "provenance"])
def test_what_a_manifest_need_not_say_has_a_default(field):
    fields = as_dict()
    del fields[field]
    assert getattr(decode(fields), field) == Manifest.model_fields[field].get_default(call_default_factory=True)


@pytest.mark.parametrize(("field", "value"), [
    ("name", 7), ("name", ""), ("name", "x" * 201), ("name", None), ("scheme", None), ("scheme", 8), ("network", []),
    ("network", "lstm"), ("network", None), ("input_gain_db", "loud"), ("input_gain_db", 60.1),
    ("output_gain_db", -61), ("output_gain_db", float("nan")), ("esr_wet", {}), ("esr_float", 10**400),
    ("provenance", ["sha"]), ("provenance", {"sha": 1}),
])
def test_a_field_of_the_wrong_type_or_size_is_refused_by_name(field, value):
    with pytest.raises(ModelFileError, match=rf"pedal\.tflite: manifest: {field}"):
        decode({**as_dict(), field: value})


@pytest.mark.parametrize(("field", "value"), [
    ("hidden_size", 0), ("num_layers", 9), ("sample_rate_hz", 10), ("family", "organ"), ("skip", "maybe"),
    ("dilations", [1, 2]),
])
def test_a_network_that_cannot_be_is_refused_by_field(field, value):
    fields = as_dict()
    fields["network"][field] = value
    with pytest.raises(ModelFileError, match=rf"network\.{field}"):
        decode(fields)


def test_w8a16_without_its_integer_format_is_refused():
    with pytest.raises(ModelFileError, match=r"pedal\.tflite: scheme w8a16 without integer_format"):
        decode({**as_dict(), "scheme": "w8a16"})


@pytest.mark.parametrize(("field", "value"), [
    ("input_fraction_bits", 16), ("input_fraction_bits", -1), ("output_fraction_bits", 25), ("output_guard_bits", 9),
    ("output_guard_bits", 1.5), ("layers", []), ("layers", 7), ("layers", [{"gate_fraction_bits": 20}]),
    ("layers", [{"gate_fraction_bits": 21, "cell_fraction_bits": 20}]), ("rounding", "odd"),
    ("layers", [{"gate_fraction_bits": 20, "cell_fraction_bits": 28}]),
])
def test_an_integer_format_that_cannot_be_is_refused_by_field(field, value):
    fields = json.loads(encode_manifest(manifest(scheme="w8a16", integer_format=FORMATS)))
    fields["integer_format"][field] = value
    with pytest.raises(ModelFileError, match=rf"manifest: integer_format\.{field}"):
        decode(fields)


def test_other_schemes_do_not_mention_integer_formats():
    assert "integer_format" not in as_dict()


def test_an_unknown_scheme_is_refused_with_the_known_ones():
    with pytest.raises(ModelFileError, match="scheme 'w4' is not one of float32, w8, w8a16, tflm16x8, w8a8"):
        decode({**as_dict(), "scheme": "w4"})


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"null", b"[]", b"7", b'"text"', b"[" * 100_000,
                                  b"1" * 5000, encode_manifest(manifest())[:-1]])
def test_what_is_not_a_json_object_is_refused_by_file(data):
    with pytest.raises(ModelFileError, match=r"pedal\.tflite: its manifest"):
        decode_manifest(data, "pedal.tflite")


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_with_a_model_file_error(data):
    with pytest.raises(ModelFileError):
        decode_manifest(data, "pedal.tflite")


@given(json_values)
def test_arbitrary_json_is_refused_with_a_model_file_error(value):
    with pytest.raises(ModelFileError):
        decode_manifest(json.dumps(value).encode(), "pedal.tflite")


@given(st.sampled_from(sorted(as_dict())), json_values)
@example("name", "\ud800")
@example("scheme", "\ud800")
@example("format_version", 10**400)
def test_a_field_replaced_by_arbitrary_json_reads_or_raises_a_model_file_error(field, value):
    decodes_or_is_refused(json.dumps({**as_dict(), field: value}).encode())


@given(st.sampled_from(sorted(NetworkSpec.model_fields)), json_values)
def test_a_network_field_replaced_by_arbitrary_json_reads_or_raises_a_model_file_error(field, value):
    fields = as_dict()
    fields["network"][field] = value
    decodes_or_is_refused(json.dumps(fields).encode())


@given(st.data())
def test_damaged_manifest_bytes_read_or_raise_a_model_file_error(data):
    damaged = bytearray(encode_manifest(manifest()))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    decodes_or_is_refused(bytes(damaged))


def test_a_network_that_leaves_something_to_defaults_is_refused():
    fields = as_dict()
    del fields["network"]["sample_rate_hz"]
    with pytest.raises(ModelFileError, match=r"pedal\.tflite: its manifest's network lacks sample_rate_hz"):
        decode(fields)
