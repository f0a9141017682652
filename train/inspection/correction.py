"""What ``train`` does about latency, polarity and drift, and the sentences that say so.

Only what is sure is corrected: half a sample of doubt is less harm than a correction of something that was the pedal's.
"""

from neuralpedal.contract.alignment import Alignment
from neuralpedal.contract.pair import RecordingPair, is_copy
from neuralpedal.train.inspection.latency import SURE_CONFIDENCE, LatencyEstimate, estimate_latency

SMALLEST_LATENCY_SAMPLES = 0.8
"""The estimate is good to half a sample; a pedal with nothing to correct stays below this."""
SHORTEST_S = 1.0
"""Less than this, laid side by side, says nothing."""
CORRECTED_CODES = frozenset({"latency", "inverted", "drift"})
"""Problems that a correction takes away."""


def choose_alignment(estimate: LatencyEstimate) -> Alignment:
    """The correction for an estimate; the identity where there is nothing to correct or nothing is sure.

    Without drift a latency is rounded: the estimate is no finer than that, and whole shifts leave samples untouched.
    """
    if estimate.confidence < SURE_CONFIDENCE:
        return Alignment()
    if estimate.drift_ppm:
        return Alignment(latency_samples=round(estimate.latency_samples, 3), inverted=estimate.inverted,
                         drift_ppm=round(estimate.drift_ppm, 3))
    late = abs(estimate.latency_samples) >= SMALLEST_LATENCY_SAMPLES
    return Alignment(latency_samples=float(round(estimate.latency_samples)) if late else 0.0,
                     inverted=estimate.inverted)


def find_alignment(pair: RecordingPair) -> Alignment:
    """The correction of a pair, without the rest of an inspection; the identity for one too short to tell."""
    if pair.dry.seconds < SHORTEST_S or is_copy(pair.dry.samples, pair.wet.samples):
        return Alignment()
    return choose_alignment(estimate_latency(pair.dry.samples, pair.wet.samples, pair.sample_rate_hz))


def corrections(alignment: Alignment, wet: str) -> list[str]:
    """One sentence for each thing that ``alignment`` does to the wet track called ``wet``."""
    said = []
    if alignment.latency_samples:
        direction = "late" if alignment.latency_samples > 0 else "early"
        said.append(f"{wet}: {abs(alignment.latency_samples):g} samples {direction}; moved")
    if alignment.inverted:
        said.append(f"{wet}: polarity inverted; turned back")
    if alignment.drift_ppm:
        said.append(f"{wet}: its clock drifts by {alignment.drift_ppm:+.2f} ppm; resampled")
    return said
