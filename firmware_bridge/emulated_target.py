"""Builds a project for an emulated Cortex-M, plays it there and measures what it takes: flash, RAM, stack, time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuralpedal.contract.errors import FirmwareError
from neuralpedal.firmware_bridge.c_sources import runtime_text
from neuralpedal.firmware_bridge.compiler import find_program, run_compiler
from neuralpedal.firmware_bridge.emulator import Playing, play
from neuralpedal.firmware_bridge.footprint import Footprint, forbidden_instructions, link_footprint, read_footprint
from neuralpedal.firmware_bridge.project import Project
from neuralpedal.firmware_bridge.target import WARNING_FLAGS, Target

_OVERFLOW = re.compile(r"region .?(\w+)' overflowed by (\d+) bytes")


@dataclass(frozen=True)
class Emulation:
    """What was found.

    Attributes:
        playing: see there. footprint: of the pedal without harness and start-up code.
        forbidden: divisions and float arithmetic, where there must be none (integer networks with int16 samples).
    """

    playing: Playing
    footprint: Footprint
    forbidden: tuple[str, ...]

    def faults(self, project: Project) -> list[str]:
        """What is wrong, whatever the samples' difference: each in one line."""
        found = [*self.playing.faults(), *(f"not for a processor without float unit: {one}" for one in self.forbidden)]
        if self.playing.state_bytes != project.state_bytes:
            found.append(f"the state takes {self.playing.state_bytes} bytes, the header says {project.state_bytes}")
        stack_bytes = self.playing.stack_bytes
        if stack_bytes is not None and stack_bytes > project.stack_bytes:
            found.append(f"a call takes {stack_bytes} bytes of stack, the header says {project.stack_bytes}")
        return found


def emulate(project: Project, target: Target, dry: Path, wanted: Path, place: Path,
            flags: Sequence[str] = ()) -> Emulation:
    """Build, play, measure.

    Args:
        dry, wanted: files of bare samples. place: an empty folder to build in. flags: for the compiler, after the
            target's.

    Raises:
        FirmwareError: no compiler or emulator, or one of them fails.
    """
    machine = target.machine
    assert machine is not None
    compiler = find_program(target.compiler, target.packages, f"target {target.name}: its C compiler")
    chosen = (*target.flags, *flags)
    names = (target.harness, *target.harness_files)
    for name in names:
        (place / name).write_text(runtime_text(name), encoding="utf-8")
    program = place / "pedal.elf"
    harness = [str(place / name) for name in names if name.endswith(".c")]
    _link(project, target, [compiler, *chosen, *WARNING_FLAGS, "-I.", f"-I{place}", f"-L{place}", *project.sources,
                            *harness, *target.link, "-o", str(program)])
    (place / "dry.bin").write_bytes(dry.read_bytes())
    (place / "wanted.bin").write_bytes(wanted.read_bytes())
    image = link_footprint(compiler, chosen, [project.folder / name for name in project.sources], project.folder,
                           place / "footprint.elf")
    tools = compiler.removesuffix("gcc")
    return Emulation(playing=play(program, machine, "dry.bin", "wanted.bin", place),
                     footprint=read_footprint(f"{tools}size", image),
                     forbidden=tuple(forbidden_instructions(f"{tools}objdump", image))
                     if _must_be_integer(project) else ())


def _link(project: Project, target: Target, command: list[str]) -> None:
    try:
        run_compiler(command, project.folder)
    except FirmwareError as error:
        overflow = _OVERFLOW.search(str(error))
        if overflow is None:
            raise
        raise FirmwareError(f"{project.folder}: too large for {target.name}: {overflow[2]} bytes of {overflow[1]} are "
                            f"missing on {target.machine}; choose a smaller network or another target") from error


def _must_be_integer(project: Project) -> bool:
    return project.io == "int16" and (not project.model.is_float or project.model.manifest().scheme == "w8a16")
