"""Writes one file per scheme and measures each by playing it.

Every figure comes from running the written file. How it is played is the caller's: convert must not know the device,
and the device's own streaming is what users will hear.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import numpy as np

from neuralpedal.contract.any_network import AnyWeights
from neuralpedal.contract.atomic import make_folder, replacing, write_json
from neuralpedal.contract.errors import ConversionError
from neuralpedal.contract.gain import linear_gain
from neuralpedal.contract.integer_kernels import TFLM16X8
from neuralpedal.contract.integer_network import SCHEME as W8A16
from neuralpedal.contract.manifest import Manifest
from neuralpedal.contract.metrics import esr
from neuralpedal.convert.recommendation import DEFAULT_BUDGET, recommend
from neuralpedal.convert.schemes import PreparedScheme, check_schemes, prepare_scheme
from neuralpedal.convert.source import ConversionSource, Signal
from neuralpedal.convert.tuning import Tuner, check_teacher, check_tunable, lesson, needs_tuning, tuned_source
from neuralpedal.convert.wavenet_budget import open_budgets

REPORT_NAME = "report.json"
_CHECK_SAMPLES = 4096
_SUSPECT_ESR_FLOAT = 0.1
_NARROW_STATES = (W8A16, TFLM16X8)


class Player(Protocol):
    """Plays a written file."""

    def wet(self, path: Path, dry: Signal) -> Signal:
        """Stream ``dry`` (T,) through the file in blocks, from where it begins; float32 (T,)."""

    def times(self, path: Path) -> dict[str, Any]:
        """``us_per_block_p50``, ``us_per_block_p99``, ``real_time_factor``, ``block_size``… of the file, and
        ``timed_engine``, what played it. Where nothing plays the file fast, the figures are None, and
        ``timed_engine`` says so."""


@dataclass(frozen=True)
class SchemeResult:
    """One written file. ``wet`` is its output over the measured take (T,)."""

    scheme: str
    path: Path
    row: dict[str, Any]
    wet: Signal


@dataclass(frozen=True)
class ConversionResult:
    """All files, the float model's output over the take, and the content of report.json."""

    schemes: tuple[SchemeResult, ...]
    float_wet: Signal
    report: dict[str, Any]


def convert(source: ConversionSource, schemes: tuple[str, ...], out: Path, player: Player,
            told: Callable[[str], None] = lambda stage: None, tuner: Tuner | None = None, target: str | None = None,
            budget: float = DEFAULT_BUDGET) -> ConversionResult:
    """Write and measure ``NAME.SCHEME.tflite`` for every scheme, then ``report.json``.

    Args:
        told: is given a short description of each step as it begins.
        tuner: tunes for the schemes that need it; the file is the tuned one where that plays nearer to its teacher.
        target, budget: what to recommend a scheme for, see recommendation.py; no recommendation without a target.

    Raises:
        SpecError: a scheme that the family does not have, a family that is not tuned; raised before anything is
            written.
        ConversionError: a written file does not play as measured. OutputError: the folder cannot be written.
    """
    check_schemes(schemes, source.weights.spec)
    if tuner is not None:
        check_tunable(source.weights.spec)
        check_teacher(tuner.teacher, source)
    make_folder(out)
    told("playing the float model")
    take = source.take
    float_wet = take.measured(source.float_model(take.dry))
    budgets = open_budgets(source, float_wet)
    results = []
    for scheme in schemes:
        told(f"{scheme}: writing")
        prepared = prepare_scheme(scheme, source)
        result = _write_scheme(source, prepared, float_wet, out, player, told)
        if tuner is not None and needs_tuning(scheme, result.row["esr_float"]):
            prepared, result = _write_tuned(source, prepared, result, tuner, float_wet, out, player, told)
        if scheme != "float32":
            told(f"{scheme}: simulating where its error comes from")
            result.row["error_budget"] = budgets.budget(prepared, result.wet)
        results.append(result)
    report: dict[str, Any] = {
        "name": source.name,
        "network": source.weights.spec.model_dump(mode="json"),
        "num_parameters": source.weights.spec.num_parameters,
        "measured_on": take.description,
        "measured_seconds": round(len(float_wet) / source.weights.spec.sample_rate_hz, 3),
        "esr_float_model_wet": take.esr_wet(float_wet),
        "rounding": source.rounding,
        "schemes": {result.scheme: result.row for result in results},
        "provenance": _provenance(source),
    }
    if target is not None:
        report["recommendation"] = recommend(report, target, budget)
    write_json(out / REPORT_NAME, report)
    return ConversionResult(tuple(results), float_wet, report)


