"""Targets: with which compiler and flags a project is built, and how its harness is run. One YAML file each."""

from dataclasses import dataclass, fields
from importlib import resources
from typing import Any

import yaml

from neuralpedal.contract.errors import SpecError

WARNING_FLAGS = ("-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-Werror")
"""With these the runtime and every generated file compile silently."""


@dataclass(frozen=True)
class Target:
    """One target, as its file in ``targets/`` says.

    Attributes:
        compiler: commands, of which the first that is installed is taken. packages: Debian packages that have them.
        flags: for compiling and linking.
        harness: the runtime's file with ``main``, which streams a file of samples through the pedal.
        runner: what the program is started with, such as an emulator and its options; nothing where it runs by itself.
        runner_packages: Debian packages of the runner.
        link: further flags and files (of the runtime) for linking.
        harness_files: of the runtime, that the harness needs besides.
        machine: of an emulated microcontroller, QEMU's name; None where the program runs as a process.
        options: what else the target's file says, for whoever reads it.
    """

    name: str
    description: str
    compiler: tuple[str, ...]
    packages: tuple[str, ...]
    flags: tuple[str, ...]
    harness: str
    runner: tuple[str, ...] = ()
    runner_packages: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    harness_files: tuple[str, ...] = ()
    machine: str | None = None
    options: dict[str, Any] | None = None


def target_names() -> tuple[str, ...]:
    """All targets, the host first."""
    folder = resources.files("neuralpedal.firmware_bridge").joinpath("targets")
    names = sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    return ("host", *(name for name in names if name != "host"))


def load_target(name: str) -> Target:
    """A target by name. Raises SpecError for an unknown one."""
    if name not in target_names():
        raise SpecError(f"target {name!r}: not one of {', '.join(target_names())}")
    path = resources.files("neuralpedal.firmware_bridge").joinpath("targets", f"{name}.yaml")
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    known = {field.name for field in fields(Target)} - {"options"}
    plain: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value
                             for key, value in content.items() if key in known}
    return Target(**plain, options={key: value for key, value in content.items() if key not in known})
