"""How far a model's output is from the real pedal's: one definition for all stages.

Inputs are one-dimensional, target first, full scale ±1; all sums run in float64. Figures without a unit in their name
are ratios.

Sources: Wright, Damskägg, Juvela, Välimäki, "Real-Time Guitar Amplifier Emulation with Deep Learning", Applied
Sciences 10(3), 2020 (ESR, pre-emphasis, DC term); Falch 2022 (MAE, R², energy-normalised MAE).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import RecordingError

PRE_EMPHASIS = 0.85
"""Coefficient a of the filter y[n] = x[n] − a·x[n−1] (Wright 2020 uses 0.95; 0.85 weighs 2–6 kHz nearer to hearing)."""

_SMALLEST = 1e-30

Signal = NDArray[Any]


def pre_emphasis(signal: Signal, coefficient: float = PRE_EMPHASIS) -> NDArray[np.float64]:
    """First-order high-pass y[n] = x[n] − coefficient·x[n−1] with x[−1] = 0; same length as ``signal``."""
    x = np.asarray(signal, dtype=np.float64)
    y = x.copy()
    y[1:] -= coefficient * x[:-1]
    return y


def esr(target: Signal, prediction: Signal) -> float:
    """Error-to-signal ratio Σ(y−ŷ)² / Σy²: 0 for equal, 1 for silence, 0.01 for an error 20 dB below the target.

    Raises:
        RecordingError: shapes differ, or the target has no energy.
    """
    y, error = target_and_error(target, prediction)
    return float(np.dot(error, error) / energy(y))


def mae(target: Signal, prediction: Signal) -> float:
    """Mean absolute error, in full-scale units."""
    _, error = target_and_error(target, prediction)
    return float(np.mean(np.abs(error)))


def mae_normalized(target: Signal, prediction: Signal) -> float:
    """Energy-normalised MAE: mean |y−ŷ| over the target's rms, so that a quiet take counts as much as a loud one."""
    y, error = target_and_error(target, prediction)
    return float(np.mean(np.abs(error)) / math.sqrt(energy(y) / len(y)))


def r2(target: Signal, prediction: Signal) -> float:
    """Coefficient of determination 1 − Σ(y−ŷ)² / Σ(y−ȳ)²: 1 for equal, 0 for the target's mean."""
    y, error = target_and_error(target, prediction)
    return float(1.0 - np.dot(error, error) / energy(y - np.mean(y)))


def dc(target: Signal, prediction: Signal) -> float:
    """DC error (mean(y−ŷ))² / mean(y²), the DC term of Wright 2020."""
    y, error = target_and_error(target, prediction)
    return float(np.mean(error) ** 2 * len(y) / energy(y))


def peak_match_db(target: Signal, prediction: Signal) -> float:
    """Peak of the prediction against that of the target, in dB (positive: the prediction is hotter)."""
    y, error = target_and_error(target, prediction)
    energy(y)
    return decibels(np.max(np.abs(y - error)) / np.max(np.abs(y)))


def level_match_db(target: Signal, prediction: Signal) -> float:
    """Rms of the prediction against that of the target, in dB (positive: the prediction is louder)."""
    y, error = target_and_error(target, prediction)
    return decibels(math.sqrt(float(np.sum((y - error) ** 2)) / energy(y)))


def all_metrics(target: Signal, prediction: Signal) -> dict[str, float]:
    """Every figure of this file under its JSON key."""
    return {
        "esr": esr(target, prediction),
        "esr_pre_emphasis": esr(pre_emphasis(target), pre_emphasis(prediction)),
        "mae": mae(target, prediction),
        "mae_normalized": mae_normalized(target, prediction),
        "r2": r2(target, prediction),
        "dc": dc(target, prediction),
        "peak_match_db": peak_match_db(target, prediction),
        "level_match_db": level_match_db(target, prediction),
    }


def target_and_error(target: Signal, prediction: Signal) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """y and y−ŷ in float64. Raises RecordingError unless both are (T,) with one T."""
    y, predicted = np.asarray(target, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    if y.ndim != 1 or y.shape != predicted.shape:
        raise RecordingError(f"target has shape {y.shape}, prediction {predicted.shape}; wanted two equal lengths")
    return y, y - predicted


def energy(y: NDArray[np.float64]) -> float:
    """Σy², for a denominator. Raises RecordingError when it is silent."""
    total = float(np.dot(y, y))
    if total <= _SMALLEST:
        raise RecordingError("the target is silent: ESR divides by its energy; measure on playing")
    return total


def decibels(ratio: float) -> float:
    """20·log10, floored at −300 dB so that silence stays a number that JSON can hold."""
    return 20.0 * math.log10(max(float(ratio), 1e-15))
