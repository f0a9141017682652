"""How the machine that plays is: temperature, clock, throttling; from files of the kernel, without another process.

Not for the audio thread. What a machine does not tell is None. On a Raspberry Pi the firmware's word about power and
heat lies in a file too; `vcgencmd get_throttled` prints the same bits, but to start a process is a risk for the music.

Source: Raspberry Pi documentation, "vcgencmd" (bits of get_throttled); Linux, Documentation/admin-guide/pm/cpufreq.rst.
"""

from dataclasses import dataclass
from pathlib import Path

THROTTLED_BITS = {0: "under-voltage", 1: "clock capped", 2: "throttled", 3: "temperature limit"}
"""What is so now; ``PAST_BITS`` higher: what was so since the machine started."""

PAST_BITS = 16
_THROTTLED_FILES = "sys/devices/platform/soc*/*firmware/get_throttled"
_THERMAL_FILES = "sys/class/thermal/thermal_zone*/temp"
_CLOCK_FOLDER = "sys/devices/system/cpu/cpu{}/cpufreq"
_FULL_CLOCK = 0.9


@dataclass(frozen=True)
class Vitals:
    """One look.

    Attributes:
        temperature_c: of the hottest zone. clock_mhz, clock_max_mhz: of the fastest core now, and at most.
        governor: what chooses the clock. throttled: what the firmware does about power or heat now;
            throttled_before: and did since the start; None where there is no such firmware.
    """

    temperature_c: float | None = None
    clock_mhz: float | None = None
    clock_max_mhz: float | None = None
    governor: str | None = None
    throttled: tuple[str, ...] | None = None
    throttled_before: tuple[str, ...] | None = None

    @property
    def clock_is_low(self) -> bool:
        """Whether the clock is clearly below its highest."""
        return bool(self.clock_mhz and self.clock_max_mhz and self.clock_mhz < _FULL_CLOCK * self.clock_max_mhz)


class VitalsReader:
    """Reads the files that there are under ``root`` when it is made: to look for them once a second would cost more."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._zones, self._firmware = list(root.glob(_THERMAL_FILES)), list(root.glob(_THROTTLED_FILES))
        cores = (root / _CLOCK_FOLDER.format(core) for core in range(64))
        self._cores = [folder for folder in cores if folder.is_dir()]

    def read(self) -> Vitals:
        """Look. Some milliseconds on a Pi; no error."""
        cores = self._cores
        zones = [value for path in self._zones if (value := _number(path)) is not None]
        now, most = ([khz for folder in cores if (khz := _number(folder / name)) is not None]
                     for name in ("scaling_cur_freq", "scaling_max_freq"))
        words = map(kernel_text, self._firmware)
        bits = next((bits for word in words if (bits := throttled_bits(word)) is not None), None)
        return Vitals(
            max(zones) / 1e3 if zones else None, max(now) / 1e3 if now else None, max(most) / 1e3 if most else None,
            kernel_text(cores[0] / "scaling_governor") if cores else None, throttled_words(bits),
            None if bits is None else throttled_words(bits >> PAST_BITS),
        )


def throttled_words(bits: int | None) -> tuple[str, ...] | None:
    """The lowest four bits of get_throttled in words."""
    return None if bits is None else tuple(word for bit, word in THROTTLED_BITS.items() if bits >> bit & 1)


def throttled_bits(text: str | None) -> int | None:
    """What firmware or ``vcgencmd`` writes, as a number; None where it is none."""
    try:
        return int((text or "").strip().removeprefix("throttled="), 16)
    except ValueError:
        return None


def kernel_text(path: Path) -> str | None:
    """The content of a file of the kernel; None where there is none or nothing in it."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _number(path: Path) -> float | None:
    try:
        return float(kernel_text(path) or "")
    except ValueError:
        return None

