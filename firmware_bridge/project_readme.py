"""The README of a project: what it is, how it was made, how to build, check and flash it."""

from typing import TYPE_CHECKING

from neuralpedal.contract.manifest import Manifest
from neuralpedal.firmware_bridge.board_example import find_example
from neuralpedal.firmware_bridge.emulator import emulator_command
from neuralpedal.firmware_bridge.target import Target

if TYPE_CHECKING:
    from neuralpedal.firmware_bridge.project import Project


def project_readme(project: "Project", target: Target, manifest: Manifest, command: str) -> str:
    """Markdown."""
    spec = manifest.network
    sample = {"float": "float", "int16": "int16_t"}[project.io]
    kernels = f", arithmetic of {project.kernels}" if project.kernels else ""
    return f"""# {project.name}: a pedal in C99

{spec.label}, scheme {manifest.scheme}{kernels}, {spec.sample_rate_hz} Hz, samples of type `{sample}`.

Made by neuralpedal {project.neuralpedal_version} from `model.tflite` (SHA-256 {project.model_sha256}):

    {command}

## Use it

Compile {", ".join(f"`{name}`" for name in project.sources)} into your firmware. No malloc, no global state, no library
but `memcpy` and `memset`.

    #include "pedal.h"

    static pedal_state pedal;                         /* {project.state_bytes} bytes of RAM */
    pedal_init(&pedal);                               /* once */
    pedal_process(&pedal, in, out, n);                /* per block of any length; in and out may be the same */

Constants take {project.table_bytes} bytes of flash, the stack `PEDAL_STACK_BYTES`. Compile with `-ffp-contract=off`, so
that float samples are rounded as the reference rounds them.

## Check it

    neuralpedal firmware verify DIR

builds it for `{project.target}` ({target.description}),
plays `golden_in.bin` and compares with `golden_out.bin` (bare samples, little-endian).
{_by_hand(project, target)}
## Flash it

{_flashing(project, spec.sample_rate_hz)}
"""


def _flashing(project: "Project", sample_rate_hz: int) -> str:
    if project.board is None:
        return f"""This folder holds a library, not an image: put the files named above into your board's project and
call `pedal_process` from its audio callback, at {sample_rate_hz} Hz; `--board` adds an example program for some boards.
docs/firmware.md of neuralpedal goes through it."""
    board, example = find_example(project.board)
    return f"""A whole program for {board.title}: {example.build}. It was compiled in neuralpedal's tests against stub
headers and has not run on hardware. docs/firmware.md of neuralpedal goes through it."""


def _by_hand(project: "Project", target: Target) -> str:
    """The commands that verify runs, indented; nothing for a project without harness."""
    if project.board is not None:
        return ""
    helpers = [name for name in target.harness_files if name.endswith(".c")]
    build = " ".join([target.compiler[0], *target.flags, *project.sources, target.harness, *helpers, *target.link,
                      "-o pedal"])
    if target.machine:
        run = " ".join(emulator_command(target.machine, "pedal", "golden_in.bin", "golden_out.bin"))
    else:
        run = " ".join([*target.runner, "./pedal golden_in.bin out.bin 48 && cmp out.bin golden_out.bin"])
    return f"By hand:\n\n    {build}\n    {run}\n"
