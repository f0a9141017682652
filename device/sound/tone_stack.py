"""Bass, mid and treble of a guitar amplifier: the passive network itself, not three filters that resemble it.

The knobs of such a network act upon each other, and its dip in the middle is half of the sound; three biquads know
nothing of that. It is solved from its parts (nodal analysis, the voltages of its three capacitors as state) and made
discrete by the trapezoidal rule, that is the bilinear transform. Because the state is that of the capacitors, a knob
that is turned leaves it as it is, as in the amplifier, and old and new setting fade into each other without a click.

A block is one product of a matrix and a vector: what a recursion does to 64 samples is linear in them and in the state.

Source: D. T. Yeh, J. O. Smith, "Discretization of the '59 Fender Bassman Tone Stack", DAFx 2006, whose transfer
function the tests compare with.
"""

from dataclasses import dataclass
from math import exp
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuralpedal.device.engine import Block
from neuralpedal.device.pedal_file import ToneSettings
from neuralpedal.device.ramp import Ramp
from neuralpedal.device.sound.makeup import makeup_gain
from neuralpedal.device.sound.stage import Stage

_PIECE = 64
"""Samples per product. OpenBLAS would give longer ones to several threads, which no audio thread may wait for."""

_STATE = 4
"""Three capacitors and the sample before."""

_LISTENING_S = 0.1
"""The network's slowest time constant is some 20 ms."""

_LEAST_OHM = 1.0
_TAPER = 3.4
"""The bass pot is logarithmic: half way it has 18 % of its resistance. Source: as above."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Circuit:
    """Parts of a tone stack, in ohms and farads: pots of treble, bass and mid, the slope resistor, the capacitors."""

    treble_ohm: float
    bass_ohm: float
    mid_ohm: float
    slope_ohm: float
    treble_farad: float
    bass_farad: float
    mid_farad: float


CIRCUITS = {
    "fender": Circuit(250e3, 1e6, 25e3, 56e3, 250e-12, 20e-9, 20e-9),
    "marshall": Circuit(220e3, 1e6, 22e3, 33e3, 470e-12, 22e-9, 22e-9),
}
"""Fender Bassman 5F6-A and Marshall JCM800."""


class Analog(NamedTuple):
    """dx/dt = A x + b u; y = c x + d u: u the input, x (3,) the capacitors' voltages, y the output."""

    a: Matrix
    b: Matrix
    c: Matrix
    d: float

    def response(self, frequency_hz: NDArray[np.float64]) -> NDArray[np.complex128]:
        """The complex gain at frequencies (F,)."""
        s = 2j * np.pi * frequency_hz[:, np.newaxis, np.newaxis]
        x: NDArray[Any] = np.linalg.solve(s * np.eye(3) - self.a,
                                                    np.broadcast_to(self.b[:, np.newaxis], (len(s), 3, 1)))
        found: NDArray[np.complex128] = (self.c @ x)[:, 0] + self.d
        return found


def analog_stack(circuit: Circuit, treble: float, mid: float, bass: float) -> Analog:
    """The network with its wipers at places from 0 to 1 (of the resistance: a pot's taper is not in it).

    Unloaded, driven by a source without resistance.
    """
    # Nodes: 0 top of the treble pot, 1 its wiper (output), 2 its foot, 3 behind the slope resistor, 4 top of the mid
    # pot, 5 its wiper. IN is the source, GROUND the earth.
    source, ground = 6, 7
    part = circuit
    resistors = ((0, 1, (1 - treble) * part.treble_ohm), (1, 2, treble * part.treble_ohm), (source, 3, part.slope_ohm),
                 (2, 4, bass * part.bass_ohm), (4, 5, (1 - mid) * part.mid_ohm), (5, ground, mid * part.mid_ohm))
    capacitors = ((source, 0, part.treble_farad), (3, 2, part.bass_farad), (3, 5, part.mid_farad))
    nodes, states = 6, len(capacitors)
    left = np.zeros((nodes + states, nodes + states))
    right = np.zeros((nodes + states, states + 1))  # of the capacitors' voltages and of the input
    for one, other, ohm in resistors:
        siemens = 1.0 / max(_LEAST_OHM, ohm)
        for here, there in ((one, other), (other, one)):
            if here < nodes:
                left[here, here] += siemens
                if there < nodes:
                    left[here, there] -= siemens
                elif there == source:
                    right[here, states] += siemens
    for place, (one, other, _) in enumerate(capacitors):
        row = nodes + place
        right[row, place] = 1.0
        for node, sign in ((one, 1.0), (other, -1.0)):
            if node < nodes:
                left[row, node] = left[node, row] = sign
            else:
                right[row, states] -= sign
    solved = np.linalg.solve(left, right)
    slopes: Any = solved[nodes:] / np.array([farad for *_, farad in capacitors])[:, np.newaxis]
    output: Any = solved[1]
    return Analog(slopes[:, :states], slopes[:, states], output[:states], float(output[states]))


