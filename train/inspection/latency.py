"""Latency, polarity and drift of a wet track against its dry one.

Three passes over the same windows: a vote on where they peak, a finer look at each window against the average of all,
and the onset of that average. The last is what tells a late recording from a pedal's own phase.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.alignment import Alignment
from neuralpedal.train.inspection.clock_line import ClockLine, sharpen_line, vote_line
from neuralpedal.train.inspection.correlation import Correlations, Track, correlate
from neuralpedal.train.inspection.onset import REACH_SAMPLES, Onset, find_onset, shared_innovation

Signal = NDArray[np.float64]

MAX_LAG_S = 0.5
"""A wet track later or earlier than this is not found."""
SECOND_LOOK_LAG_S = 0.3
VOTE_TOLERANCE_SAMPLES = 12.0
"""How far peaks of one pedal scatter: its answer to a string is not its answer to the next."""
OWN_DRIFT_SAMPLES = (0.4, 2.0)
"""What a pedal does by itself over a take that goes from loud to soft: a clean one, and how much more a fuzz does."""
SURE_ERRORS = 5.0
"""Standard errors."""
CHANCE_STRENGTH = 6.0
"""Peak over rms that windows of unrelated tracks reach."""


@dataclass(frozen=True)
class LatencyEstimate:
    """What was found, and how sure it is.

    Attributes:
        latency_samples: at the beginning of the dry track, sub-sample; positive: wet is late.
        inverted: the wet track's polarity is reversed.
        drift_ppm: positive: the wet track grows later.
        drift_error_ppm: standard error, infinite when too few windows agree.
        confidence: share of the windows' evidence that lies on one line, 0 to 1.
        response: (2·REACH_SAMPLES + 1,) average correlation about the latency, for pictures and effects.
        response_begins_at: lag of the first sample of ``response`` at the beginning of the take.
        correlations: what it was found in.
        line: lag over time before the onset was looked for.
    """

    latency_samples: float
    inverted: bool
    drift_ppm: float
    drift_error_ppm: float
    confidence: float
    response: Signal
    response_begins_at: float
    correlations: Correlations
    line: ClockLine


def estimate_latency(dry: Track, wet: Track, sample_rate_hz: int) -> LatencyEstimate:
    """Compare equally long tracks (T,)."""
    found = correlate(dry, wet, round(MAX_LAG_S * sample_rate_hz))
    clock = Alignment()
    line = _level_unless_sure(found, _find_line(found))
    if line.drift_ppm:
        # Clocks that drift blur every window: look again along the line, now sure that there is a drift.
        clock = Alignment(latency_samples=float(line.lags(np.zeros(1))[0]), drift_ppm=line.drift_ppm)
        found = correlate(dry, wet, round(SECOND_LOOK_LAG_S * sample_rate_hz), clock)
        line = _find_line(found)
    response = np.average(found.around(line.lags(found.centres), REACH_SAMPLES), axis=0, weights=_evidence(found))
    onset = find_onset(response)
    start = clock.latency_samples + float(line.lags(np.zeros(1))[0])
    return LatencyEstimate(start + onset.lag_samples, onset.inverted, clock.drift_ppm + line.drift_ppm,
                           line.drift_error_ppm, _confidence(line, _evidence(found), onset), response,
                           start - REACH_SAMPLES, found, line)


def _evidence(found: Correlations) -> Signal:
    return np.maximum(found.strengths() - CHANCE_STRENGTH, 0.0) + 1e-6


def _find_line(found: Correlations) -> ClockLine:
    evidence = _evidence(found)
    peaks = found.lags[np.argmax(np.abs(found.values), axis=1)].astype(np.float64)
    return sharpen_line(found, vote_line(found.centres, peaks, evidence, VOTE_TOLERANCE_SAMPLES), evidence)


def _level_unless_sure(found: Correlations, line: ClockLine) -> ClockLine:
    """A drift that could be chance, or the pedal's own change from loud to soft playing, is none."""
    level = ClockLine(line.middle, line.middle_lag_samples, 0.0, line.agreeing, line.drift_error_ppm)
    amount = abs(line.drift_ppm) * 1e-6 * float(np.ptp(found.centres))
    response = np.average(found.around(line.lags(found.centres), REACH_SAMPLES), axis=0, weights=_evidence(found))
    own = OWN_DRIFT_SAMPLES[0] + OWN_DRIFT_SAMPLES[1] * (1.0 - shared_innovation(response))
    return line if amount > own and abs(line.drift_ppm) > SURE_ERRORS * line.drift_error_ppm else level


def _confidence(line: ClockLine, evidence: Signal, onset: Onset) -> float:
    total = float(np.sum(evidence))
    if total < 1e-3 or np.count_nonzero(line.agreeing) < min(3, len(evidence)):
        return 0.0
    agreeing = float(np.sum(evidence[line.agreeing])) / total
    return agreeing * float(np.clip(onset.clarity - 1.0, 0.0, 1.0))
