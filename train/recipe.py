"""How to train: one checked object, read from YAML, written back complete into the run folder."""

from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from neuralpedal.contract.atomic import write_text
from neuralpedal.contract.errors import SpecError
from neuralpedal.contract.spec import FAMILIES, NetworkSpec, explain_validation, make_spec
from neuralpedal.contract.wavenet import FAMILY as WAVENET
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.train.wavenet_presets import PRESETS, preset_spec

PRESET = "feather"
"""The WaveNet that is trained when nothing else is said."""

FRAME_SAMPLES = 64
"""The frame of a family that has one, unless a recipe says otherwise."""

SHORTEST_SPECTRUM_SAMPLES = 64
"""Chunks below this have no spectrum to compare."""


class Recipe(BaseModel):
    """Everything that decides a training, the recordings apart.

    Defaults are those of streaming networks; for a network with a frame :func:`read_recipe` has others.

    Attributes:
        family, hidden_size, num_layers, skip, frame_samples: see NetworkSpec. A ``wavenet`` has neither of the sizes.
        preset: size of a ``wavenet``, a name of ``wavenet_presets``; None for all others.
        minutes, epochs: the budget, exactly one of them; minutes count the training loop's wall time, an epoch is as
            many samples as the training part holds.
        streams: segments trained side by side, B.
        chunk_samples: truncation of back-propagation through time; one update per chunk.
        chunks_per_segment: chunks that a segment runs through with its state carried on.
        warm_up_samples: run from zero state before a segment's first chunk, without gradient.
        learning_rate, final_learning_rate: Adam's, along half a cosine.
        gradient_clip: largest global norm of a gradient.
        pre_emphasis: coefficient of the loss's filter; 0 turns it off.
        esr_weight, emphasized_esr_weight, dc_weight, mr_stft_weight: the loss's mix.
        validation_share: the last part of the recording, never trained on.
        int8_weights_from: share of the budget after which the weights stay on the grid of int8 (see weight_grid);
            1 leaves them free, and ``w8`` then costs what rounding costs.
        seed: of weights and segments.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str = "lstm"
    hidden_size: int = Field(16, ge=1, le=1024)
    num_layers: int = Field(1, ge=1, le=2)
    skip: bool = True
    frame_samples: int | None = Field(None, ge=2, le=4096)
    preset: str | None = None
    minutes: float | None = Field(None, gt=0, le=100_000)
    epochs: int | None = Field(None, ge=1, le=1_000_000)
    streams: int = Field(32, ge=1, le=4096)
    chunk_samples: int = Field(512, ge=16, le=65_536)
    chunks_per_segment: int = Field(16, ge=1, le=1024)
    warm_up_samples: int = Field(1024, ge=0, le=1_000_000)
    learning_rate: float = Field(1.2e-2, gt=0, le=1)
    final_learning_rate: float = Field(4e-5, gt=0, le=1)
    gradient_clip: float = Field(1.0, gt=0)
    pre_emphasis: float = Field(0.85, ge=0, lt=1)
    esr_weight: float = Field(0.0, ge=0)
    emphasized_esr_weight: float = Field(1.0, ge=0)
    dc_weight: float = Field(1.0, ge=0)
    mr_stft_weight: float = Field(0.0, ge=0)
    validation_share: float = Field(0.1, gt=0, lt=0.9)
    int8_weights_from: float = Field(0.6, ge=0, le=1)
    seed: int = Field(0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _one_budget(self) -> "Recipe":
        if (self.minutes is None) == (self.epochs is None):
            raise ValueError("give minutes or epochs, one of them")
        if self.esr_weight + self.emphasized_esr_weight == 0:
            raise ValueError("esr_weight and emphasized_esr_weight are both 0: nothing to learn from")
        if self.mr_stft_weight and self.chunk_samples < SHORTEST_SPECTRUM_SAMPLES:
            raise ValueError(f"mr_stft_weight needs chunks of {SHORTEST_SPECTRUM_SAMPLES} samples or more "
                             f"(found {self.chunk_samples})")
        return self

    @model_validator(mode="after")
    def _preset_fits_family(self) -> "Recipe":
        if self.family == WAVENET and self.preset not in PRESETS:
            raise ValueError(f"a {WAVENET} needs a preset: one of {', '.join(PRESETS)} (found {self.preset!r})")
        if self.family != WAVENET and self.preset is not None:
            raise ValueError(f"preset {self.preset!r} is for family {WAVENET}; {self.family} has hidden_size and "
                             "num_layers")
        return self

    def network(self, sample_rate_hz: int) -> NetworkSpec | WaveNetSpec:
        """The network at the recording's rate. Raises SpecError."""
        if self.preset is not None:
            return preset_spec(self.preset, sample_rate_hz, self.skip)
        return make_spec(family=self.family, hidden_size=self.hidden_size, num_layers=self.num_layers,
                         skip=self.skip, sample_rate_hz=sample_rate_hz, frame_samples=self.frame_samples)

    def write(self, path: Path) -> None:
        """Write all fields as YAML. Raises OutputError."""
        write_text(path, yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))


