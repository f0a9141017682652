"""The compiler of the machine that plays, and what its processor can do."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from neuralpedal.contract.errors import FirmwareError
from neuralpedal.firmware_bridge.compiler import compiler_command
from neuralpedal.firmware_bridge.target import load_target


@dataclass(frozen=True)
class Toolchain:
    """A compiler and what it compiles for.

    Attributes:
        command: the compiler. tuning: flags that choose the processor.
        identity: all that it defines for that processor, its version among it. macros: the names of that.
    """

    command: tuple[str, ...]
    tuning: tuple[str, ...]
    identity: str
    macros: frozenset[str]

    def lanes(self, hidden_size: int) -> int:
        """Floats per vector that serve a layer best."""
        if {"__AVX512F__", "__AVX512BW__"} <= self.macros and -(-hidden_size // 16) < -(-hidden_size // 8):
            return 16
        return 8 if {"__AVX2__", "__FMA__"} <= self.macros else 4

    @property
    def has_many_registers(self) -> bool:
        """Thirty-two vectors and not sixteen."""
        return bool({"__AVX512F__", "__aarch64__"} & self.macros)

    @property
    def has_integer_vectors(self) -> bool:
        """With all that an integer kernel for vectors needs."""
        return "__AVX2__" in self.macros or {"__aarch64__", "__ARM_NEON"} <= self.macros


def find_toolchain(command: Sequence[str] = (), tuning: Sequence[str] = ("-march=native",)) -> Toolchain:
    """The host's compiler, or ``command``. Raises FirmwareError: none is there, or it fails."""
    chosen = tuple(command or compiler_command(load_target("host")))
    try:
        # One call, for it is most of what opening a compiled pedal takes.
        told = subprocess.run([*chosen, *tuning, "-dM", "-E", "-x", "c", "-"], capture_output=True, text=True,
                              check=True, timeout=60, input="", errors="replace").stdout
    except subprocess.CalledProcessError as error:
        raise FirmwareError(f"{chosen[0]} failed; it says: {' '.join(error.stderr.split())[:300]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FirmwareError(f"{chosen[0]}: cannot be run ({error}); choose another compiler (CC)") from error
    lines = [line for line in told.splitlines() if line.startswith("#define")]
    return Toolchain(chosen, tuple(tuning), "\n".join(sorted(lines)), frozenset(line.split()[1] for line in lines))