def _write_scheme(source: ConversionSource, prepared: PreparedScheme, float_wet: Signal, out: Path, player: Player,
                  told: Callable[[str], None]) -> SchemeResult:
    take, scheme = source.take, prepared.scheme
    path = out / f"{source.name}.{scheme}.tflite"
    manifest = Manifest(name=source.name, scheme=scheme, network=source.weights.spec, provenance=_provenance(source)
                        ).model_copy(update=source.levels)
    with replacing(path) as temporary:
        temporary.write_bytes(prepared.build(manifest))
        told(f"{scheme}: streaming the take")
        output = player.wet(temporary, take.dry)
        wet = take.measured(output)
        esr_wet, esr_float = take.esr_wet(wet * linear_gain(source.output_gain_db)), esr(float_wet, wet)
        # The measured figures go into the file itself, whose graph must stay what was measured.
        measured = manifest.model_copy(update={"esr_wet": esr_wet, "esr_float": esr_float})
        temporary.write_bytes(prepared.build(measured))
        if not np.array_equal(player.wet(temporary, take.dry[:_CHECK_SAMPLES]), output[:_CHECK_SAMPLES]):
            raise ConversionError(f"{path}: does not play twice alike; this is a bug, please report it")
        if source.output_gain_db:
            # Only now: a gain behind the network changes no ESR against the float model, which has none.
            temporary.write_bytes(prepared.build(measured.model_copy(update={"output_gain_db": source.output_gain_db})))
    told(f"{scheme}: timing blocks")
    times, warnings = player.times(path), []
    if scheme in _NARROW_STATES and _begins_beyond(source.weights):
        warnings.append(f"{scheme} holds hidden states up to ±1, and this network begins beyond: it starts otherwise "
                        "than the float model")
    row: dict[str, Any] = {"file": path.name, "size_bytes": path.stat().st_size, "esr_wet": esr_wet,
                           "esr_float": esr_float, **times,
                           "warnings": [*warnings, *_warnings(scheme, esr_float, times["real_time_factor"])]}
    return SchemeResult(scheme, path, row, wet)


def _write_tuned(source: ConversionSource, prepared: PreparedScheme, untuned: SchemeResult, tuner: Tuner,
                 float_wet: Signal, out: Path, player: Player,
                 told: Callable[[str], None]) -> tuple[PreparedScheme, SchemeResult]:
    """Tune for a scheme, write and measure that file too, and keep the better of both."""
    scheme, judged = untuned.scheme, f"esr_{tuner.teacher}"
    told(f"{scheme}: fine-tuning")
    tuned = tuned_source(scheme, source, tuner, lesson(tuner.teacher, source))
    with TemporaryDirectory(dir=out, prefix=".tuned.") as folder:
        candidate = prepare_scheme(scheme, tuned)
        result = _write_scheme(tuned, candidate, float_wet, Path(folder), player, told)
        tried = {name: result.row[name] for name in ("esr_float", "esr_wet")}
        kept = tried[judged] < untuned.row[judged]
        if kept:
            prepared = candidate
            result.path.replace(untuned.path)
        else:
            result = untuned
    row = {**result.row, "esr_float_post_training": untuned.row["esr_float"],
           "esr_wet_post_training": untuned.row["esr_wet"],
           "finetuned": {"minutes": tuner.minutes, "teacher": tuner.teacher, **tried, "kept": kept}}
    return prepared, replace(result, path=untuned.path, row=row)


def _begins_beyond(weights: AnyWeights) -> bool:
    return any(np.max(np.abs(layer[0])) > 1.0 for layer in weights.initial_state or ())


def _warnings(scheme: str, esr_float: float, real_time_factor: float | None) -> list[str]:
    warnings = []
    if esr_float > _SUSPECT_ESR_FLOAT:
        warnings.append(f"{scheme} differs from the float model by ESR {esr_float:.2g}: clearly audible; prefer "
                        "another scheme")
    if real_time_factor is not None and real_time_factor > 1.0:
        warnings.append(f"{scheme} takes {real_time_factor:.2g} times as long as its audio lasts: this machine cannot "
                        "play it live; prefer another scheme, a smaller network or a shorter frame")
    return warnings


def _provenance(source: ConversionSource) -> dict[str, str]:
    return {**source.provenance, "neuralpedal_version": metadata.version("neuralpedal")}
