"""Boards and their cores, as boards.yaml and cores.yaml describe them."""

from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from neuralpedal.contract.errors import SpecError

_Positive = Annotated[int, Field(gt=0, strict=True)]
_CycleCount = Annotated[float, Field(gt=0.0, le=10.0)]
_NotNegative = Annotated[int, Field(ge=0, strict=True)]


class Counts(BaseModel):
    """Targets that count for a core: ``integer`` and ``float`` models."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    integer: str
    float: str


class Cycles(BaseModel):
    """Cycles per instruction of ``integer`` and ``float`` models."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    integer: _CycleCount
    float: _CycleCount


class Core(BaseModel):
    """A processor core.

    Attributes:
        counts: the emulated targets whose instructions stand for its own.
        cycles_per_instruction: assumed, not measured. why: the reason for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    counts: Counts
    cycles_per_instruction: Cycles
    why: str = Field(min_length=1)

    def counting_target(self, is_float: bool) -> str:
        """The target that counts a model."""
        return self.counts.float if is_float else self.counts.integer

    def cycles(self, is_float: bool) -> float:
        """Assumed cycles per instruction of a model."""
        return self.cycles_per_instruction.float if is_float else self.cycles_per_instruction.integer


class Example(BaseModel):
    """A board's example program.

    Attributes:
        folder: in ``boards/``. io: the type of its samples. build: how to compile and flash it, for the README.
        link_folder: what the program needs besides to speak the link; None where it cannot.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str = Field(min_length=1)
    io: Literal["float", "int16"]
    build: str = Field(min_length=1)
    link_folder: str | None = None


class Board(BaseModel):
    """A board; sizes in bytes.

    Attributes:
        clock_hz: of the core that plays.
        reserved_flash_bytes, reserved_ram_bytes: what the board's library takes beside the pedal.
        runs_from_ram: whether code and tables are copied to RAM, because flash is too slow.
        source: where the figures stand. example: None where there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1)
    core: str
    clock_hz: _Positive
    flash_bytes: _Positive
    ram_bytes: _Positive
    reserved_flash_bytes: _NotNegative = 0
    reserved_ram_bytes: _NotNegative = 0
    runs_from_ram: bool = False
    note: str = ""
    source: str = Field(min_length=1)
    example: Example | None = None


_Row = TypeVar("_Row", Board, Core)


@cache
def cores() -> dict[str, Core]:
    """All cores by name."""
    return read_rows(_packaged("cores.yaml"), "cores.yaml", Core)


@cache
def boards() -> dict[str, Board]:
    """All boards by name."""
    found = read_rows(_packaged("boards.yaml"), "boards.yaml", Board)
    for name, board in found.items():
        if board.core not in cores():
            raise SpecError(f"boards.yaml: {name}: core {board.core!r} is none of cores.yaml ({', '.join(cores())})")
    return found


def find_board(name: str) -> Board:
    """A board by name. Raises SpecError for an unknown one."""
    if name not in boards():
        raise SpecError(f"board {name!r}: not one of {', '.join(boards())}")
    return boards()[name]


def read_rows(text: str, name: str, row: type[_Row]) -> dict[str, _Row]:
    """Rows by name from YAML.

    Args:
        name: of the file, for messages.

    Raises:
        SpecError: no YAML, no table, or a row with a missing, unknown or impossible value.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SpecError(f"{name}: no YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict):
        raise SpecError(f"{name}: wanted rows by name, found {type(content).__name__}")
    return {str(key): _checked(value, f"{name}: {key}", row) for key, value in content.items()}


def _checked(value: Any, where: str, row: type[_Row]) -> _Row:
    try:
        return row.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the row"
        raise SpecError(f"{where}: {field}: {first['msg']} (found {first['input']!r})") from error


def _packaged(name: str) -> str:
    return resources.files("neuralpedal.firmware_bridge").joinpath(name).read_text(encoding="utf-8")
