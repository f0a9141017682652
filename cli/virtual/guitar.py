"""Electric guitar playing, synthesised: what is played into pedals, and the demo without a recording.

A network learns only what it was played, so the performance covers what a player does: single-note riffs, bends,
vibrato, strummed and picked chords, palm mutes, rests in which the strings die away, and dynamics over 30 dB. Styles
and dynamics change with every bar, because a validation split taken from the end must hold all of them too.

A string is a loop: what the pick put in travels round, and each turn loses a little, the treble most. Stiffness
(sharp overtones) and the second polarisation are left out: neither changes what a pedal has to answer to.

Source: Jaffe, Smith, "Extensions of the Karplus-Strong Plucked-String Algorithm", Computer Music Journal 7(2), 1983.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.signal import bilinear, lfilter
from scipy.special import ive

from neuralpedal.contract.errors import SpecError

Signal = NDArray[np.float64]
Note = tuple[int, int]  # string, 0 is the low E; fret, 0 is the open string

PEAK = 0.75
HISS_DBFS = -90.0
TUNING_MIDI = (40, 45, 50, 55, 59, 64)
"""Open strings E2 A2 D3 G3 B3 E4 as MIDI note numbers."""

STRING_T60_S = ((9.0, 0.9), (8.0, 0.9), (7.0, 0.8), (6.0, 1.0), (5.0, 0.9), (4.5, 0.8))
"""Seconds in which a string falls by 60 dB: its lowest partials, and those at 4 kHz."""
PALM_MUTE_T60_S = (0.35, 0.04)

_TREBLE_HZ = 4000.0
_RELEASE_S = 0.015
_NOTE_S = 0.6

_BAR_VELOCITIES = (1.0, 0.12, 0.5, 0.035, 0.85, 0.25)
_MINOR_PENTATONIC = (0, 3, 5, 7, 10)
_PROGRESSION = ((0, "minor"), (8, "major"), (3, "major"), (10, "major"))
"""Chords i VI III VII of a minor key: semitones above the key note, and kind."""
_BARRE_SHAPES = {(0, "major"): (0, 2, 2, 1, 0, 0), (0, "minor"): (0, 2, 2, 0, 0, 0),
                 (1, "major"): (0, 2, 2, 2, 0), (1, "minor"): (0, 2, 2, 1, 0)}
"""Frets above the barre from the root's string up, by that string and the kind."""


@dataclass(frozen=True)
class Pluck:
    """One stroke of the pick.

    Attributes:
        start_s, length_s: when it sounds, and how long until a finger stops the string.
        velocity: 0 to 1, proportional to the amplitude; a harder stroke is brighter too.
        bend_semitones: the pitch is pushed up by this much within the first 0.25 s.
        vibrato_cents: depth of a 5.5 Hz vibrato that sets in after 0.3 s.
    """

    start_s: float
    length_s: float
    note: Note
    velocity: float
    muted: bool = False
    bend_semitones: float = 0.0
    vibrato_cents: float = 0.0


def synthesize_guitar(seconds: float, sample_rate_hz: int, seed: int) -> NDArray[np.float32]:
    """A guitar plugged straight in (DI): (T,), T = round(seconds · rate), peak 0.75 of full scale, the same for a seed.

    Raises:
        SpecError: shorter than 1 s, or a rate below 16 kHz.
    """
    if not 1.0 <= seconds < np.inf or sample_rate_hz < 16000:
        raise SpecError(f"guitar: {seconds} s at {sample_rate_hz} Hz; wanted at least 1 s, at 16000 Hz or more")
    rng = np.random.default_rng(seed)
    return _play(_perform(seconds, rng), seconds, sample_rate_hz, rng)


def synthesize_notes(seconds: float, sample_rate_hz: int, seed: int,
                     velocities: tuple[float, ...] = (1.0, 0.3, 0.03, 0.55, 0.1, 0.17)) -> NDArray[np.float32]:
    """Single notes all over the neck, each from pick to silence, in turn as loud as ``velocities`` say; as above.

    Raises:
        SpecError: as above.
    """
    if not 1.0 <= seconds < np.inf or sample_rate_hz < 16000:
        raise SpecError(f"notes: {seconds} s at {sample_rate_hz} Hz; wanted at least 1 s, at 16000 Hz or more")
    rng = np.random.default_rng(seed)
    starts_s = np.arange(0.0, seconds - 0.2, _NOTE_S)
    levels = [velocities[index % len(velocities)] for index in range(len(starts_s))]
    plucks = [Pluck(float(start_s), 0.9 * _NOTE_S, (int(rng.integers(0, 6)), int(rng.integers(0, 16))), velocity)
              for start_s, velocity in zip(starts_s, levels, strict=True)]
    return _play(plucks, seconds, sample_rate_hz, rng)


