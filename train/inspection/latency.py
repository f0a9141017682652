"""Latency, polarity and drift of a wet track against its dry one.

Three passes over the same windows: a vote on where they peak, a finer look at each window against the average of all,
and the onset of that average. The last is what tells a late recording from a pedal's own phase.

Where they find nothing sure, the attacks of the playing say roughly where to look again; and a delay that swings by
itself is no latency, however sharp the peak at one of its turning points.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.alignment import Alignment
from neuralpedal.train.inspection.clock_line import ClockLine, sharpen_line, vote_line
from neuralpedal.train.inspection.correlation import NO_CLOCK, Correlations, DryWindows, Track, correlate, cut_windows
from neuralpedal.train.inspection.onset import REACH_SAMPLES, Onset, find_onset, shared_innovation
from neuralpedal.train.inspection.rough_lag import find_rough_lag
from neuralpedal.train.inspection.sway import NO_SWAY, Sway, find_sway

Signal = NDArray[np.float64]

SURE_CONFIDENCE = 0.5
"""From here on a latency is corrected."""
DOUBTFUL_CONFIDENCE = 0.3
"""At most, where the delay swings by itself, or a drift is likely and not sure."""
MAX_LAG_S = 0.5
"""A wet track later or earlier than this is found by its attacks only."""
SECOND_LOOK_LAG_S = 0.3
ROUGH_ERROR_S = 0.05
"""Attacks say no better where a take lies."""
VOTE_TOLERANCE_SAMPLES = 12.0
"""How far peaks of one pedal scatter: its answer to a string is not its answer to the next."""
OWN_DRIFT_SAMPLES = (0.4, 2.0)
"""What a pedal does by itself over a take that goes from loud to soft: a clean one, and how much more a fuzz does."""
SURE_ERRORS, LIKELY_ERRORS = 5.0, 3.0
"""Standard errors, from few windows. Without drift 2.4 were measured, for a fuzz on five seconds too."""
SHARPER = 1.1
"""A likely drift is one that also makes the average sharper: by at most 1.04 where those 2.4 were measured, by 1.15
and more where there was a drift of 50 ppm in four to eight seconds."""
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
        line: lag over time before the onset was looked for, in those correlations.
        sway: how the delay moves by itself.
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
    sway: Sway = NO_SWAY


def estimate_latency(dry: Track, wet: Track, sample_rate_hz: int) -> LatencyEstimate:
    """Compare equally long tracks (T,)."""
    windows, near = cut_windows(dry), round(SECOND_LOOK_LAG_S * sample_rate_hz)
    estimate = _look(windows, wet, round(MAX_LAG_S * sample_rate_hz), near, NO_CLOCK)
    middle = round(estimate.latency_samples + estimate.drift_ppm * 5e-7 * len(dry))
    rough = find_rough_lag(dry, wet, sample_rate_hz)
    sure = estimate.confidence >= SURE_CONFIDENCE
    if rough.clear and not (sure and abs(rough.samples - middle) < ROUGH_ERROR_S * sample_rate_hz):
        # Even against what seems sure: a loop played over and over fits one turn too early just as well.
        again = _look(windows, wet, near, near, Alignment(latency_samples=rough.samples))
        if again.confidence >= min(estimate.confidence, SURE_CONFIDENCE):
            estimate = again
        middle = rough.samples
    elif not sure:
        return estimate
    sway = find_sway(dry, wet, middle, sample_rate_hz)
    confidence = min(estimate.confidence, DOUBTFUL_CONFIDENCE) if sway.clear else estimate.confidence
    return dataclasses.replace(estimate, confidence=confidence, sway=sway)


def _look(dry: DryWindows, wet: Track, farthest: int, near: int, clock: Alignment) -> LatencyEstimate:
    """What lies within ``farthest`` samples of ``clock``; along a drift, again within ``near`` samples."""
    found = correlate(dry, wet, farthest, clock)
    line = _level_unless_sure(found, _find_line(found))
    if line.drift_ppm:
        # Clocks that drift blur every window: look again along the line, now sure that there is a drift.
        clock = Alignment(latency_samples=clock.latency_samples + float(line.lags(np.zeros(1))[0]),
                          drift_ppm=line.drift_ppm)
        found = correlate(dry, wet, near, clock)
        line = _find_line(found)
    response = np.average(found.around(line.lags(found.centres), REACH_SAMPLES), axis=0, weights=_evidence(found))
    onset = find_onset(response)
    start = clock.latency_samples + float(line.lags(np.zeros(1))[0])
    confidence = _confidence(line, _evidence(found), onset)
    if line.sharpness > SHARPER and not clock.drift_ppm:
        confidence = min(confidence, DOUBTFUL_CONFIDENCE)
    return LatencyEstimate(start + onset.lag_samples, onset.inverted, clock.drift_ppm + line.drift_ppm,
                           line.drift_error_ppm, confidence, response, start - REACH_SAMPLES, found, line)


def _evidence(found: Correlations) -> Signal:
    return np.maximum(found.strengths() - CHANCE_STRENGTH, 0.0) + 1e-6


def _find_line(found: Correlations) -> ClockLine:
    evidence = _evidence(found)
    peaks = found.lags[np.argmax(np.abs(found.values), axis=1)].astype(np.float64)
    return sharpen_line(found, vote_line(found.centres, peaks, evidence, VOTE_TOLERANCE_SAMPLES), evidence)


def _level_unless_sure(found: Correlations, line: ClockLine) -> ClockLine:
    """A drift that could be chance, or the pedal's own change from loud to soft playing, is none."""
    level = dataclasses.replace(line, drift_ppm=0.0)
    amount = abs(line.drift_ppm) * 1e-6 * float(np.ptp(found.centres))
    response = np.average(found.around(line.lags(found.centres), REACH_SAMPLES), axis=0, weights=_evidence(found))
    own = OWN_DRIFT_SAMPLES[0] + OWN_DRIFT_SAMPLES[1] * (1.0 - shared_innovation(response))
    errors = LIKELY_ERRORS if line.sharpness > SHARPER else SURE_ERRORS
    return line if amount > own and abs(line.drift_ppm) > errors * line.drift_error_ppm else level


def _confidence(line: ClockLine, evidence: Signal, onset: Onset) -> float:
    total = float(np.sum(evidence))
    if total < 1e-3 or np.count_nonzero(line.agreeing) < min(3, len(evidence)):
        return 0.0
    agreeing = float(np.sum(evidence[line.agreeing])) / total
    return agreeing * float(np.clip(onset.clarity - 1.0, 0.0, 1.0))
