"""A common-cathode triode stage as a circuit, solved for many moments of a track side by side.

    in ─ C ─┬─ R series ─┬─ grid      supply ─ R plate ─┬─ plate ─ out
            ⋯            R leak                         ┆
                         ⏚           cathode ─ R ∥ C ─ ⏚

Two capacitors remember: the coupling one, which grid current charges in loud passages, so that the stage is biased
colder for some 10 ms afterwards, and that of the cathode, which follows the mean current. Both are thousands of times
slower than a step and are integrated explicitly; the two fast unknowns of each moment, the grid's and the plate's
volts, are solved to the end by Newton's method. Both functions are convex and rising, so no step overshoots its root.

As both memories fade, the track is cut into pieces that begin early enough, and NumPy takes one step of all pieces at
a time.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from neuralpedal.cli.virtual.triode import Triode

Signal = NDArray[np.float64]

_SETTLED_PLATE_V, _SETTLED_GRID_V = 0.05, 2e-3
"""A step this small is the last: convergence is quadratic, so what is left is about 3e-5 V, of ±100 V and ±5 V."""
_FORGOTTEN_TIME_CONSTANTS = 8.0
"""What a piece does not know of its past has faded to e^−8 even where the tube was cut off all the time; while it
conducts it halves the cathode's resistance, and e^−16 is left."""
_MAX_PIECES = 768


@dataclass(frozen=True)
class TubeStage:
    """One stage; the defaults are the second stage of a black-panel amplifier of the sixties.

    Attributes:
        supply_v, plate_ohm, cathode_ohm, cathode_f: around the tube.
        coupling_f: infinite where a wire leads to the grid. series_ohm: what drives the grid: the source's own
            resistance and a grid stopper. leak_ohm: grid to ground.
    """

    supply_v: float = 300.0
    plate_ohm: float = 100e3
    cathode_ohm: float = 1.5e3
    cathode_f: float = 25e-6
    coupling_f: float = 22e-9
    series_ohm: float = 68e3
    leak_ohm: float = 470e3
    triode: Triode = field(default_factory=Triode)

    @property
    def memory_s(self) -> float:
        """The longer time constant: coupling capacitor into the leak, or cathode capacitor into its resistor."""
        coupling = self.coupling_f * (self.series_ohm + self.leak_ohm) if np.isfinite(self.coupling_f) else 0.0
        return max(coupling, self.cathode_f * self.cathode_ohm)

    def operating_point(self) -> tuple[float, float]:
        """Volts of plate and cathode against ground, at rest."""
        cathode_v, plate_v = 0.0, self.supply_v
        # The cathode's volts settle by a damped iteration: more current lifts the cathode, which lets less flow.
        for _ in range(200):
            plate_v = float(self._plate_volts(np.array([plate_v]), np.array([-cathode_v]), np.array([cathode_v]))[0])
            current = (self.supply_v - plate_v) / self.plate_ohm
            cathode_v += 0.3 * (self.cathode_ohm * current - cathode_v)
        return plate_v, cathode_v

    def process(self, source_v: Signal, sample_rate_hz: float) -> Signal:
        """Volts of the plate around its rest, (T,), for the source's volts (T,), from rest. Not real-time safe."""
        past = round(_FORGOTTEN_TIME_CONSTANTS * self.memory_s * sample_rate_hz)
        length = max(past // 4, -(-len(source_v) // _MAX_PIECES), 1)
        pieces = -(-len(source_v) // length)
        padded = np.zeros(past + pieces * length)
        padded[past : past + len(source_v)] = source_v
        # Steps first: a step of all pieces lies together in memory.
        sources = np.ascontiguousarray(sliding_window_view(padded, past + length)[::length].T)
        return self._run(sources, past, sample_rate_hz).T.reshape(-1)[: len(source_v)]

    def _run(self, sources: Signal, past: int, sample_rate_hz: float) -> Signal:
        """Plate volts (steps − past, pieces) for source volts (steps, pieces)."""
        rest_v, rest_cathode_v = self.operating_point()
        pieces = sources.shape[1]
        plate, cathode = np.full(pieces, rest_v), np.full(pieces, rest_cathode_v)
        grid = grid_before = coupling = np.zeros(pieces)
        plate_before = plate
        # Volts that an ampere adds in one step; none where the coupling is a wire.
        charge_cathode = 1.0 / (self.cathode_f * sample_rate_hz)
        charge_coupling = 1.0 / (self.coupling_f * sample_rate_hz)
        cathode_before = coupling_before = np.zeros(pieces)
        result = np.empty((len(sources) - past, pieces))
        for step, source in enumerate(sources):
            drive = source - coupling
            # A straight line through the last two moments is a better guess than the last one: it spares an iteration.
            grid, grid_before = self._grid_volts(2.0 * grid - grid_before, drive, cathode), grid
            plate, plate_before = self._plate_volts(2.0 * plate - plate_before, grid - cathode, cathode), plate
            if step >= past:
                result[step - past] = plate
            coupling_now = (drive - grid) / self.series_ohm
            grid_ampere = coupling_now - grid / self.leak_ohm
            cathode_now = (self.supply_v - plate) / self.plate_ohm + grid_ampere - cathode / self.cathode_ohm
            # Adams and Bashforth's second-order step.
            coupling = coupling + charge_coupling * (1.5 * coupling_now - 0.5 * coupling_before)
            cathode = cathode + charge_cathode * (1.5 * cathode_now - 0.5 * cathode_before)
            coupling_before, cathode_before = coupling_now, cathode_now
        result -= rest_v
        return result

    def _grid_volts(self, guess: Signal, drive: Signal, cathode: Signal) -> Signal:
        """Grid against ground, where the source's current is that of the leak and of the grid."""
        conductance = 1.0 / self.series_ohm + 1.0 / self.leak_ohm
        volts = guess
        while True:
            current, steepness = self.triode.grid_current(volts - cathode)
            change = (conductance * volts + current - drive / self.series_ohm) / (conductance + steepness)
            volts = volts - change
            if np.abs(change).max() < _SETTLED_GRID_V:
                return volts

    def _plate_volts(self, guess: Signal, grid_cathode: Signal, cathode: Signal) -> Signal:
        """Plate against ground, where the plate resistor's current is the tube's."""
        # The tube's law ends at the cathode's volts; from above them Newton's steps never cross that line.
        volts = np.maximum(guess, cathode + 1.0)
        while True:
            current, steepness = self.triode.plate_current(volts - cathode, grid_cathode)
            change = (volts - self.supply_v + self.plate_ohm * current) / (1.0 + self.plate_ohm * steepness)
            volts = volts - change
            if np.abs(change).max() < _SETTLED_PLATE_V:
                return volts
