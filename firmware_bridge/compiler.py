"""Runs a C compiler: finds it, names the package when it is missing, shows its own words when it fails."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from neuralpedal.contract.errors import FirmwareError
from neuralpedal.firmware_bridge.target import Target

_TIMEOUT_S = 300
_LINES_SHOWN = 12


def find_program(names: Sequence[str], packages: Sequence[str], what: str) -> str:
    """The first of ``names`` that is installed. Raises FirmwareError, which says what to install."""
    for name in names:
        if shutil.which(name):
            return name
    raise FirmwareError(f"{what}: none of {', '.join(names)} is installed; apt install {' '.join(packages)}")


def compiler_command(target: Target) -> list[str]:
    """The target's compiler; for the host, $CC has precedence. Raises FirmwareError, which says what to install."""
    chosen = shlex.split(os.environ.get("CC", "")) if target.name == "host" else []
    names = chosen[:1] or target.compiler
    return [find_program(names, target.packages, f"target {target.name}: its C compiler"), *chosen[1:]]


def run_compiler(command: Sequence[str], folder: Path) -> None:
    """Run one compiler command in ``folder``.

    Raises:
        FirmwareError: it fails (with its message), is not there or does not end.
    """
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
                              errors="replace")
    except subprocess.TimeoutExpired as error:
        raise FirmwareError(f"{command[0]}: not done after {_TIMEOUT_S} s in {folder}; is the machine overloaded?"
                            ) from error
    except OSError as error:
        raise FirmwareError(f"{command[0]}: cannot be run ({error.strerror}); choose another compiler") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        told = "\n  ".join(lines[:_LINES_SHOWN]) or f"exit code {done.returncode} and no message"
        raise FirmwareError(f"{command[0]} failed in {folder}; it says:\n  {told}")
