"""A model as a project on an emulated Cortex-M: what it costs there, for the benchmarks that count it."""

from dataclasses import dataclass
from pathlib import Path

from neuralpedal.contract.errors import FirmwareError
from neuralpedal.contract.manifest import FLOAT_SCHEMES
from neuralpedal.firmware_bridge.cost_model import Cost
from neuralpedal.firmware_bridge.emulated_target import emulate
from neuralpedal.firmware_bridge.golden import GOLDEN_IN, GOLDEN_OUT
from neuralpedal.firmware_bridge.project import write_project
from neuralpedal.firmware_bridge.target import load_target

_AUDIO_S = 0.01


@dataclass(frozen=True)
class EmulatedPedal:
    """What was found; ``cost.ram_bytes`` is one state alone, without the stack of a call."""

    cost: Cost
    stack_bytes: int
    difference_lsb: float


def measure_emulated(model: Path, target: str, place: Path, io: str, kernels: str | None = None) -> EmulatedPedal:
    """Generate, build, play, with samples of type ``io``.

    Args:
        place: a folder for project and program, in which neither exists yet.

    Raises:
        FirmwareError: it does not build or play, or something is wrong whatever the samples' difference.
    """
    project = write_project(model, place / "project", target, io, kernels, golden_s=_AUDIO_S)
    (place / "build").mkdir()
    found = emulate(project, load_target(target), project.folder / GOLDEN_IN, project.folder / GOLDEN_OUT,
                    place / "build")
    instructions, stack_bytes = found.playing.instructions_per_sample, found.playing.stack_bytes
    if found.faults(project) or instructions is None or stack_bytes is None:
        raise FirmwareError(f"{model} on {target}: {'; '.join(found.faults(project)) or 'not counted'}")
    return EmulatedPedal(Cost(instructions, found.footprint.flash_bytes, found.footprint.ram_bytes), stack_bytes,
                         found.playing.difference_lsb)


def io_of(scheme: str) -> str:
    """Type of samples that a scheme's figures are stated for: float networks play float ones."""
    return "float" if scheme in FLOAT_SCHEMES else "int16"
