"""What the machine did to the music: looked at once a second, beside the audio thread, for view and log."""

from typing import Any

from neuralpedal.device.block_meter import BlockMeter
from neuralpedal.device.vitals import Vitals, VitalsReader
from neuralpedal.device.xrun_cause import likely_cause

_SHOWN = 3


class LiveHealth:
    """Vitals, and xruns with their time and likely cause.

    Args:
        latency_ms: input and output together, as the driver says.

    Attributes:
        vitals: of the last look. new_xruns: (seconds, cause) of those since the look before.
    """

    def __init__(self, meter: BlockMeter, latency_ms: float, reader: VitalsReader | None = None) -> None:
        self._meter, self._latency_ms, self._reader = meter, latency_ms, reader or VitalsReader()
        self._seen = meter.xruns
        self._recent: list[tuple[float, str]] = []
        self.vitals, self.new_xruns = Vitals(), list[tuple[float, str]]()

    def look(self, seconds: float) -> None:
        """Read; ``seconds`` since the start."""
        self.vitals = self._reader.read()
        xruns, blocks = self._meter.read_xruns(self._seen), self._meter.blocks
        self._seen += len(xruns)
        block_s = self._meter.deadline_ns / 1e9
        self.new_xruns = [(round(max(0.0, seconds - (blocks - xrun.block) * block_s), 3),
                           likely_cause(xrun, self.vitals)) for xrun in xruns]
        # An xrun storm must not fill the row.
        self.new_xruns = self.new_xruns[-16:]
        self._recent = [*self._recent, *self.new_xruns][-_SHOWN:]

    def log_fields(self) -> dict[str, Any]:
        """For a row of the log."""
        vitals = self.vitals
        return {
            "latency_ms": round(self._latency_ms, 3), "temperature_c": vitals.temperature_c,
            "clock_mhz": vitals.clock_mhz, "clock_max_mhz": vitals.clock_max_mhz, "governor": vitals.governor,
            "throttled": vitals.throttled, "throttled_before": vitals.throttled_before,
            "new_xruns": [{"seconds": when, "cause": cause} for when, cause in self.new_xruns],
        }

    def rows(self) -> list[tuple[str, str]]:
        """For the view: name and text."""
        rows = [("", f"{when:.1f} s: {cause}") for when, cause in self._recent]
        if machine := machine_text(self.vitals):
            rows.append(("machine", machine))
        return [*rows, ("latency", f"{self._latency_ms:.1f} ms in the driver (`neuralpedal latency` measures it)")]


def machine_text(vitals: Vitals) -> str:
    """One line; empty where nothing is known."""
    parts = []
    if vitals.temperature_c is not None:
        parts.append(f"{vitals.temperature_c:.0f} °C")
    if vitals.clock_mhz is not None:
        most = f" of {vitals.clock_max_mhz:.0f}" if vitals.clock_max_mhz else ""
        parts.append(f"{vitals.clock_mhz:.0f}{most} MHz ({vitals.governor or 'governor unknown'})")
    if vitals.throttled:
        parts.append(f"throttled: {', '.join(vitals.throttled)}")
    elif vitals.throttled_before:
        parts.append(f"was throttled: {', '.join(vitals.throttled_before)}")
    return ", ".join(parts)