def _play(plucks: list[Pluck], seconds: float, sample_rate_hz: int, rng: np.random.Generator) -> NDArray[np.float32]:
    mix = np.zeros(round(seconds * sample_rate_hz))
    for pluck in _stop_strings(plucks, seconds):
        sound = _render(pluck, sample_rate_hz, rng)
        room = mix[round(pluck.start_s * sample_rate_hz) :][: len(sound)]
        room += sound[: len(room)]
    mix = _electronics(mix, sample_rate_hz)
    mix *= PEAK / np.max(np.abs(mix))
    mix += 10.0 ** (HISS_DBFS / 20.0) * rng.standard_normal(len(mix))
    return mix.astype(np.float32)


def pluck_string(frequency_hz: float, seconds: float, sample_rate_hz: int, rng: np.random.Generator,
                 velocity: float = 0.7, t60_s: tuple[float, float] = STRING_T60_S[2], pick_position: float = 0.16,
                 pickup_position: float = 0.13) -> Signal:
    """One note at the pickup, float64 (T,), about ``velocity`` high at its start.

    Args:
        frequency_hz: up to a fifteenth of the sample rate; the tuning is exact, between samples too.
        t60_s: as ``STRING_T60_S``.
        pick_position, pickup_position: distance from the bridge as a share of the sounding length, 0 to 0.5.
    """
    period = sample_rate_hz / frequency_hz
    wave = np.zeros(round(seconds * sample_rate_hz))
    stroke = _stroke(period, sample_rate_hz, rng, velocity, pick_position)[: len(wave)]
    wave[: len(stroke)] = stroke
    _circulate(wave, *_loop(period, sample_rate_hz, t60_s))
    # The wave passes the pickup again, upside down, after its way to the bridge and back.
    way = max(1, round(pickup_position * period))
    wave[way:] -= wave[:-way].copy()
    return wave


def _stroke(period: float, sample_rate_hz: int, rng: np.random.Generator, velocity: float,
            pick_position: float) -> Signal:
    """The velocity wave of a string let go by a pick: a pulse as long as the way to the bridge, without its mean.

    It holds the 1/n slope of the partials and the notches of the pick's place. A soft stroke is rounder.
    """
    places = np.arange(int(period))
    pulse = (places < pick_position * period) + 0.08 * rng.standard_normal(len(places))
    pulse = np.concatenate([pulse - pulse.mean(), np.zeros(len(pulse))])
    cutoff_hz = min(1200.0 + 5500.0 * np.sqrt(velocity), 0.4 * sample_rate_hz)
    pole = np.exp(-2 * np.pi * cutoff_hz / sample_rate_hz)
    return velocity * lfilter([(1 - pole) ** 2], [1, -2 * pole, pole**2], pulse)


