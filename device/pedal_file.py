"""``pedal.yaml``: sound card, presets and controls of a pedal, as its owner wrote them down.

Every setting says in its ``description`` what is wanted; the same words stand in the error about it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from neuralpedal.device.card_preset import card_presets
from neuralpedal.device.controls.control_settings import ControlSettings
from neuralpedal.device.yaml_document import STRICT, YamlDocument

_NOT_NAMES = ("next", "previous")


def number(low: float, high: float, unit: str, default: Any = ...) -> Any:
    """A field for a number within a range."""
    what = f"a number{f' of {unit}' if unit else ''} from {low:g} to {high:g}"
    return Field(default=default, ge=low, le=high, description=what, json_schema_extra={"unit": unit})


def _text(what: str, default: Any = ...) -> Any:
    return Field(default=default, min_length=1, max_length=4096, description=what)


def _switch(what: str, default: Any) -> Any:
    return Field(default=default, description=f"true or false: {what}")


class AudioSettings(BaseModel):
    """The sound card.

    Attributes:
        input_level_dbu: level of a sine whose peaks are full scale of the card's input, for calibrated models.
    """

    model_config = STRICT

    card: str | None = _text("the name of a card preset, such as codec-zero (see `neuralpedal run --list`)", None)
    device: str | None = _text("the name of a sound card, a part of it or its number, as text", None)
    input_channel: int = Field(default=1, ge=1, le=2, description="the channel with the guitar, 1 or 2")
    block: int = Field(default=64, ge=16, le=1024, description="a whole number of samples per block from 16 to 1024")
    input_level_dbu: float | None = number(-40.0, 60.0, "dBu", None)


class StageSettings(BaseModel):
    """What stands around the model and can be switched off."""

    model_config = STRICT

    enabled: bool = _switch("whether this stands in the path", True)


class GateSettings(StageSettings):
    """The noise gate on the guitar: opens above the threshold, closes below it less the hysteresis."""

    threshold_db: float = number(-100.0, 0.0, "dBFS", -60.0)
    hysteresis_db: float = number(0.0, 24.0, "dB", 6.0)
    attack_ms: float = number(0.5, 100.0, "ms", 1.0)
    hold_ms: float = number(0.0, 2000.0, "ms", 60.0)
    release_ms: float = number(1.0, 2000.0, "ms", 120.0)


class ToneSettings(StageSettings):
    """The tone stack: three knobs behind the model."""

    circuit: Literal["fender", "marshall"] = Field(default="fender", description="a circuit, fender or marshall")
    bass: float = number(0.0, 10.0, "", 5.0)
    mid: float = number(0.0, 10.0, "", 5.0)
    treble: float = number(0.0, 10.0, "", 5.0)


class CabinetSettings(StageSettings):
    """The loudspeaker: an impulse response."""

    file: str = _text("the file name of an impulse response (WAV)")


class PresetSettings(BaseModel):
    """One sound: a model and what stands around it.

    Attributes:
        bypassed: what the preset does to the bypass when it is chosen; None leaves it.
    """

    model_config = STRICT

    name: str = Field(min_length=1, max_length=60, description="a name of 1 to 60 characters")
    model: str = _text("the file name of a model (.tflite)")
    bypassed: bool | None = _switch("whether choosing the preset bypasses", None)
    input_gain_db: float = number(-60.0, 60.0, "dB", 0.0)
    output_gain_db: float = number(-60.0, 60.0, "dB", 0.0)
    gate: GateSettings | None = Field(default=None, description="the keys of a noise gate")
    tone: ToneSettings | None = Field(default=None, description="the keys of a tone stack")
    cabinet: CabinetSettings | None = Field(default=None, description="the keys of a cabinet")


class RealtimeSettings(BaseModel):
    """What the kernel is asked for.

    Attributes:
        priority: of the audio thread under SCHED_FIFO; 0: none is asked for. JACK's own is kept.
        lock_memory: no page of the process leaves the memory.
        cpu: the core where the audio thread stays; None: any.
    """

    model_config = STRICT

    priority: int = Field(default=70, ge=0, le=95, description="a whole number from 0 (none) to 95")
    lock_memory: bool = Field(default=True, description="true or false: whether the memory is locked")
    cpu: int | None = Field(default=None, ge=0, le=1023, description="the number of a processor core, from 0")


class PedalSettingsFile(BaseModel):
    """The whole file.

    Attributes:
        late_blocks: so many late blocks in a row take the engine out; 0: never; None: 10 ms of them.
        state: where the last state is kept; None: see :attr:`PedalFile.state_path`.
        controls: checked each for itself; against presets and parameters by :func:`check_table`.
        service: for whoever reads it.
    """

    model_config = STRICT

    audio: AudioSettings = Field(default=AudioSettings(), description="the keys of a sound card")
    realtime: RealtimeSettings = Field(default=RealtimeSettings(), description="the keys priority, lock_memory and cpu")
    engine: Literal["auto", "native", "litert"] = Field(default="auto", description="auto, native or litert")
    late_blocks: int | None = Field(default=None, ge=0, le=10_000, description="a whole number from 0 to 10000")
    state: str | None = _text("a file name", None)
    presets: list[PresetSettings] = Field(default=[], max_length=128, description="a list of presets, 128 at most")
    controls: list[ControlSettings] = Field(default=[], max_length=256, description="a list of controls, 256 at most")
    service: dict[str, Any] = Field(default={}, description="the keys of the service")


class PedalFile:
    """A read and checked ``pedal.yaml``.

    Args:
        path: of the file. text: its content if it was read already.

    Attributes:
        document: the file and its lines, for messages. settings: what it says.

    Raises:
        SpecError: with file, line, what was found, what was wanted and the next step.
    """

    def __init__(self, path: Path, text: str | None = None) -> None:
        self.path = path
        self.document = YamlDocument(path, text)
        self.settings = self.document.model(PedalSettingsFile)
        card = self.settings.audio.card
        if card and card not in card_presets():
            raise self.document.error(("audio", "card"), f"found {card!r}, wanted one of {', '.join(card_presets())}; "
                                      "or name the card itself with device:")
        for place, preset in enumerate(self.settings.presets):
            self._check_name(place, preset.name)
        for location, wanted in self._files():
            found = self.resolve(wanted)
            if not found.is_file():
                why = "is a folder" if found.is_dir() else "no such file"
                raise self.document.error(location, f"found {wanted!r} ({found}: {why}), wanted a file; paths are "
                                          f"relative to the folder of {path.name}: correct it or put the file there")

    def resolve(self, name: str) -> Path:
        """A path of the file: relative ones begin where the file is."""
        return self.path.parent / Path(name).expanduser()

    @property
    def state_path(self) -> Path:
        """Where the last state is kept: as ``state:`` says, else where systemd keeps states, else beside the file."""
        if self.settings.state:
            return self.resolve(self.settings.state)
        folder = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
        return (Path(folder) if folder else self.path.parent) / f"{self.path.stem}.state.json"

    def _check_name(self, place: int, name: str) -> None:
        location = ("presets", place, "name")
        names = [preset.name for preset in self.settings.presets]
        if name in names[:place]:
            raise self.document.error(location, f"found {name!r}, the name of preset {names.index(name) + 1} too; "
                                      "wanted a name of its own; rename one of them")
        if name.isdecimal() or name in _NOT_NAMES or name != name.strip() or not name.isprintable():
            raise self.document.error(location, f"found {name!r}, wanted a printable name without spaces around it, "
                                      f"no number and not {' or '.join(_NOT_NAMES)} (controls choose presets by them); "
                                      "rename it")

    def _files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for place, preset in enumerate(self.settings.presets):
            yield ("presets", place, "model"), preset.model
            if preset.cabinet:
                yield ("presets", place, "cabinet", "file"), preset.cabinet.file

