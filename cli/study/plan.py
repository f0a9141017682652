"""What a study trains: one table of cells, read from YAML, and the protocol that they share."""

import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.spec import NetworkSpec, explain_validation, make_spec

SAMPLE_RATE_HZ = 22_050
"""The rate of the study of 2022."""

PEDAL, TUBE = "pedal", "tube"
TARGETS = {PEDAL: "the given recordings", TUBE: "a virtual tube preamp playing the same guitar"}
SHIPPED = ("full", "quick")

_STRICT = ConfigDict(frozen=True, extra="forbid")


class Cell(BaseModel):
    """One training.

    Attributes:
        target: a name of ``TARGETS``. layers, units: of the LSTM.
        epochs: after how many the network is judged, rising; the last ends the training.
    """

    model_config = _STRICT

    target: str
    layers: int = Field(ge=1, le=2)
    units: int = Field(ge=1, le=64)
    epochs: tuple[int, ...] = Field(min_length=1)

    @field_validator("target")
    @classmethod
    def _known_target(cls, target: str) -> str:
        if target not in TARGETS:
            raise ValueError(f"{target!r} is not one of {', '.join(TARGETS)}")
        return target

    @field_validator("epochs")
    @classmethod
    def _rising(cls, epochs: tuple[int, ...]) -> tuple[int, ...]:
        if list(epochs) != sorted(set(epochs)) or epochs[0] < 1:
            raise ValueError(f"{list(epochs)}: wanted rising numbers from 1")
        return epochs

    @property
    def spec(self) -> NetworkSpec:
        """The network."""
        raise NotImplementedError

    @property
    def id(self) -> str:
        """Name of the cell's folder, and of its rows in tables for machines."""
        raise NotImplementedError

    @property
    def structure(self) -> str:
        """Layers × units, and the frame where there is one, as the study of 2022 wrote it."""
        frame = f"/{self.spec.frame_samples}" if self.spec.frame_samples else ""
        return f"{self.layers}×{self.units}{frame}"

    @property
    def macs_per_sample(self) -> int:
        """Multiplications with a weight for one output sample; a frame is computed anew for each."""
        gates = sum(4 * self.units * (size + self.units) for size in self.spec.layer_input_sizes)
        return (self.spec.frame_samples or 1) * gates + self.units


class FrameCell(Cell):
    """By the protocol of 2022: ``frames`` random frames of ``frame`` samples, the last one answered from zero state."""

    frame: int = Field(ge=2, le=4096)
    frames: int = Field(ge=1, le=10_000_000)

    @property
    def spec(self) -> NetworkSpec:
        """No skip connection: the study had none."""
        return make_spec(family="frame_lstm", num_layers=self.layers, hidden_size=self.units, skip=False,
                         frame_samples=self.frame, sample_rate_hz=SAMPLE_RATE_HZ)

    @property
    def id(self) -> str:
        """See :class:`Cell`."""
        return f"{self.target}-frame-{self.layers}x{self.units}-{self.frame}-{self.frames}"


class StreamingCell(Cell):
    """By this project's trainer: the state carried on from sample to sample."""

    @property
    def spec(self) -> NetworkSpec:
        """A plain streaming LSTM with the skip connection that `train` gives it."""
        return make_spec(family="lstm", num_layers=self.layers, hidden_size=self.units, sample_rate_hz=SAMPLE_RATE_HZ)

    @property
    def id(self) -> str:
        """See :class:`Cell`."""
        return f"{self.target}-stream-{self.layers}x{self.units}"


class Plan(BaseModel):
    """A whole study.

    Attributes:
        seconds: how much of the recordings is used, from the start; None: all.
        segment_seconds: the take is cut into segments, which are shuffled with ``seed``. test_share: of the segments.
        timing_seconds: of measuring each structure's speed.
        frame, streaming: the cells.
    """

    model_config = _STRICT

    seconds: float | None = Field(None, gt=0)
    segment_seconds: float = Field(5.0, ge=0.25, le=60)
    test_share: float = Field(0.2, gt=0, lt=1)
    seed: int = Field(0, ge=0, lt=2**32)
    timing_seconds: float = Field(1.0, gt=0, le=60)
    frame: tuple[FrameCell, ...] = Field(min_length=1)
    streaming: tuple[StreamingCell, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _every_cell_once(self) -> "Plan":
        ids = [cell.id for cell in self.cells]
        doubled = sorted({name for name in ids if ids.count(name) > 1})
        if doubled:
            raise ValueError(f"{doubled[0]} is there twice; give it once, with all its epochs")
        return self

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All trainings in the order of the work."""
        return (*self.frame, *self.streaming)

    @property
    def targets(self) -> list[str]:
        """Those that a cell asks for."""
        wanted = {cell.target for cell in self.cells}
        return [name for name in TARGETS if name in wanted]

    def fingerprint(self, cell: Cell | None, digests: dict[str, str]) -> str:
        """Which recordings, protocol and cell a result belongs to; other cells of the plan do not matter."""
        shared = self.model_dump(mode="json", exclude={"frame", "streaming", "timing_seconds"})
        what = {"protocol": shared, "cell": [cell.id, cell.epochs] if cell else None, **digests}
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def read_plan(source: str | Path) -> Plan:
    """A plan of ``SHIPPED`` by name, or from a YAML file.

    Raises:
        SpecError: missing, not YAML, an unknown field or one out of range; the message names it.
    """
    name = str(source)
    try:
        text = (resources.files("neuralpedal.cli.study").joinpath(f"plans/{name}.yaml").read_text("utf-8")
                if name in SHIPPED else Path(name).read_text("utf-8"))
        fields: Any = yaml.safe_load(text)
    except FileNotFoundError as error:
        raise SpecError(f"{name}: no such file; give a YAML plan or one of {', '.join(SHIPPED)}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SpecError(f"{name}: cannot be read as YAML ({' '.join(str(error).split())})") from error
    if not isinstance(fields, dict):
        raise SpecError(f"{name}: wanted a table of `name: value`, found {type(fields).__name__}")
    try:
        return Plan(**fields)
    except ValidationError as error:
        raise SpecError(explain_validation(error, name)) from error
    except TypeError as error:
        raise SpecError(f"{name}: names of fields must be text") from error
