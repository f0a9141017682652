"""The link's firmware on an emulated Cortex-M7, whose UART is a socket or a terminal: for tests and first steps."""

import subprocess
from pathlib import Path

from neuralpedal.firmware_bridge.c_sources import runtime_text
from neuralpedal.firmware_bridge.compiler import find_program, run_compiler
from neuralpedal.firmware_bridge.emulator import COUNTING, EMULATOR, PACKAGE
from neuralpedal.firmware_bridge.player_sources import PlayerSettings, player_texts, player_units
from neuralpedal.firmware_bridge.target import WARNING_FLAGS, load_target

TARGET = "cortex-m7"
_HARNESS = ("harness_link.c", "harness_startup.c", "harness_semihosting.c", "harness_ticks.c", "harness_stack.c",
            "harness_semihosting.h", "harness_ticks.h", "harness_stack.h", "harness_sections.ld", "harness_mps2.ld")
_HIDDEN_SIZE = 64


def build_firmware(folder: Path, int16_audio: bool) -> Path:
    """Compile it in ``folder``. Raises FirmwareError: no compiler, or it fails."""
    target = load_target(TARGET)
    texts = player_texts(PlayerSettings(int16_audio, _HIDDEN_SIZE))
    units = player_units(texts)
    texts.update((name, runtime_text(name)) for name in _HARNESS)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    compiler = find_program(target.compiler, target.packages, f"target {TARGET}: its C compiler")
    units += [name for name in _HARNESS if name.endswith(".c")]
    run_compiler([compiler, *target.flags, *WARNING_FLAGS, *units, *target.link, "-o", "link.elf"], folder)
    return folder / "link.elf"


def start_emulator(program: Path, serial: str) -> subprocess.Popen[bytes]:
    """Run it; ``serial``: QEMU's word for where the UART goes, such as ``unix:PATH,server=on,wait=off`` or ``pty``.

    Raises FirmwareError: no emulator. The process ends when it is told to.
    """
    machine = load_target(TARGET).machine
    emulator = find_program([EMULATOR], [PACKAGE], "the emulated board")
    return subprocess.Popen(
        [emulator, "-M", str(machine), "-nographic", "-monitor", "none", "-serial", serial, *COUNTING,
         "-semihosting-config", "enable=on,target=native", "-kernel", str(program)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