SHIPPED = ("quick", "standard", "best")
"""Recipes that come with the package, by name; the files in train/recipes say what each reached."""


def read_recipe(source: Path | str | None, **overrides: Any) -> Recipe:
    """A recipe from a YAML file, or one of ``SHIPPED`` by name (None: standard), with ``overrides`` on top.

    None says nothing, neither in the file nor as an override.

    A budget among the overrides replaces the file's, whichever kind it is.

    A family with a frame has defaults of its own (``frame_defaults``) for what neither file nor overrides say.

    Raises:
        SpecError: the file is missing or not YAML, a field is unknown or out of range.
    """
    name = str(source or "standard")
    fields = _read_yaml(name)
    given = {key: value for key, value in overrides.items() if value is not None}
    if given.keys() & {"minutes", "epochs"}:
        fields = {key: value for key, value in fields.items() if key not in ("minutes", "epochs")}
    fields.update(given)
    try:
        return Recipe(**{**_family_defaults(fields), **fields})
    except ValidationError as error:
        raise SpecError(explain_validation(error, name)) from error


def frame_defaults(frame_samples: int) -> dict[str, int]:
    """Fields of a recipe for networks with a frame, whose every sample costs ``frame_samples`` steps.

    Streams and chunk were chosen by measurement (frame_lstm 1×16/64 on an SD-1, equal wall time): many small updates
    beat few large ones, and below some 500 frames an update is mostly overhead. There is no state to carry on: one
    chunk per segment, after the inputs that fill its first frame.
    """
    return {"frame_samples": frame_samples, "streams": 32, "chunk_samples": 16, "chunks_per_segment": 1,
            "warm_up_samples": frame_samples - 1}


def wavenet_defaults(preset: str) -> dict[str, Any]:
    """Fields of a recipe for WaveNets, which learn from longer chunks.

    Rate and chunk were chosen by measurement (feather on an SD-1, 3 minutes each: docs/training.md). The past is filled
    before a segment begins, so that no output sample is made from less than a receptive field of audio.
    """
    return {"preset": preset, "skip": False, "streams": 16, "chunk_samples": 2048, "chunks_per_segment": 2,
            "warm_up_samples": preset_spec(preset, 48_000).receptive_field - 1, "learning_rate": 8e-3}


def _family_defaults(fields: dict[str, Any]) -> dict[str, Any]:
    """What the family that ``fields`` name has instead of Recipe's defaults."""
    if fields.get("family") == WAVENET:
        preset = fields.get("preset", PRESET)
        return wavenet_defaults(preset) if preset in PRESETS else {}
    family, frame = FAMILIES.get(str(fields.get("family"))), fields.get("frame_samples", FRAME_SAMPLES)
    if family is None or not family.has_frame:
        return {}
    # What is no number is refused with the other fields.
    return frame_defaults(frame if isinstance(frame, int) else FRAME_SAMPLES)


def _read_yaml(source: str) -> dict[str, Any]:
    try:
        text = (resources.files("neuralpedal.train.recipes").joinpath(f"{source}.yaml").read_text("utf-8")
                if source in SHIPPED else Path(source).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SpecError(f"{source}: no such file; give a YAML recipe or one of {', '.join(SHIPPED)}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{source}: cannot be read as text ({error})") from error
    try:
        fields = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SpecError(f"{source}: not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(fields, dict) or not all(isinstance(key, str) for key in fields):
        raise SpecError(f"{source}: wanted a table of `name: value`, found {type(fields).__name__}")
    return {key: value for key, value in fields.items() if value is not None}
