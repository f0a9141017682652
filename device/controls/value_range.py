"""What a position of a knob, a pedal or a MIDI controller means: 0 to 1 as a value between two ends."""

from dataclasses import dataclass

from neuralpedal.contract.errors import SpecError

TAPERS = ("linear", "log")


@dataclass(frozen=True)
class ValueRange:
    """Two ends, in the parameter's unit, and the way between them.

    ``log``: equal turns multiply by equal factors, for milliseconds; decibels are logarithms already. The first end may
    be the greater one: then the knob works the other way round.

    Raises:
        SpecError: a log taper whose ends are not both above 0.
    """

    begin: float
    end: float
    taper: str = "linear"

    def __post_init__(self) -> None:
        if self.taper == "log" and min(self.begin, self.end) <= 0.0:
            raise SpecError(f"taper log from {self.begin:g} to {self.end:g}: wanted two ends above 0; decibels are "
                            "logarithms already, so take linear")

    def at(self, position: float) -> float:
        """The value at a position from 0 to 1; the ends exactly."""
        if position <= 0.0:
            return self.begin
        if position >= 1.0:
            return self.end
        if self.taper == "log":
            return float(self.begin * (self.end / self.begin) ** position)
        return self.begin + (self.end - self.begin) * position
