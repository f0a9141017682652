"""What a pedal takes of flash and RAM, and whether its code holds what its processor lacks: read from a linked image.

The image is the pedal alone: its kernels, its tables and one state, linked without start-up code and harness, with
everything removed that neither ``pedal_init``, ``pedal_reset`` nor ``pedal_process`` reaches. So it contains the
compiler's own functions that they call, and no more.
"""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuralpedal.contract.errors import FirmwareError
from neuralpedal.firmware_bridge.compiler import run_compiler

ENTRIES = ("pedal_init", "pedal_reset", "pedal_process")
STATE_SYMBOL = "pedal_footprint_state"
STATE_SOURCE = f'#include "pedal.h"\n\nextern pedal_state {STATE_SYMBOL};\npedal_state {STATE_SYMBOL};\n'
"""C of the one state that an image has."""

_LINKING = ("-nostartfiles", "-Wl,--gc-sections", "-Wl,-e,pedal_process",
            *(f"-Wl,-u,{symbol}" for symbol in (*ENTRIES, STATE_SYMBOL)))
_SECTION = re.compile(r"^(\.\S+)\s+(\d+)\s+\d+\s*$", re.MULTILINE)
_TIMEOUT_S = 120
_FLASH, _RAM = (".text", ".rodata", ".data"), (".data", ".bss")
_CALL = re.compile(r"__(?:aeabi_)?(?:"
                   r"u?i?div\w*|u?ldivmod|u?div[sd]i3|u?mod[sd]i3"  # division
                   r"|[fd](?:add|sub|rsub|mul|div|cmp\w*|2\w+)|c[fd]cmp\w*|u?[il]2[fd]"  # float
                   r"|(?:add|sub|mul|div|neg|eq|ne|lt|le|gt|ge|fix\w*|float\w*|extend\w*|trunc\w*)[sd]f\w*)$")
_DIVISION = re.compile(r"[su]div(?:\.[nw])?$")
_FLOAT = re.compile(r"v\w+\.f(?:16|32|64)\b")
_INSTRUCTION = re.compile(r"^\s*[0-9a-f]+:\t(?:[0-9a-f]{4} ?)+\s*\t(\S+)", re.MULTILINE)
_FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$", re.MULTILINE)


@dataclass(frozen=True)
class Footprint:
    """Bytes of one linked pedal.

    Attributes:
        flash_bytes: code, tables and initial values. ram_bytes: one state, and variables if there are any; no stack.
    """

    flash_bytes: int
    ram_bytes: int


def link_footprint(compiler: str, flags: Sequence[str], sources: Sequence[Path], include: Path, image: Path) -> Path:
    """Link the pedal alone.

    Args:
        compiler: a GCC for the target. flags: its processor's. sources: kernels and model. include: where pedal.h lies.
        image: to be written, with ``image.c`` and ``.o`` files beside it.

    Raises:
        FirmwareError: the compiler's own message.
    """
    state = image.with_suffix(".state.c")
    state.write_text(STATE_SOURCE, encoding="utf-8")
    # The compiler runs in another folder than its caller.
    paths = [str(source.absolute()) for source in sources]
    run_compiler([compiler, *flags, "-ffunction-sections", "-fdata-sections", f"-I{include.absolute()}", *paths,
                  str(state), *_LINKING, "-o", str(image)], include)
    return image


def read_footprint(size_tool: str, image: Path) -> Footprint:
    """Sizes of an image. Raises FirmwareError."""
    sections = {name: int(size) for name, size in _SECTION.findall(_read_tool([size_tool, "-A", str(image)]))}

    def total(kinds: tuple[str, ...]) -> int:
        return sum(size for name, size in sections.items() if name.startswith(kinds))

    return Footprint(total(_FLASH), total(_RAM))


def forbidden_instructions(objdump: str, image: Path) -> list[str]:
    """Divisions and float arithmetic in an image, with the functions that hold them; empty for integer kernels.

    Raises:
        FirmwareError: the image cannot be disassembled.
    """
    return find_forbidden(_read_tool([objdump, "-d", str(image)]))


def find_forbidden(disassembly: str) -> list[str]:
    """As :func:`forbidden_instructions`, from the text that objdump prints."""
    parts = _FUNCTION.split(disassembly)
    found = []
    for function, body in zip(parts[1::2], parts[2::2], strict=True):
        if _CALL.match(function):
            found.append(f"{function} is linked")
        wrong = {name for name in _INSTRUCTION.findall(body) if _DIVISION.match(name) or _FLOAT.match(name)}
        found.extend(f"{function}: {name}" for name in sorted(wrong))
    return found


def _read_tool(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)
    except OSError as error:
        raise FirmwareError(f"{command[0]}: cannot be run ({error.strerror}); it belongs to the same package as the "
                            "compiler") from error
    if done.returncode:
        raise FirmwareError(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout
