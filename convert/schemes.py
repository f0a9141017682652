"""The schemes: one row each, from weights to the bytes of a file."""

from collections.abc import Callable

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.integer_network import SCHEME as W8A16
from neuralpedal.contract.manifest import SCHEMES, Manifest
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.convert.audio_codes import choose_audio_code
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.float_graph import build_float32, build_w8
from neuralpedal.convert.int8_graph import build_w8a8_on
from neuralpedal.convert.integer_formats import choose_formats, measure_ranges
from neuralpedal.convert.source import ConversionSource

Builder = Callable[[Manifest], bytes]


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


def schemes_for(spec: NetworkSpec) -> tuple[str, ...]:
    """Every scheme that a network can be written in: w8a16 has no format for frames."""
    return tuple(scheme for scheme in SCHEMES if scheme != W8A16 or not spec.kind.has_frame)


def check_schemes(schemes: tuple[str, ...], spec: NetworkSpec) -> None:
    """Refuse before anything is written. Raises SpecError."""
    impossible = [scheme for scheme in schemes if scheme not in schemes_for(spec)]
    if impossible:
        raise SpecError(f"scheme {impossible[0]}: does not exist for {spec.label}; "
                        f"take {', '.join(schemes_for(spec))}")


def prepare_builder(scheme: str, source: ConversionSource) -> Builder:
    """Do what is done once for a scheme (calibration) and give a function from manifest to file bytes."""
    weights = source.weights
    if scheme == "float32":
        return lambda manifest: build_float32(weights, manifest)
    if scheme == "w8":
        return lambda manifest: build_w8(weights, manifest)
    if scheme == W8A16:
        formats = choose_formats(weights, measure_ranges(weights, source.calibration))
        return lambda manifest: build_w8(weights, manifest.model_copy(update={"integer_format": formats}))
    grids = choose_audio_code(weights, calibrate(weights, source.calibration), source.calibration)
    return lambda manifest: build_w8a8_on(weights, grids, manifest)
