"""Runs a program on an emulated Cortex-M and reads what its harness found (runtime/harness_cortex_m.c)."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralpedal.contract.errors import FirmwareError

EMULATOR, PACKAGE = "qemu-system-arm", "qemu-system-arm"
TYPICAL_BLOCK = 48
"""Of the passes' block sizes, the one whose cost is stated: one millisecond, what libDaisy takes at a time."""
CHANGING_BLOCK = 0
"""How the harness names the pass whose blocks change in size."""

_LSB_MILLIONTHS = 1e6
_UNMEASURED_STACK = 2**32 - 1
# Every instruction takes 256 ns of the emulated machine's time, and that time waits for nothing.
COUNTING = ("-icount", "shift=8,align=off,sleep=off")


@dataclass(frozen=True)
class Pass:
    """Golden vectors, played once in blocks of one size.

    Attributes:
        block: its size, 0 for changing ones.
        differing_samples: of ``samples``, those that are not as wanted.
        difference_lsb: largest, in steps of 16 bits (1/32768 for float samples).
        digest: of all output bytes; equal ones are equal output.
        stack_bytes: of a call, None when it took all there is.
        guards_kept: whether nothing was written around state and output.
        instructions_per_sample: None when they could not be counted.
    """

    block: int
    samples: int
    differing_samples: int
    difference_lsb: float
    digest: int
    stack_bytes: int | None
    guards_kept: bool
    instructions_per_sample: float | None


@dataclass(frozen=True)
class Playing:
    """All passes; ``state_bytes`` is sizeof(pedal_state) on the target."""

    state_bytes: int
    passes: tuple[Pass, ...]

    @property
    def difference_lsb(self) -> float:
        """The largest of all passes."""
        return max(one.difference_lsb for one in self.passes)

    @property
    def stack_bytes(self) -> int | None:
        """The largest of all passes; None when a pass took all there is."""
        sizes = [one.stack_bytes for one in self.passes if one.stack_bytes is not None]
        return max(sizes) if len(sizes) == len(self.passes) else None

    @property
    def instructions_per_sample(self) -> float | None:
        """In blocks of ``TYPICAL_BLOCK``."""
        return next((one.instructions_per_sample for one in self.passes if one.block == TYPICAL_BLOCK), None)

    def faults(self) -> list[str]:
        """What is wrong whatever the difference: written memory, a used-up stack, blocks that change the output."""
        found = [f"blocks of {one.block}: memory beside state or output was written" for one in self.passes
                 if not one.guards_kept]
        if self.stack_bytes is None:
            found.append("the stack was used up")
        if len({one.digest for one in self.passes}) > 1:
            found.append("blocks of another size give another output")
        return found


def play(program: Path, machine: str, dry: str, wanted: str, folder: Path, timeout_s: float = 600.0) -> Playing:
    """Start ``program`` on an emulated machine and let it play golden vectors.

    Args:
        machine: QEMU's name of it. dry, wanted: files of raw samples, relative to ``folder``, names without spaces.

    Raises:
        FirmwareError: no emulator, a program that stops or does not end, an answer that is no JSON.
    """
    command = [_emulator(), *emulator_command(machine, str(program.resolve()), dry, wanted)[1:]]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=timeout_s,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise FirmwareError(f"{program}: still playing on {machine} after {timeout_s:.0f} s; it hangs, or the golden "
                            "vectors are too long for this machine") from error
    # QEMU's own semihosting console is stderr where nothing else was asked for.
    answer = (done.stdout + done.stderr).strip()
    if done.returncode:
        raise FirmwareError(f"{program}: stopped on {machine} with exit code {done.returncode}: {_last_line(answer)}")
    return read_playing(answer, str(program))


def emulator_command(machine: str, program: str, dry: str, wanted: str) -> list[str]:
    """How a program is started on an emulated machine; see :func:`play`."""
    return [EMULATOR, "-M", machine, "-nographic", "-monitor", "none", "-serial", "none", *COUNTING,
            "-semihosting-config", f"enable=on,target=native,arg=pedal,arg={dry},arg={wanted}", "-kernel", program]


def read_playing(answer: str, program: str) -> Playing:
    """The harness's line of JSON. Raises FirmwareError."""
    line = next((line for line in answer.splitlines() if line.startswith("{")), "")
    try:
        content = json.loads(line)
        return Playing(int(content["state_bytes"]), tuple(_read_pass(one) for one in content["passes"]))
    except (ValueError, KeyError, TypeError) as error:
        raise FirmwareError(f"{program}: answered no figures but {_last_line(answer)!r}; was it built with another "
                            "version's harness?") from error


def _read_pass(one: dict[str, Any]) -> Pass:
    counted, stack = one["instructions_per_sample"], int(one["stack_bytes"])
    return Pass(block=int(one["block"]), samples=int(one["samples"]), differing_samples=int(one["differing_samples"]),
                difference_lsb=int(one["difference_lsb_millionths"]) / _LSB_MILLIONTHS, digest=int(one["digest"]),
                stack_bytes=None if stack == _UNMEASURED_STACK else stack, guards_kept=bool(one["guards_kept"]),
                instructions_per_sample=None if counted is None else float(counted))


def _emulator() -> str:
    found = shutil.which(EMULATOR)
    if not found:
        raise FirmwareError(f"{EMULATOR} is not installed; apt install {PACKAGE}")
    return found


def _last_line(text: str) -> str:
    return text.splitlines()[-1] if text else "it said nothing"