def wipers(settings: ToneSettings) -> tuple[float, float, float]:
    """Where the wipers of treble, mid and bass stand for knobs from 0 to 10."""
    return settings.treble / 10.0, settings.mid / 10.0, exp((settings.bass / 10.0 - 1.0) * _TAPER)


def block_matrix(analog: Analog, length: int, sample_rate_hz: float, gain: float = 1.0) -> Matrix:
    """What maps state (4,) and ``length`` samples to state and samples, as (4 + length, 4 + length)."""
    half = 0.5 / sample_rate_hz
    inverse = np.linalg.inv(np.eye(3) - half * analog.a)
    step, drive = inverse @ (np.eye(3) + half * analog.a), inverse @ (half * analog.b)
    size = _STATE + length
    inputs = np.eye(size)
    state, before = inputs[:3], inputs[3]
    found = np.empty((size, size))
    for index in range(length):
        now = inputs[_STATE + index]
        state = step @ state + np.outer(drive, before + now)
        found[_STATE + index] = gain * (analog.c @ state + analog.d * now)
        before = now
    found[:3], found[3] = state, before
    return found


class ToneStack(Stage):
    """See the module. The gain of the amplifier behind it is that which leaves the level with all knobs in the middle.

    Args:
        settings: knobs from 0 to 10.
    """

    def __init__(self, settings: ToneSettings, block_size: int, sample_rate_hz: int, fade: int) -> None:
        self._rate_hz, self._fade = sample_rate_hz, fade
        self._bounds = [(start, min(start + _PIECE, block_size)) for start in range(0, block_size, _PIECE)]
        self._lengths = sorted({end - start for start, end in self._bounds})
        self._now, self._next = _Player(self._lengths), _Player(self._lengths)
        self._change = Ramp(0.0, block_size)
        self._other = np.zeros(block_size, np.float32)
        self._now.matrices = self._matrices(settings)
        self._wanted: dict[int, Matrix] | None = None
        self._changing = False
        self.memory_samples = round(_LISTENING_S * sample_rate_hz)

    def change(self, settings: ToneSettings) -> None:
        """Other knobs, or another circuit, in one fade. From one thread that is not the audio thread."""
        self._wanted = self._matrices(settings)

    def process(self, dry: Block, wet: Block) -> None:
        """One block. Real-time safe but for short-lived views of memory."""
        wanted = self._wanted
        if wanted is not None and not self._changing:
            self._next.matrices = wanted
            self._next.state[...] = self._now.state
            self._changing = True
        if not self._changing:
            self._now.play(dry, wet, self._bounds)
            return
        self._next.play(dry, self._other, self._bounds)
        self._now.play(dry, wet, self._bounds)
        if self._change.cross_over(wet, self._other, self._fade):
            self._change.jump(0.0)
            self._now, self._next = self._next, self._now
            self._changing = False
            if self._wanted is self._now.matrices:
                self._wanted = None

    def reset(self) -> None:
        """Capacitors empty. Real-time safe."""
        self._now.state[...] = 0.0
        self._next.state[...] = 0.0

    def _matrices(self, settings: ToneSettings) -> dict[int, Matrix]:
        circuit = CIRCUITS[settings.circuit]
        middle = analog_stack(circuit, *wipers(ToneSettings(circuit=settings.circuit)))
        gain = makeup_gain(middle.response)
        analog = analog_stack(circuit, *wipers(settings))
        return {length: block_matrix(analog, length, self._rate_hz, gain) for length in self._lengths}


class _Player:
    """One setting of the network, and where its capacitors are."""

    def __init__(self, lengths: list[int]) -> None:
        self.matrices: dict[int, Matrix] = {}
        self.state = np.zeros(_STATE)
        self._vectors = {length: (np.zeros(_STATE + length), np.zeros(_STATE + length)) for length in lengths}

    def play(self, dry: Block, wet: Block, bounds: list[tuple[int, int]]) -> None:
        """One block. Real-time safe."""
        for start, end in bounds:
            given, answer = self._vectors[end - start]
            given[:_STATE] = self.state
            given[_STATE:] = dry[start:end]
            np.dot(self.matrices[end - start], given, out=answer)
            self.state[...] = answer[:_STATE]
            wet[start:end] = answer[_STATE:]
