"""The largest ESR against the float model that a user accepts, per scheme or for all."""

import math
from collections.abc import Mapping
from typing import Any

from neuralpedal.contract.errors import ConversionError, SpecError
from neuralpedal.contract.manifest import SCHEMES


def parse_limits(text: str) -> dict[str, float]:
    """Limits by scheme: ``1e-3`` for all of ``SCHEMES``, or ``w8=1e-4,w8a8=1e-2``.

    Raises:
        SpecError: an unknown scheme, one named twice, a limit that is no number from 0.
    """
    if "=" not in text:
        return dict.fromkeys(SCHEMES, _limit(text))
    limits: dict[str, float] = {}
    for part in text.split(","):
        scheme, _, value = (word.strip() for word in part.partition("="))
        if scheme not in SCHEMES or scheme in limits:
            raise SpecError(f"--max-degradation {text}: {scheme!r} is named twice or not one of {', '.join(SCHEMES)}; "
                            "write it as w8=1e-4,w8a8=1e-2")
        limits[scheme] = _limit(value)
    return limits


def _limit(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value < math.inf:
        raise SpecError(f"--max-degradation: {text!r} is no ESR from 0; write 1e-3, or w8=1e-4,w8a8=1e-2")
    return value


def check_named(limits: Mapping[str, float], text: str, schemes: tuple[str, ...]) -> None:
    """Refuse a limit on a scheme that will not be written. Raises SpecError."""
    missing = [scheme for scheme in limits if scheme not in schemes] if "=" in text else []
    if missing:
        raise SpecError(f"--max-degradation {text}: {missing[0]} is not among the schemes that are written "
                        f"({', '.join(schemes)}); add it to --schemes or leave its limit out")


def check_degradation(report: Mapping[str, Any], limits: Mapping[str, float]) -> None:
    """Hold the measured ESR of every scheme of report.json against its limit.

    Raises:
        ConversionError: schemes beyond it, with how far.
    """
    failed = [f"{scheme} has ESR {row['esr_float']:.3g} against the float model, {_excess(row['esr_float'], limit)}"
              for scheme, row in report["schemes"].items()
              if (limit := limits.get(scheme)) is not None and row["esr_float"] > limit]
    if failed:
        raise ConversionError(f"--max-degradation: {'; '.join(failed)}; the files are written, and report.json's "
                              "error_budget says where it comes from")


def _excess(found: float, limit: float) -> str:
    times = f", {found / limit:.3g} times as much" if limit else ""
    return f"{found - limit:.3g} above its limit of {limit:g}{times}"
