"""The 12AX7: what flows into its plate and its grid, and how steeply.

Sources: Koren, "Improved vacuum-tube models for SPICE simulations", Glass Audio 8(5), 1996 (plate current, with his
12AX7); Dempwolf, Zölzer, "A physically-motivated triode model for circuit simulations", DAFx 2011 (grid current).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Volts = NDArray[np.float64]
Amperes = NDArray[np.float64]

_SMALLEST_EXPONENT = -100.0
"""Below it the current is less than 1e-40 A, and its steepness must not become 0/0."""


@dataclass(frozen=True)
class Triode:
    """Parameters of one kind of triode; the default is a 12AX7.

    Attributes:
        mu, exponent, kg1, kp, kvb: Koren's. grid_perveance, grid_knee, grid_exponent: Dempwolf's G, C and ξ.
    """

    mu: float = 100.0
    exponent: float = 1.4
    kg1: float = 1060.0
    kp: float = 600.0
    kvb: float = 300.0
    grid_perveance: float = 6.06e-4
    grid_knee: float = 13.9
    grid_exponent: float = 1.354

    def plate_current(self, plate_v: Any, grid_v: Any) -> tuple[Amperes, Amperes]:
        """Amperes into the plate, and their derivative by the plate's volts (A/V); volts are against the cathode.

        The plate must be positive.
        """
        reach = 1.0 / np.sqrt(self.kvb + plate_v * plate_v)
        open_ = np.exp(np.maximum(self.kp * (1.0 / self.mu + grid_v * reach), _SMALLEST_EXPONENT))
        drive = np.log1p(open_) / self.kp
        effective_v = plate_v * drive
        current = 2.0 / self.kg1 * effective_v**self.exponent
        steepness = drive - open_ / (1.0 + open_) * grid_v * plate_v * plate_v * reach**3
        return current, self.exponent * current / effective_v * steepness

    def grid_current(self, grid_v: Any) -> tuple[Amperes, Amperes]:
        """Amperes into the grid, and their derivative by its volts (A/V), which are against the cathode."""
        open_ = np.exp(np.maximum(self.grid_knee * grid_v, _SMALLEST_EXPONENT))
        effective_v = np.log1p(open_) / self.grid_knee
        current = self.grid_perveance * effective_v**self.grid_exponent
        return current, self.grid_exponent * current / effective_v * open_ / (1.0 + open_)
