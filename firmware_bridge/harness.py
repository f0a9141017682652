"""Builds a project with its target's harness, and streams files of samples through it."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuralpedal.contract.errors import FirmwareError
from neuralpedal.firmware_bridge.c_sources import runtime_text
from neuralpedal.firmware_bridge.compiler import compiler_command, find_program, run_compiler
from neuralpedal.firmware_bridge.project import Project
from neuralpedal.firmware_bridge.target import WARNING_FLAGS, Target

_TIMEOUT_S = 600


@dataclass(frozen=True)
class Harness:
    """A built program of one project for one target."""

    target: Target
    program: Path

    def stream(self, dry: Path, wet: Path, blocks: Sequence[int] = (64,)) -> str:
        """Play the file ``dry`` (bare samples) into ``wet``; what the program printed.

        Raises:
            FirmwareError: it fails or does not end, or its emulator is missing.
        """
        runner = list(self.target.runner)
        if runner:
            find_program(runner[:1], self.target.runner_packages, f"target {self.target.name}: its emulator")
        command = [*runner, str(self.program), str(dry), str(wet), *map(str, blocks)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
                                  errors="replace")
        except subprocess.TimeoutExpired as error:
            raise FirmwareError(f"{self.program.name} for {self.target.name}: not done after {_TIMEOUT_S} s; play less "
                                "audio") from error
        except OSError as error:
            raise FirmwareError(f"{command[0]}: cannot be run ({error.strerror})") from error
        if done.returncode:
            told = " ".join((done.stderr or done.stdout).split())[:500]
            raise FirmwareError(f"{self.program.name} for {self.target.name} failed with exit code {done.returncode}"
                                f"{': ' + told if told else ' and no message'}")
        return done.stdout


def build_harness(project: Project, target: Target, folder: Path, flags: Sequence[str] = ()) -> Harness:
    """Compile ``project`` with the target's harness into ``folder``; ``flags`` come after the target's.

    Raises:
        FirmwareError: no compiler, or it fails.
    """
    program = (folder / "pedal").resolve()
    # The project has the harness of its own target at most.
    harness = (folder / target.harness).resolve()
    harness.write_text(runtime_text(target.harness), encoding="utf-8")
    run_compiler([*compiler_command(target), *target.flags, *WARNING_FLAGS, *flags, "-I.", *project.sources,
                  str(harness), *target.link, "-o", str(program)], project.folder)
    return Harness(target, program)
