"""The six findings of the study of 2022, each with a verdict that follows from the figures by a stated rule.

The rules are crude on purpose: one line each, and whoever doubts one finds the figures beside it.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import permutations
from typing import Any

from neuralpedal.cli.study.plan import PEDAL, TARGETS, TUBE
from neuralpedal.cli.study.rows import Row, chosen, epoch_series, size_series, structure_rows

BLOG: list[dict[str, Any]] = [
    {"target": "SD-1", "structure": "1×16/64", "frames": 40_000, "epochs": 50, "mae": 0.0038, "r2": 0.970,
     "esr": 0.0213, "seconds_to_predict_95_s": 96, "ours": {"target": PEDAL, "structure": "1×16/64"}},
    {"target": "SD-1", "structure": None, "frames": 80_000, "epochs": 100, "mae": 0.0018, "r2": 0.9921, "esr": None,
     "seconds_to_predict_95_s": None, "ours": {"target": PEDAL, "structure": "1×16/64"}},
    {"target": "Black '65", "structure": "32 units", "frames": 100_000, "epochs": 200, "mae": 0.0041, "r2": 0.930,
     "esr": None, "seconds_to_predict_95_s": None, "ours": {"target": TUBE, "structure": "1×32/64"}},
]
"""The figures that were published, as far as they were, and which of our networks stands beside each."""

CONFIRMED, PARTLY, REFUTED, UNKNOWN = "confirmed", "partly confirmed", "not confirmed", "not measured"

NOT_BAD_ESR = 0.035
AUDIBLE_STEP_DB = 1.0
LITTLE_DATA_FRAMES = 40_000
_NEARLY_AS_GOOD = 2.0  # times the ESR: 3 dB
_FAR_CHEAPER = 0.25
_ONLY_JUST_S = 0.5


@dataclass(frozen=True)
class Finding:
    """One of the six.

    Attributes:
        claim: as we read the study. rule: when it counts as confirmed. verdict: one of the four words.
        evidence: sentences with the figures.
    """

    number: int
    claim: str
    rule: str
    verdict: str
    evidence: list[str]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


Answer = tuple[list[bool], list[str]]
"""Whether each measured case agrees with the claim, and the sentences that say so."""


def findings(rows: list[Row], costs: list[dict[str, Any]]) -> list[Finding]:
    """All six, in order."""
    table: list[tuple[str, str, Callable[[], Answer]]] = [
        ("LSTMs model such pedals well with little data",
         f"the best network with {LITTLE_DATA_FRAMES:,} frames or fewer has an ESR below {NOT_BAD_ESR}, on all targets",
         lambda: _little_data(rows)),
        ("more data and longer training improve MAE, R² and ESR",
         "in every series, epochs and sizes, the last network beats the first in all three",
         lambda: _more_is_better(rows)),
        ("longer training adds low-level high-frequency noise and aliasing",
         f"from first to last epoch the error above 6 kHz in soft passages, and mean aliasing, each rise by "
         f"{AUDIBLE_STEP_DB:g} dB or more", lambda: _longer_is_dirtier(rows)),
        ("MAE, R² and ESR miss that noise and aliasing",
         "in every series there are two networks of which the one with the better MAE, R² and ESR has "
         f"{AUDIBLE_STEP_DB:g} dB more noise or aliasing", lambda: _metrics_are_deaf(rows)),
        ("small networks are nearly as good and far cheaper",
         f"the cheapest structure has at most {_NEARLY_AS_GOOD:g} times the ESR of the dearest, at a quarter of its "
         "multiplications or less", lambda: _small_is_enough(rows)),
        ("inference only just keeps up with real time",
         f"predicting one second of audio by Keras, as in 2022, takes {_ONLY_JUST_S:g} s or more",
         lambda: _only_just_real_time(costs)),
    ]
    found = []
    for number, (claim, rule, answer) in enumerate(table, start=1):
        cases, evidence = answer()
        found.append(Finding(number, claim, rule, _verdict(cases), evidence))
    return found


def _verdict(cases: list[bool]) -> str:
    if not cases:
        return UNKNOWN
    return CONFIRMED if all(cases) else PARTLY if any(cases) else REFUTED


def _little_data(rows: list[Row]) -> Answer:
    cases, evidence = [], []
    for target in TARGETS:
        small = [row for row in chosen(rows, target=target, kind="frame_lstm") if row["frames"] <= LITTLE_DATA_FRAMES]
        if small:
            best = min(small, key=lambda row: row["esr"])
            cases.append(best["esr"] < NOT_BAD_ESR)
            evidence.append(f"{target}: {name_of(best)} has ESR {best['esr']:.4f}, R² {best['r2']:.4f}, "
                            f"MAE {best['mae']:.4f}.")
    return cases, evidence


def _more_is_better(rows: list[Row]) -> Answer:
    cases, evidence = [], []
    for what, series in _all_series(rows):
        first, last = series[0], series[-1]
        cases.append(is_better(last, first))
        changes = ", ".join(f"{name} {first[key]:.4f} → {last[key]:.4f}"
                            for name, key in (("MAE", "mae"), ("R²", "r2"), ("ESR", "esr")))
        evidence.append(f"{what}: {changes}.")
    return cases, evidence


def _longer_is_dirtier(rows: list[Row]) -> Answer:
    cases, evidence = [], []
    for target in TARGETS:
        for series in epoch_series(rows, target):
            first, last = series[0], series[-1]
            changes = {name: last[key] - first[key] for name, key in _DIRT.items()}
            cases += [change >= AUDIBLE_STEP_DB for change in changes.values()]
            said = ", ".join(f"{name} {first[key]:.1f} → {last[key]:.1f} dB" for name, key in _DIRT.items())
            evidence.append(f"{target}, {_training_of(first)}, {first['epochs']} → {last['epochs']} epochs: {said}."
                            .replace("-", "−"))
    return cases, evidence


def _metrics_are_deaf(rows: list[Row]) -> Answer:
    cases, evidence = [], []
    for what, series in _all_series(rows):
        # Every pair of networks that the three figures agree on, the better one first.
        pairs = [(better, worse) for better, worse in permutations(series, 2) if is_better(better, worse)]
        fooled = [(better, worse) for better, worse in pairs if _dirtier_by(better, worse) >= AUDIBLE_STEP_DB]
        if pairs:
            cases.append(bool(fooled))
            evidence.append(f"{what}: so it is in {len(fooled)} of {len(pairs)} pairs.")
    return cases, evidence


def _small_is_enough(rows: list[Row]) -> Answer:
    cases, evidence = [], []
    for target in TARGETS:
        structures = structure_rows(rows, target)
        if len(structures) > 1:
            small, large = structures[0], structures[-1]
            ratio, share = small["esr"] / large["esr"], small["macs_per_sample"] / large["macs_per_sample"]
            cases.append(ratio <= _NEARLY_AS_GOOD and share <= _FAR_CHEAPER)
            evidence.append(f"{target}: {small['structure']} has {ratio:.2f} times the ESR of {large['structure']} "
                            f"({small['esr']:.4f} and {large['esr']:.4f}) at {share:.1%} of its multiplications.")
    return cases, evidence


def _only_just_real_time(costs: list[dict[str, Any]]) -> Answer:
    cases, evidence = [], []
    for cost in costs:
        factor = cost["keras_real_time_factor"]
        if factor is not None:
            cases.append(factor >= _ONLY_JUST_S)
            evidence.append(f"{cost['structure']}: {factor:.2f} s for a second of audio by Keras, "
                            f"{cost['litert_real_time_factor']:.2f} s by LiteRT.")
        else:
            evidence.append(f"{cost['structure']} streaming: {cost['litert_real_time_factor']:.4f} s by LiteRT.")
    return cases, evidence


_DIRT = {"soft error above 6 kHz": "hf_soft_error_dbfs", "aliasing": "aliasing_mean_db"}


def is_better(one: Row, other: Row) -> bool:
    """Whether MAE, R² and ESR all prefer ``one``."""
    return bool(one["mae"] < other["mae"] and one["r2"] > other["r2"] and one["esr"] < other["esr"])


def name_of(row: Row) -> str:
    """A judged network in words."""
    if row["frames"] is None:
        return f"{row['structure']} streaming, {epochs_of(row)}"
    return f"{row['structure']}, {row['frames']:,} frames, {epochs_of(row)}"


def epochs_of(row: Row) -> str:
    """How long a network was trained, in words."""
    return "1 epoch" if row["epochs"] == 1 else f"{row['epochs']} epochs"


def _training_of(row: Row) -> str:
    return name_of(row).rpartition(",")[0]


def _dirtier_by(one: Row, other: Row) -> float:
    return max(float(one[key] - other[key]) for key in _DIRT.values())


def _all_series(rows: list[Row]) -> list[tuple[str, list[Row]]]:
    named = []
    for target in TARGETS:
        for series in epoch_series(rows, target):
            name = f"{target}, {_training_of(series[0])}, {series[0]['epochs']} → {series[-1]['epochs']} epochs"
            named.append((name, series))
        for series in size_series(rows, target):
            named.append((f"{target}, {series[0]['structure']}, {epochs_of(series[0])}, "
                          f"{series[0]['frames']:,} → {series[-1]['frames']:,} frames", series))
    return named
