"""Noise floor after silence and aliasing of written files, as far as they can be measured in a few seconds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralpedal.cli.evaluation import probe
from neuralpedal.cli.file_player import EXACT_SCHEMES
from neuralpedal.cli.model_source import open_model
from neuralpedal.contract.probes import aliasing_figures, silence_figures

MAX_SECONDS = 20.0
"""Of playing probes, for all files together."""

_PROBE_AUDIO_SECONDS = 10.0


@dataclass(frozen=True)
class ProbedSchemes:
    """Attributes:
        figures: of :mod:`neuralpedal.contract.probes`, by scheme.
        left_out: why a scheme has none, by scheme.
    """

    figures: dict[str, dict[str, Any]]
    left_out: dict[str, str]


def probe_files(paths: dict[str, Path], rows: dict[str, dict[str, Any]]) -> ProbedSchemes:
    """Probe each file in the engine that plays it here.

    Args:
        paths: of written files, by scheme. rows: of report.json, by scheme; their timing says what is affordable.
    """
    figures: dict[str, dict[str, Any]] = {}
    left_out: dict[str, str] = {}
    seconds_left = MAX_SECONDS
    for scheme, path in paths.items():
        if scheme in EXACT_SCHEMES and not rows[scheme]["timed_engine"].startswith("native"):
            left_out[scheme] = "nothing can be compiled here, and its integers in NumPy would take minutes"
            continue
        seconds = _PROBE_AUDIO_SECONDS * rows[scheme]["real_time_factor"]
        if seconds > seconds_left:
            left_out[scheme] = f"would take {seconds:.0f} s here"
        else:
            seconds_left -= seconds
            probes = probe(open_model(path, "auto", rows[scheme]["block_size"]), lambda _: None)
            figures[scheme] = {**silence_figures(probes.silence), **aliasing_figures(probes.aliasing)}
    return ProbedSchemes(figures, left_out)