def _loop(period: float, sample_rate_hz: int, t60_s: tuple[float, float]) -> tuple[int, Signal]:
    """What a turn does to the wave: a whole delay in samples, and FIR taps for the losses and the fraction.

    The losses grow with the square of the frequency. Their kernel is the discrete Gaussian e^−t·I_n(t), whose gain
    exp(−t(1 − cos ω)) never exceeds 1, so that no setting can make the string unstable.
    Source: Lindeberg, "Scale-Space for Discrete Signals", IEEE Trans. PAMI 12(3), 1990.
    """
    bass_t60_s, treble_t60_s = t60_s
    loss = np.log(1000.0) * period / sample_rate_hz
    width = loss * (1 / treble_t60_s - 1 / bass_t60_s) / (1 - np.cos(2 * np.pi * _TREBLE_HZ / sample_rate_hz))
    whole, centre = int(period), 2
    half = max(1, min(int(4 * np.sqrt(width)) + 3, whole // 2 - 4))
    losses = ive(np.abs(np.arange(-half, half + 1)), width)
    losses *= np.exp(-loss / bass_t60_s) / losses.sum()
    return whole - half - centre, np.convolve(losses, _lagrange(centre + period - whole))


def _lagrange(delay: float) -> Signal:
    """Taps that delay by ``delay`` samples: fifth-order Lagrange interpolation, exact far above any fundamental."""
    nodes = range(6)
    return np.array([np.prod([(delay - k) / (node - k) for k in nodes if k != node]) for node in nodes])


def _circulate(wave: Signal, lag: int, taps: Signal) -> None:
    """Run y[n] = x[n] + Σ taps[k]·y[n − lag − k] in place, ``lag`` samples at a time: they need nothing newer."""
    reach = lag + len(taps) - 1
    line = np.concatenate([np.zeros(reach), wave])
    for start in range(reach, len(line), lag):
        turn = np.convolve(line[start - reach : start], taps, "valid")
        line[start : start + lag] += turn[: len(line) - start]
    wave[:] = line[reach:]


def _render(pluck: Pluck, sample_rate_hz: int, rng: np.random.Generator) -> Signal:
    """The sound of one stroke, its end damped by a finger."""
    string, fret = pluck.note
    time_s = np.arange(round((pluck.length_s + 6 * _RELEASE_S) * sample_rate_hz)) / sample_rate_hz
    places = _bent_time(pluck, time_s) * sample_rate_hz
    # Fretting shortens the string, but pick and pickup stay where they are.
    shorter = 2.0 ** (fret / 12)
    sound = pluck_string(
        440.0 * 2.0 ** ((TUNING_MIDI[string] + fret - 69) / 12), (places[-1] + 3) / sample_rate_hz, sample_rate_hz, rng,
        pluck.velocity, PALM_MUTE_T60_S if pluck.muted else STRING_T60_S[string],
        min(rng.uniform(0.12, 0.2) * shorter, 0.5), min(0.13 * shorter, 0.5),
    )
    if pluck.bend_semitones or pluck.vibrato_cents:
        sound = map_coordinates(sound, places[np.newaxis], order=3, mode="nearest")
    return sound[: len(time_s)] * np.exp(-np.maximum(time_s - pluck.length_s, 0.0) / _RELEASE_S)


def _bent_time(pluck: Pluck, time_s: Signal) -> Signal:
    """The string's own time in seconds: it runs faster while the string is stretched, notches of the pickup too."""
    push = np.clip((time_s - 0.06) / 0.19, 0.0, 1.0)
    shake = np.clip((time_s - 0.3) / 0.3, 0.0, 1.0) * np.sin(np.pi * 5.5 * (time_s - 0.3)) ** 2
    semitones = pluck.bend_semitones * push**2 * (3 - 2 * push) + pluck.vibrato_cents / 100 * shake
    return np.concatenate([[0.0], np.cumsum(2.0 ** (semitones[:-1] / 12))]) * time_s[1]


def _electronics(signal: Signal, sample_rate_hz: int) -> Signal:
    """Pickup coil and cable: a second-order low-pass that resonates at 4.5 kHz."""
    resonance, quality = 2 * np.pi * 4500.0, 1.3
    return lfilter(*bilinear([resonance**2], [1, resonance / quality, resonance**2], sample_rate_hz), signal)


def _stop_strings(plucks: list[Pluck], seconds: float) -> Iterator[Pluck]:
    """Cut each note where its string is struck again, and all of them just before the end."""
    struck_again_s = [seconds - 0.1] * len(TUNING_MIDI)
    for pluck in sorted(plucks, key=lambda pluck: pluck.start_s, reverse=True):
        length_s = min(pluck.length_s, struck_again_s[pluck.note[0]] - pluck.start_s)
        if length_s > 0:
            struck_again_s[pluck.note[0]] = pluck.start_s
            yield replace(pluck, length_s=length_s)


def _perform(seconds: float, rng: np.random.Generator) -> list[Pluck]:
    """Bars until the time is full; styles and dynamics come from shuffled decks, so that none stays away for long."""
    beat_s, key_fret = 60.0 / rng.integers(96, 133), int(rng.integers(0, 6))
    styles, velocities = _deck(_STYLES, rng), _deck(_BAR_VELOCITIES, rng)
    plucks: list[Pluck] = []
    for index, start_s in enumerate(np.arange(0.25, seconds, 4 * beat_s)):
        interval, kind = _PROGRESSION[index % len(_PROGRESSION)]
        bar = _Bar(start_s, beat_s, next(velocities), key_fret, _barre_chord((key_fret + interval) % 12, kind), rng)
        plucks += next(styles)(bar)
    return plucks


def _deck(cards: tuple[Any, ...], rng: np.random.Generator) -> Iterator[Any]:
    while True:
        yield from (cards[index] for index in rng.permutation(len(cards)))


def _barre_chord(root_fret: int, kind: str) -> list[Note]:
    """Lowest string first; the root lies on the low E string or, where that is nearer to the nut, on the A string."""
    string, barre = min((0, root_fret), (1, (root_fret - 5) % 12), key=lambda place: place[1])
    return [(string + index, barre + fret) for index, fret in enumerate(_BARRE_SHAPES[string, kind])]


@dataclass(frozen=True)
class _Bar:
    """One bar to fill: when it starts, how loud, in which key (fret on the low E string), on which chord."""

    start_s: float
    beat_s: float
    velocity: float
    key_fret: int
    chord: list[Note]
    rng: np.random.Generator

    def pluck(self, beat: float, beats: float, note: Note, share: float = 1.0, **manner: Any) -> Pluck:
        """A note at ``beat``, some milliseconds and about a decibel away from perfect."""
        start_s = self.start_s + beat * self.beat_s + abs(self.rng.normal(0.0, 0.004))
        velocity = min(self.velocity * share * float(np.exp(self.rng.normal(0.0, 0.08))), 1.0)
        return Pluck(start_s, beats * self.beat_s, note, velocity, **manner)

    def strum(self, beat: float, beats: float, notes: list[Note], share: float) -> list[Pluck]:
        """``notes`` in their order, some milliseconds apart."""
        spread = self.rng.uniform(0.006, 0.025) / self.beat_s
        return [self.pluck(beat + index * spread, beats, note, share) for index, note in enumerate(notes)]

    def box(self, degree: int, octave: int = 0) -> Note:
        """Note 0 to 11 of the minor pentatonic at the key's fret, two notes a string."""
        string = degree // 2
        semitones = 12 * (degree // 5) + _MINOR_PENTATONIC[degree % 5] + TUNING_MIDI[0] - TUNING_MIDI[string]
        return string, self.key_fret + 12 * octave + semitones


def _strummed(bar: _Bar) -> list[Pluck]:
    """Down, down-up, up, down-up; an up stroke catches the high strings only."""
    down, up = bar.chord, bar.chord[:-5:-1]
    strokes = ((0.0, down), (1.0, down), (1.5, up), (2.5, up), (3.0, down), (3.5, up))
    return [pluck for beat, notes in strokes for pluck in bar.strum(beat, 2.0, notes, 0.38 if notes is down else 0.3)]


def _left_to_ring(bar: _Bar) -> list[Pluck]:
    """One chord for half the bar, then silence."""
    return bar.strum(0.0, 2.0, bar.chord, 0.4)


def _picked(bar: _Bar) -> list[Pluck]:
    """One string an eighth, down and up the chord, all ringing until the bar is over."""
    down_up = bar.chord[::-1] + bar.chord[1:-1]
    return [bar.pluck(eighth / 2, 4.0 - eighth / 2, down_up[eighth % len(down_up)], 0.55) for eighth in range(8)]


def _riff(bar: _Bar) -> list[Pluck]:
    """A walk over the low strings in eighths, with gaps and sixteenths."""
    plucks, degree = [], 0
    for beat in np.arange(8) / 2:
        chance = bar.rng.uniform()
        if beat == 0 or chance > 0.15:
            plucks.append(bar.pluck(beat, 0.45, bar.box(degree), 0.9))
            plucks += [bar.pluck(beat + 0.25, 0.2, bar.box(degree), 0.7)] if chance > 0.85 else []
        degree = int(np.clip(degree + bar.rng.integers(-2, 3), 0, 6))
    return plucks


def _chugged(bar: _Bar) -> list[Pluck]:
    """Palm-muted power chords in sixteenths between open accents."""
    accents, mutes = (0.0, 1.5, 3.0), (0.5, 0.75, 1.0, 1.25, 2.0, 2.25, 2.5, 2.75, 3.5, 3.75)
    return [bar.pluck(beat, 0.48, note, 0.58, muted=beat in mutes)
            for beat in accents + mutes for note in bar.chord[:2]]


def _lead(bar: _Bar) -> list[Pluck]:
    """Long notes high up, bent by a tone or shaken."""
    plucks, degree, octave = [], int(bar.rng.integers(6, 12)), int(bar.rng.integers(0, 2))
    for beat, beats in ((0.0, 1.45), (1.5, 0.45), (2.0, 1.9)):
        manner = {"bend_semitones": 2.0} if beats > 1 and bar.rng.uniform() < 0.4 else {"vibrato_cents": 35.0}
        plucks.append(bar.pluck(beat, beats, bar.box(degree, octave), 0.9, **manner))
        degree = int(np.clip(degree + bar.rng.integers(-2, 3), 6, 11))
    return plucks


_STYLES = (_strummed, _riff, _lead, _chugged, _left_to_ring, _picked)
