"""Results as one flat table: a row per judged network, which findings, figures and tables all read."""

from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]

SHORT_COLUMNS = {
    "structure": "network", "frames": "frames", "epochs": "epochs", "mae": "MAE", "r2": "R²", "esr": "ESR",
    "esr_pre_emphasis": "ESR pre-emph.", "mr_stft": "MR-STFT", "esr_6_12_khz": "ESR > 6 kHz",
    "hf_soft_error_dbfs": "soft HF error dBFS", "aliasing_mean_db": "aliasing dB",
    "noise_floor_dbfs": "noise floor dBFS", "macs_per_sample": "MACs/sample", "litert_us_per_sample": "µs/sample",
}
"""Keys of a row that a table shows, with their headings."""

_CELL_KEYS = ("id", "kind", "target", "structure", "frames", "num_parameters", "macs_per_sample", "training_seconds")
_COST_KEYS = ("litert_us_per_sample", "litert_real_time_factor", "keras_us_per_sample", "keras_real_time_factor")


def all_rows(results: list[dict[str, Any]], costs: list[dict[str, Any]]) -> list[Row]:
    """A row per judged network: its cell, its figures, what its structure costs, and ``is_last`` of its cell."""
    by_structure = {(cost["kind"], cost["structure"]): cost for cost in costs}
    rows = []
    for result in results:
        cost = by_structure[result["kind"], result["structure"]]
        for judged in result["judged"]:
            rows.append({**{key: result[key] for key in _CELL_KEYS}, **judged,
                         "aliasing_mean_db": mean_aliasing_db(judged), **{key: cost[key] for key in _COST_KEYS},
                         "is_last": judged is result["judged"][-1]})
    return rows


def mean_aliasing_db(figures: dict[str, Any]) -> float | None:
    """The mean of all aliasing probes that gave an answer: one probe alone is at the mercy of one folded harmonic."""
    found = [value for key, value in figures.items() if key.startswith("aliasing_db_") and value is not None]
    return sum(found) / len(found) if found else None


def chosen(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    """The rows in which every named value is the one wanted."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def epoch_series(rows: Iterable[Row], target: str) -> list[list[Row]]:
    """Networks of one training, by epochs; the trainings of a target by frames that were judged more than once."""
    frame_rows = chosen(rows, target=target, kind="frame_lstm")
    series = [chosen(frame_rows, id=name) for name in dict.fromkeys(row["id"] for row in frame_rows)]
    return [rows_of_one for rows_of_one in series if len(rows_of_one) > 1]


def size_series(rows: Iterable[Row], target: str) -> list[list[Row]]:
    """Networks of one structure and number of epochs, by the size of their data sets; at least two of them."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in chosen(rows, target=target, kind="frame_lstm"):
        groups.setdefault((row["structure"], row["epochs"]), []).append(row)
    return [sorted(group, key=lambda row: row["frames"]) for group in groups.values() if len(group) > 1]


def structure_rows(rows: list[Row], target: str) -> list[Row]:
    """One network of each structure by frames, all of the same data set and epochs: the pair that most share."""
    frame_rows = chosen(rows, target=target, kind="frame_lstm")
    protocols = [(row["frames"], row["epochs"]) for row in frame_rows]
    if not protocols:
        return []
    frames, epochs = max(protocols, key=lambda protocol: (protocols.count(protocol), protocol[1]))
    return sorted(chosen(frame_rows, frames=frames, epochs=epochs), key=lambda row: row["macs_per_sample"])
