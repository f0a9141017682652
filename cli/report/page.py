"""Writes report.html: one file with its pictures, its audio and its programs inside, which may not use the network."""

import base64
import hashlib
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from neuralpedal.cli.report.audio import EXCERPT_SECONDS, ReportAudio, flac_base64, tracks_of
from neuralpedal.cli.report.figures import budget_figures, curve_figures, scale_figure, spectrogram_figures
from neuralpedal.cli.report.probing import ProbedSchemes, probe_files
from neuralpedal.contract.any_network import make_network
from neuralpedal.contract.atomic import write_text
from neuralpedal.convert.conversion import ConversionResult
from neuralpedal.convert.source import ConversionSource

PAGE = "report.html"
_SCRIPTS = ("player.js", "waveform.js", "abx.js", "page.js")


def write_report(out: Path, source: ConversionSource, result: ConversionResult) -> None:
    """Write report.html of a conversion into ``out``. Raises OutputError."""
    take = source.take
    audio = ReportAudio(source.weights.spec.sample_rate_hz, take.measured(take.dry), take.wet, result.float_wet,
                        {scheme.scheme: scheme.wet for scheme in result.schemes})
    probed = probe_files({scheme.scheme: scheme.path for scheme in result.schemes}, result.report["schemes"])
    write_page(out / PAGE, result.report, audio, probed)


def write_page(path: Path, report: dict[str, Any], audio: ReportAudio, probed: ProbedSchemes) -> None:
    """Write the page to ``path``.

    Args:
        report: content of report.json. audio: the take whole; the page takes an excerpt to listen to.

    Raises:
        OutputError: the file cannot be written.
    """
    templates = jinja2.Environment(loader=jinja2.FunctionLoader(_part), autoescape=True, trim_blocks=True,
                                   lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    templates.filters["figure"] = _figure
    script = '"use strict";\n' + "".join(_part(name) for name in _SCRIPTS)
    excerpt = audio.loudest(EXCERPT_SECONDS)
    tracks = tracks_of(excerpt)
    page = templates.get_template("report.html.j2").render(
        report=report, label=make_network(**report["network"]).label, probed=probed, tracks=tracks,
        style=_part("report.css"), script=script,
        script_hash=_sha256(script), curves=curve_figures(audio), spectrograms=spectrogram_figures(audio),
        scale=scale_figure(), budgets=budget_figures(report["schemes"]),
        worst=max(report["schemes"], key=lambda name: report["schemes"][name]["esr_float"]),
        reference="float" if audio.wet is None else "wet", seconds=len(excerpt.reference) / audio.sample_rate_hz,
        sounds={"rate": audio.sample_rate_hz, "tracks": [
            {"id": track.id, "gain": track.gain, "flac": flac_base64(track.samples, audio.sample_rate_hz)}
            for track in tracks]},
    )
    write_text(path, page)


def _part(name: str) -> str:
    return resources.files("neuralpedal.cli.report").joinpath(name).read_text("utf-8")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _figure(value: float | None) -> str:
    """A figure for people: three digits, thousands with commas, a true minus, a dash for none."""
    if value is None:
        return "–"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−")
