"""The schemes: one row each, from weights to the bytes of a file and to the arithmetic that it stands for."""

from collections.abc import Callable
from dataclasses import dataclass, field

from neuralpedal.contract.any_network import AnyWeights
from neuralpedal.contract.arithmetic import Arithmetic
from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.integer_kernels import TFLM16X8
from neuralpedal.contract.integer_network import SCHEME as W8A16
from neuralpedal.contract.manifest import FLOAT_SCHEMES, SCHEMES, WAVENET_SCHEMES, Manifest
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.contract.wavenet_weights import WaveNetWeights
from neuralpedal.convert.audio_codes import choose_audio_code
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.clipped_ranges import clipped_ranges
from neuralpedal.convert.float_graph import build_float32, build_w8
from neuralpedal.convert.hidden_ranges import w8a8_ranges
from neuralpedal.convert.int8_graph import build_w8a8_on
from neuralpedal.convert.int16_graph import build_tflm16x8_on, choose_int16_grids
from neuralpedal.convert.integer_formats import choose_formats, measure_ranges
from neuralpedal.convert.scheme_arithmetic import (
    channel_weights,
    float_arithmetic,
    gate_weights,
    w8_arithmetic,
    w8a8_arithmetic,
    w8a16_arithmetic,
    w8a16_weights,
)
from neuralpedal.convert.source import ConversionSource
from neuralpedal.convert.wavenet_integers import Formats, build_integer_wavenet, choose_wavenet_formats

Builder = Callable[[Manifest], bytes]


@dataclass(frozen=True)
class PreparedScheme:
    """A scheme on one network, ready to be written.

    Attributes:
        build: from manifest to file bytes.
        held: the weights that the file holds, as real numbers. arithmetic: its grids. Both for the error budget.
        formats: of a WaveNet's signals in integers, for it too.
    """

    scheme: str
    build: Builder
    held: AnyWeights
    arithmetic: Arithmetic
    formats: Formats = field(default_factory=dict)


def parse_schemes(text: str) -> tuple[str, ...]:
    """Scheme names of a comma-separated list, in the order of ``SCHEMES``, each once.

    Raises:
        SpecError: an unknown name, or none.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in SCHEMES]
    if unknown or not names:
        raise SpecError(f"scheme {unknown[0] if unknown else text!r}: not one of {', '.join(SCHEMES)}")
    return tuple(name for name in SCHEMES if name in names)


_OF_FAMILY: dict[str, tuple[str, ...]] = {"frame_lstm": (*FLOAT_SCHEMES, "w8a8"), "gru": FLOAT_SCHEMES,
                                         "rnn": FLOAT_SCHEMES, "wavenet": WAVENET_SCHEMES}
"""Schemes of families that have not all: w8a16 and tflm16x8 have no format for frames, tflm16x8 knows LSTMs alone."""


def schemes_for(spec: NetworkSpec | WaveNetSpec) -> tuple[str, ...]:
    """Every scheme that a network can be written in."""
    of_family = _OF_FAMILY.get(spec.family, SCHEMES)
    # No integer arithmetic of ours has dense layers that bend.
    return FLOAT_SCHEMES if isinstance(spec, NetworkSpec) and spec.bends else of_family


def check_schemes(schemes: tuple[str, ...], spec: NetworkSpec | WaveNetSpec) -> None:
    """Refuse before anything is written. Raises SpecError."""
    impossible = [scheme for scheme in schemes if scheme not in schemes_for(spec)]
    if impossible:
        advice = "" if schemes_for(spec) != FLOAT_SCHEMES else "; for integer arithmetic train an LSTM or a WaveNet"
        raise SpecError(f"scheme {impossible[0]}: does not exist for {spec.label}; "
                        f"take {', '.join(schemes_for(spec))}{advice}")


def prepare_scheme(scheme: str, source: ConversionSource) -> PreparedScheme:
    """Do what is done once for a scheme (calibration)."""
    if isinstance(source.weights, WaveNetWeights):
        return _prepare_wavenet(scheme, source, source.weights)
    weights = source.recurrent
    if scheme == "float32":
        return PreparedScheme(scheme, lambda manifest: build_float32(weights, manifest), weights,
                              float_arithmetic(weights.spec))
    if scheme == "w8":
        weights = source.channel_rounded
        return PreparedScheme(scheme, lambda manifest: build_w8(weights, manifest), channel_weights(weights),
                              w8_arithmetic(weights.spec))
    if scheme == W8A16:
        weights = source.channel_rounded
        formats = choose_formats(weights, measure_ranges(weights, source.calibration))
        return PreparedScheme(
            scheme, lambda manifest: build_w8(weights, manifest.model_copy(update={"integer_format": formats})),
            w8a16_weights(weights), w8a16_arithmetic(formats))
    weights = source.gate_rounded
    if scheme == TFLM16X8:
        wide = source.grids or choose_int16_grids(calibrate(weights, source.calibration), weights.spec.skip)
        return PreparedScheme(scheme, lambda manifest: build_tflm16x8_on(weights, wide, manifest),
                              gate_weights(weights, wide), w8a8_arithmetic(wide, weights.spec.skip))
    grids = source.grids or choose_audio_code(weights, w8a8_ranges(weights, source.calibration), source.calibration)
    return PreparedScheme(scheme, lambda manifest: build_w8a8_on(weights, grids, manifest),
                          gate_weights(weights, grids), w8a8_arithmetic(grids, weights.spec.skip))


def _prepare_wavenet(scheme: str, source: ConversionSource, given: WaveNetWeights) -> PreparedScheme:
    no_grids = Arithmetic("free", ())
    if scheme == "float32":
        return PreparedScheme(scheme, lambda manifest: build_float32(given, manifest), given, no_grids)
    held = source.wavenet_held
    if scheme == "w8":
        weights = source.wavenet_rounded
        return PreparedScheme(scheme, lambda manifest: build_w8(weights, manifest), held, no_grids)
    ranges = source.wavenet_signals
    if scheme == "w8a8":
        ranges = clipped_ranges(held, source.calibration, ranges)
    formats = choose_wavenet_formats(held.spec, ranges, scheme)
    return PreparedScheme(scheme, lambda manifest: build_integer_wavenet(held, formats, manifest), held, no_grids,
                          formats)
