"""study.html and study.md: everything that was found out, as a page that needs nothing but itself, and as text.

Figures are SVG in the page, audio is FLAC in data URIs; nothing is fetched from anywhere. The templates lie beside
this file.
"""

import base64
import io
from importlib import resources
from typing import Any

import jinja2
import numpy as np
import soundfile

from neuralpedal.cli.study.curves import band_figure, cost_figure, epoch_figure, size_figure
from neuralpedal.cli.study.findings import name_of
from neuralpedal.cli.study.gallery import alias_probes, heard_rows, label_of, shown_rows
from neuralpedal.cli.study.plan import SAMPLE_RATE_HZ, TARGETS
from neuralpedal.cli.study.rows import SHORT_COLUMNS, Row, chosen, epoch_series, size_series
from neuralpedal.cli.study.sounds import Excerpt, alias_figure, spectrogram_figure, wave_figure
from neuralpedal.cli.study.study import Study
from neuralpedal.cli.study.targets import Track
from neuralpedal.contract.atomic import write_text

PAGE, TEXT = "study.html", "study.md"


def write_pages(study: Study, content: dict[str, Any]) -> None:
    """Write both into the study's folder, from study.json's content and the cells' files. Raises OutputError."""
    templates = jinja2.Environment(loader=jinja2.FunctionLoader(_template), autoescape=_is_html, trim_blocks=True,
                                   lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    templates.filters.update(figure=_figure, name=name_of)
    tables = _tables(content)
    write_text(study.out / TEXT, templates.get_template(f"{TEXT}.j2").render(**tables))
    pictures = _pictures(study, content["rows"])
    write_text(study.out / PAGE, templates.get_template(f"{PAGE}.j2").render(**tables, **pictures))


def _template(name: str) -> str:
    return resources.files("neuralpedal.cli.study").joinpath(name).read_text("utf-8")


def _is_html(name: str | None) -> bool:
    return bool(name and name.endswith(".html.j2"))


def _tables(content: dict[str, Any]) -> dict[str, Any]:
    rows = content["rows"]
    targets = [target for target in TARGETS if target in content["targets"]]
    return {
        "study": content, "columns": SHORT_COLUMNS, "sample_rate_hz": SAMPLE_RATE_HZ,
        "targets": {target: {**content["targets"][target], "rows": chosen(rows, target=target)} for target in targets},
        "published": [(entry, _beside(entry, rows)) for entry in content["blog"]],
    }


def _beside(entry: dict[str, Any], rows: list[Row]) -> Row | None:
    """Our network that is nearest to a published one in the size of its data set and in epochs."""
    found = chosen(rows, target=entry["ours"]["target"], structure=entry["ours"]["structure"], kind="frame_lstm")

    def distance(row: Row) -> float:
        return float(abs(np.log(row["frames"] / entry["frames"])) + abs(np.log(row["epochs"] / entry["epochs"])))

    return min(found, key=distance, default=None)


def _pictures(study: Study, rows: list[Row]) -> dict[str, Any]:
    has_epochs, has_sizes = (any(series(rows, target) for target in study.targets)
                             for series in (epoch_series, size_series))
    return {
        "epoch_figure": epoch_figure(rows) if has_epochs else None,
        "size_figure": size_figure(rows) if has_sizes else None,
        "cost_figure": cost_figure(rows), "band_figure": band_figure(rows),
        "sounds": {target: _sounds(study, rows, target) for target in study.targets},
    }


def _sounds(study: Study, rows: list[Row], target: str) -> dict[str, Any]:
    segment = study.segments[target].test[study.excerpt]
    shown = shown_rows(rows, target)
    excerpt = Excerpt(segment.wet, {label_of(row): _played(study, row) for row in shown})
    return {
        "waves": wave_figure(target, excerpt), "spectrograms": spectrogram_figure(target, excerpt),
        "aliases": alias_figure(target, alias_probes(study, shown, target)),
        "dry": _data_uri(segment.dry[segment.warm_up_samples :]), "wet": _data_uri(segment.wet),
        "models": [(row, _data_uri(_played(study, row))) for row in heard_rows(rows, target)],
    }


def _played(study: Study, row: Row) -> Track:
    cell = next(cell for cell in study.plan.cells if cell.id == row["id"])
    return study.folder(cell).played(row["planned_epochs"])


def _data_uri(track: Track) -> str:
    encoded = io.BytesIO()
    soundfile.write(encoded, np.clip(track, -1.0, 1.0), SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")


def _figure(value: Any) -> str:
    """A figure for people: three digits, thousands with commas, a dash for none."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    text = f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
    return text.replace("-", "−", 1) if text.startswith("-") else text
