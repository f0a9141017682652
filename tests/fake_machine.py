"""A root folder with the files by which a kernel says how a machine is."""

from pathlib import Path


def write(root: Path, name: str, text: str) -> None:
    """One file of it."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def raspberry_pi(root: Path, governor: str = "performance", mhz: int = 1800, celsius: float = 48.0,
                 throttled: str = "0") -> Path:
    """A Pi 4, or what is wrong with it; its ``root``."""
    write(root, "sys/class/thermal/thermal_zone0/temp", f"{round(1e3 * celsius)}\n")
    for core in range(4):
        folder = f"sys/devices/system/cpu/cpu{core}/cpufreq"
        write(root, f"{folder}/scaling_cur_freq", f"{mhz * 1000}\n")
        write(root, f"{folder}/scaling_max_freq", "1800000\n")
        write(root, f"{folder}/scaling_governor", f"{governor}\n")
    write(root, "sys/devices/platform/soc/soc:firmware/get_throttled", f"{throttled}\n")
    return root
