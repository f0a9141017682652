"""Where the record begins against what was played, told by the sync clicks; and whether samples were lost between them.

The answers to all clicks are laid over one another. Their median holds what follows every click, and neither the next
click nor a crackle of the pedal. Where it rises out of what was there before the click, the sound arrived.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import RecordingError

Track = NDArray[np.float32]
Signal = NDArray[np.floating]

LONGEST_S = 0.5
"""A way through card and pedal that is longer is not looked for."""

_BEFORE_S, _ANSWER_S = 0.05, 0.01
_HEARD = 8.0
"""Peak of the answers over the highest of what was before the clicks."""
_RISE_SHARE, _RISE_NOISES = 0.1, 4.0
_MOST_LOST_S = 0.03
_STEADY_SAMPLES = 1


@dataclass(frozen=True)
class ClickArrival:
    """What the clicks say.

    Attributes:
        latency_samples: from click to answer, whole. clearness: peak of the answers over what was before them.
    """

    latency_samples: int
    clearness: float


def find_clicks(record: Track, groups: tuple[tuple[int, ...], ...], sample_rate_hz: int) -> ClickArrival | None:
    """Look for clicks at the places of ``groups`` in a record (T,); None where they are not heard.

    Raises:
        RecordingError: the groups lie differently far apart in the record: samples were lost.
    """
    before = round(_BEFORE_S * sample_rate_hz)
    length = before + round(LONGEST_S * sample_rate_hz)
    answers = [_median_answer(record, group, before, length) for group in groups]
    first = _onset(answers[0], before)
    if first:
        _check_steady(answers, before + first.latency_samples, sample_rate_hz)
    return _onset(_median_answer(record, tuple(place for group in groups for place in group), before, length), before)


def _onset(answer: Signal, before: int) -> ClickArrival | None:
    """Where an answer rises; None where nothing does."""
    size = np.abs(answer)
    noise, peak = float(np.max(size[: before - 1])), float(np.max(size[before:]))
    if peak <= _HEARD * noise:
        return None
    onset = int(np.argmax(size[before:] >= max(_RISE_SHARE * peak, _RISE_NOISES * noise)))
    return ClickArrival(onset, peak / max(noise, 1e-12))


def _median_answer(record: Track, places: tuple[int, ...], before: int, length: int) -> Signal:
    rows = np.zeros((len(places), length))
    for row, place in zip(rows, places, strict=True):
        heard = record[max(0, place - before) :][:length]
        row[: len(heard)] = heard
    # What the pedal plays to silence (hum, an offset) is no answer.
    return np.asarray(np.median(rows - np.median(rows[:, :before], axis=1, keepdims=True), axis=0))


def _check_steady(answers: list[Signal], onset: int, sample_rate_hz: int) -> None:
    """Groups whose answers are moved against the first group's."""
    reach, long = round(_MOST_LOST_S * sample_rate_hz), round(_ANSWER_S * sample_rate_hz)
    first = answers[0]
    shape = first[onset : onset + long]
    for number, answer in enumerate(answers[1:], start=2):
        around = np.zeros(2 * reach + long)
        begin = max(0, onset - reach)
        inside = answer[begin : onset + reach + long]
        around[begin - (onset - reach) :][: len(inside)] = inside
        moved = int(np.argmax(np.abs(np.correlate(around, shape, "valid")))) - reach
        if abs(moved) > _STEADY_SAMPLES:
            how = "late" if moved > 0 else "early"
            raise RecordingError(f"sync clicks: group {number} of {len(answers)} comes {abs(moved)} samples {how} "
                                 "against the first: samples were lost (choose larger blocks, close other programs), "
                                 "or the pedal's delay moves (chorus, vibrato: switch it off)")
