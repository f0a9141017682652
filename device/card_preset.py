"""What is known of usual sound cards: how they are called, how their mixers are set (cards.yaml)."""

from collections.abc import Sequence
from functools import cache
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, Field

from neuralpedal.contract.errors import AudioDeviceError
from neuralpedal.device.audio_device import AudioDevice

_STRICT = ConfigDict(extra="forbid", frozen=True)


class MixerSetting(BaseModel):
    """One control of a card's mixer, as ``amixer sset`` takes it, and what it is good for."""

    model_config = _STRICT

    control: str
    value: str
    why: str


class CardPreset(BaseModel):
    """One kind of card. None of it was tried on hardware.

    Attributes:
        match: parts of the names under which it appears. alsa_card: its identifier for ``amixer -c``, if it has one.
        overlay: the ``dtoverlay`` of /boot/firmware/config.txt, for cards on the pins.
        sample_rate_hz, channels: what a pedal is played with.
    """

    model_config = _STRICT

    title: str
    match: list[str] = Field(min_length=1)
    alsa_card: str | None
    sample_rate_hz: int
    channels: int
    overlay: str | None
    mixer: list[MixerSetting]
    note: str

    def fits(self, name: str) -> bool:
        """Whether a card of this name is one."""
        return any(part.casefold() in name.casefold() for part in self.match)

    def commands(self) -> list[str]:
        """What sets the mixer, in a shell."""
        return [f"amixer -c {self.alsa_card} sset '{each.control}' {each.value}  # {each.why}" for each in self.mixer]

    def find(self, devices: Sequence[AudioDevice]) -> AudioDevice:
        """The first card of this kind that plays and records. Raises AudioDeviceError."""
        for device in devices:
            if device.is_duplex and self.fits(device.name):
                return device
        there = f"; dtoverlay={self.overlay} in /boot/firmware/config.txt brings it up" if self.overlay else ""
        raise AudioDeviceError(f"no {self.title} is there{there}; `neuralpedal run --list` shows what there is")


@cache
def card_presets() -> dict[str, CardPreset]:
    """All of cards.yaml, by name, in its order."""
    text = resources.files("neuralpedal.device").joinpath("cards.yaml").read_text(encoding="utf-8")
    return {name: CardPreset(**fields) for name, fields in yaml.safe_load(text).items()}


def preset_of(card_name: str) -> str | None:
    """The preset that a card of this name has, if any."""
    return next((name for name, preset in card_presets().items() if preset.fits(card_name)), None)
