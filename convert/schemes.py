"""The schemes: one row each, from weights to the bytes of a file."""

from collections.abc import Callable

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.manifest import SCHEMES, Manifest
from neuralpedal.convert.calibration import calibrate
from neuralpedal.convert.float_graph import build_float32, build_w8
from neuralpedal.convert.int8_graph import build_w8a8
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


def prepare_builder(scheme: str, source: ConversionSource) -> Builder:
    """Do what is done once for a scheme (calibration) and give a function from manifest to file bytes."""
    weights = source.weights
    if scheme == "float32":
        return lambda manifest: build_float32(weights, manifest)
    if scheme == "w8":
        return lambda manifest: build_w8(weights, manifest)
    ranges = calibrate(weights, source.calibration)
    return lambda manifest: build_w8a8(weights, ranges, manifest)
