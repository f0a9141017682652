"""What of a preset can be turned while it plays: one number each, by a name that controls, state file and view share.

They are the numbers and switches of ``pedal.yaml`` (``device/pedal_file.py``), which has their ranges and units.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from neuralpedal.device.pedal_file import CabinetSettings, GateSettings, PresetSettings, ToneSettings

SWITCH = "on/off"
"""The unit of a parameter that is 0 or 1."""

SECTIONS: dict[str, type[BaseModel]] = {"gate": GateSettings, "tone": ToneSettings, "cabinet": CabinetSettings}
_BARE = ("tone",)
"""Sections whose numbers go without their section's name: ``bass``, not ``tone_bass``."""


@dataclass(frozen=True)
class Parameter:
    """One of them.

    Attributes:
        low, high: the range, both ends included. unit: ``on/off`` for switches. default: where nothing is said.
        section, field: where it stands in a preset; no section: at its top.
    """

    name: str
    low: float
    high: float
    unit: str
    default: float
    section: str | None
    field: str

    @property
    def is_switch(self) -> bool:
        """Whether it is 0 or 1 and nothing between."""
        return self.unit == SWITCH

    def limit(self, value: float) -> float:
        """The nearest value that it can have."""
        inside = min(self.high, max(self.low, value))
        return float(round(inside)) if self.is_switch else inside

    def of(self, preset: PresetSettings) -> float:
        """Its value in a preset."""
        part = getattr(preset, self.section) if self.section else preset
        return self.default if part is None else float(getattr(part, self.field))

    def put(self, preset: PresetSettings, value: float) -> PresetSettings:
        """A preset in which it has another value, which must be in range."""
        found = bool(value) if self.is_switch else value
        if self.section is None:
            return preset.model_copy(update={self.field: found})
        part = getattr(preset, self.section)
        if part is None:
            part = SECTIONS[self.section](enabled=False)
        return preset.model_copy(update={self.section: part.model_copy(update={self.field: found})})

    def is_in(self, preset: PresetSettings) -> bool:
        """Whether the preset has what it belongs to: all but a cabinet, which needs a file, can be made up."""
        return self.section != "cabinet" or preset.cabinet is not None


def _parameters() -> Iterator[Parameter]:
    kinds: list[tuple[str | None, type[BaseModel]]] = [(None, PresetSettings), *SECTIONS.items()]
    for section, kind in kinds:
        for field, info in kind.model_fields.items():
            if info.annotation is float:
                low, high = (next(getattr(data, bound) for data in info.metadata if hasattr(data, bound))
                             for bound in ("ge", "le"))
                name = field if section is None or section in _BARE else f"{section}_{field}"
                extra: Any = info.json_schema_extra
                yield Parameter(name, low, high, extra["unit"], info.default, section, field)
            elif field == "enabled":
                yield Parameter(str(section), 0.0, 1.0, SWITCH, 0.0, section, field)


PARAMETERS = {parameter.name: parameter for parameter in _parameters()}
"""All of them by name."""
