"""The machine, from files of the kernel under a root folder: what makes blocks late that no program can mend.

Sources: Linux, Documentation/admin-guide/pm/cpufreq.rst, Documentation/driver-api/usb/power-management.rst; Raspberry
Pi documentation, "vcgencmd" and "Kernel command line".
"""

import shutil
import subprocess
from pathlib import Path

from neuralpedal.cli.checkup.check import NOTE, OK, WARNING, Check
from neuralpedal.device.vitals import PAST_BITS, Vitals, VitalsReader, kernel_text, throttled_bits, throttled_words

HOT_C = 75.0
"""A Raspberry Pi slows down from 80 °C on."""

_GOVERNOR_FIX = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
_FOR_GOOD = "for good: add {} to the line in /boot/firmware/cmdline.txt"
_POWER_FIX = "use the power supply that the Pi's maker names, and a short thick cable"
_USB_FIX = "echo -1 | sudo tee /sys/module/usbcore/parameters/autosuspend"


def machine_checks(root: Path = Path("/")) -> list[Check]:
    """Governor, kernel, temperature, power, USB and sound cards; what a machine does not tell is left out."""
    vitals = VitalsReader(root).read()
    cards = _sound_cards(root)
    found = [_governor(vitals), _kernel(root), _temperature(vitals), _power(vitals, root), _usb(root, cards),
             _kernel_cards(cards)]
    return [check for check in found if check]


def _governor(vitals: Vitals) -> Check | None:
    if vitals.governor is None:
        return None
    clock = f", {vitals.clock_mhz:.0f} of {vitals.clock_max_mhz:.0f} MHz" if vitals.clock_mhz and (
        vitals.clock_max_mhz) else ""
    if vitals.governor == "performance":
        return Check("governor", OK, f"performance{clock}")
    return Check("governor", WARNING, f"{vitals.governor}{clock}: the clock rises only after blocks were late",
                 f"{_GOVERNOR_FIX}; {_FOR_GOOD.format('cpufreq.default_governor=performance')}")


def _kernel(root: Path) -> Check | None:
    version = kernel_text(root / "proc/version")
    if version is None:
        return None
    name = " ".join(version.split()[:3])
    if kernel_text(root / "sys/kernel/realtime") == "1" or "PREEMPT_RT" in version:
        return Check("kernel", OK, f"{name}, PREEMPT_RT")
    return Check("kernel", NOTE, f"{name}, not PREEMPT_RT: small blocks may come late",
                 "where small blocks are lost: sudo apt install linux-image-rt-$(dpkg --print-architecture)")


def _temperature(vitals: Vitals) -> Check | None:
    if vitals.temperature_c is None:
        return None
    text = f"{vitals.temperature_c:.0f} °C"
    if vitals.temperature_c < HOT_C:
        return Check("temperature", OK, text)
    return Check("temperature", WARNING, f"{text}: close to where the processor slows down", "a heat sink or a fan")


def _power(vitals: Vitals, root: Path) -> Check | None:
    now, before = vitals.throttled, vitals.throttled_before
    if now is None:
        bits = _vcgencmd() if root == Path("/") else None
        if bits is None:
            return None
        now, before = throttled_words(bits) or (), throttled_words(bits >> PAST_BITS) or ()
    if now:
        return Check("power", WARNING, f"now: {', '.join(now)}", _power_fix(now))
    if before:
        return Check("power", WARNING, f"since the start: {', '.join(before)}", _power_fix(before))
    return Check("power", OK, "never throttled since the start")


def _power_fix(words: tuple[str, ...]) -> str:
    return _POWER_FIX if "under-voltage" in words else "a heat sink or a fan"


def _vcgencmd() -> int | None:
    """The bits by the firmware's own program, where the kernel has no file for them."""
    program = shutil.which("vcgencmd")
    if not program:
        return None
    try:
        said = subprocess.run([program, "get_throttled"], capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return throttled_bits(said)


def _usb(root: Path, cards: list[str]) -> Check | None:
    seconds = kernel_text(root / "sys/module/usbcore/parameters/autosuspend")
    if seconds is None:
        return None
    if seconds.startswith("-"):
        return Check("usb_power", OK, "USB devices are never put to sleep")
    on_usb = any("USB-Audio" in card for card in cards)
    return Check("usb_power", WARNING if on_usb else NOTE,
                 f"USB devices may be put to sleep after {seconds} s{', and the sound card is one' if on_usb else ''}",
                 f"{_USB_FIX}; {_FOR_GOOD.format('usbcore.autosuspend=-1')}")


def _kernel_cards(cards: list[str]) -> Check | None:
    if cards:
        return Check("sound_cards", OK, "; ".join(cards))
    return Check("sound_cards", NOTE, "the kernel knows none (a JACK or PipeWire server may)",
                 "plug one in; for a HAT: its dtoverlay line in /boot/firmware/config.txt")


def _sound_cards(root: Path) -> list[str]:
    """Of /proc/asound/cards, the lines that name one: ``driver - name``."""
    lines = (kernel_text(root / "proc/asound/cards") or "").splitlines()
    return [line.partition("]: ")[2].strip() for line in lines if "]: " in line]
