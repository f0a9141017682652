"""All presets of a pedal around the one that plays: what footswitches, knobs, MIDI and scripts act upon.

Actions come from one thread, never the audio thread: here memory is taken, models are prewarmed and files written. The
audio thread sees nothing of it but a voice that is ready and settings that it ramps to.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from neuralpedal.contract.errors import SpecError
from neuralpedal.device.action import Action
from neuralpedal.device.last_state import LastState, State
from neuralpedal.device.overload_guard import OverloadGuard
from neuralpedal.device.parameters import PARAMETERS, Parameter
from neuralpedal.device.pedal import Pedal, PedalSettings
from neuralpedal.device.pedal_file import PresetSettings
from neuralpedal.device.tuner import Tuner
from neuralpedal.device.voice import Voice

_PATIENCE_S, _GLANCE_S = 0.1, 0.002
"""A change of presets waits so long for the one before, and looks so often. Where no blocks come it is left to tend."""

_DECIMALS = 4
"""Of a parameter's value: a knob that is turned to and fro must come back to where it was."""


class Pedalboard:
    """See the module.

    Args:
        voices: one per preset, of one sample rate and block size, with names that differ.
        bypassed: whether the pedal begins bypassed; None: as the first preset says.
        late_blocks: see :class:`OverloadGuard`.

    Attributes:
        pedal: what plays; its ``process`` is the audio thread's. tuner: what it hears, off until it is asked for.
        save: called by the action ``save`` with all presets as they were saved last and as they are; None where there
            is no file. last_state: where the state is kept, if anywhere.

    Raises:
        SpecError: no voice, or voices that do not fit together.
    """

    def __init__(self, voices: Sequence[Voice], bypassed: bool | None = None, late_blocks: int | None = None) -> None:
        if not voices:
            raise SpecError("no presets; give a MODEL, or a --config with presets")
        first = voices[0]
        for other in voices:
            if (other.sample_rate_hz, other.block_size) != (first.sample_rate_hz, first.block_size):
                raise SpecError(f"{other.manifest.name} plays at {other.sample_rate_hz} Hz, {first.manifest.name} at "
                                f"{first.sample_rate_hz} Hz; choose models of one sample rate")
        self._voices = list(voices)
        self._saved = [voice.settings for voice in voices]
        self._place = self._sent = 0
        # One for what is chosen, one for what plays beside the music: a press must not wait for a prewarm.
        self._lock, self._warming = threading.RLock(), threading.Lock()
        self._warm: set[Voice] = set()
        self.save: Callable[[list[PresetSettings], list[PresetSettings]], None] | None = None
        self.last_state: LastState | None = None
        first.prewarm()
        clean = bool(first.settings.bypassed) if bypassed is None else bypassed
        guard = OverloadGuard(first.block_size, first.sample_rate_hz, late_blocks)
        self.pedal = Pedal(first, PedalSettings(bypassed=clean), guard)
        self.tuner = Tuner(self.pedal.tap, first.sample_rate_hz)
        self._muted_by_tuner = False

    @property
    def presets(self) -> list[PresetSettings]:
        """As they are now, saved or not."""
        return [voice.settings for voice in self._voices]

    @property
    def preset(self) -> PresetSettings:
        """The chosen one."""
        return self._voices[self._place].settings

    @property
    def parameters(self) -> dict[str, Parameter]:
        """What can be turned of the chosen preset, by name."""
        preset = self.preset
        return {name: parameter for name, parameter in PARAMETERS.items() if parameter.is_in(preset)}

    def apply(self, action: Action) -> None:
        """Do what was asked. From one control thread. Not real-time safe.

        Raises:
            SpecError: there is no such preset or parameter, or the value is out of range; nothing is changed then.
            OutputError: ``save`` cannot write.
        """
        with self._lock:
            doing: dict[str, Callable[[Action], None]] = {
                "bypass": self._bypass, "mute": self._mute, "tuner": self._tune, "preset": self._choose,
                "set": self._set, "turn": self._turn, "save": self._save}
            doing[action.verb](action)

    def status(self) -> dict[str, Any]:
        """What plays, for people and scripts: JSON-able.

        preset, number (from 1), presets (names), model, state (what is heard), bypassed, muted, tuner (None where it is
        off; else note, cents and frequency_hz, None where nothing sounds), calibration_db, unsaved (whether ``save``
        would change something), and of each parameter value, low, high, unit.
        """
        with self._lock:
            preset = self.preset
            return {
                "preset": preset.name, "number": self._place + 1, "presets": [each.name for each in self.presets],
                "model": self._voices[self._place].manifest.name, "state": self.pedal.heard.value,
                "bypassed": self.pedal.bypassed, "muted": self.pedal.muted, "tuner": self.tuner.reading(),
                "calibration_db": self._voices[self._place].calibration_db, "unsaved": self.presets != self._saved,
                "parameters": {name: {"value": each.of(preset), "low": each.low, "high": each.high, "unit": each.unit}
                               for name, each in self.parameters.items()},
            }

    def memory(self) -> dict[str, Any]:
        """All that has changed since the board was made, JSON-able, for :meth:`recall`."""
        with self._lock:
            return {"saved": [preset.model_dump() for preset in self._saved], "state": self.state()}

    def recall(self, memory: dict[str, Any]) -> None:
        """Stand as a copy of this board stood whose :meth:`memory` this is. Before the first block."""
        with self._lock:
            self._saved = [PresetSettings(**preset) for preset in memory["saved"]]
            for voice, preset in zip(self._voices, self._saved, strict=True):
                voice.change(preset)
            self.restore(memory["state"])

    def tend(self) -> None:
        """What has to be done beside the music, every tenth of a second or so. Not real-time safe."""
        self.pedal.tend()
        self.tuner.listen()
        with self._lock:
            self._follow()
            state = self.state()
        self._warm_up()
        if self.last_state:
            self.last_state.note(state)

    def close(self) -> None:
        """Keep the last state. When nothing plays any more."""
        if self.last_state:
            self.last_state.note(self.state())
            self.last_state.write()

    def state(self) -> State:
        """What a power cut must not lose: preset, bypass, and parameters that are not saved. JSON-able."""
        turned = {}
        for saved, now in zip(self._saved, self.presets, strict=True):
            if now is saved:
                # Most of them, each time: settings are never changed, but replaced by others.
                continue
            values = {name: parameter.of(now) for name, parameter in PARAMETERS.items()
                      if parameter.is_in(now) and parameter.of(now) != parameter.of(saved)}
            if values:
                turned[now.name] = values
        return {"preset": self.preset.name, "bypassed": self.pedal.bypassed, "parameters": turned}

    def restore(self, state: State) -> None:
        """Stand as ``state`` says. What does not fit (any more) is left out. Before the first block."""
        turned = state.get("parameters")
        for voice in self._voices:
            values = turned.get(voice.settings.name) if isinstance(turned, dict) else None
            for name, value in values.items() if isinstance(values, dict) else ():
                parameter = PARAMETERS.get(name)
                if parameter and parameter.is_in(voice.settings) and _is_within(parameter, value):
                    voice.change(parameter.put(voice.settings, float(value)))
        if isinstance(state.get("bypassed"), bool):
            self.pedal.bypassed = state["bypassed"]
        names = [preset.name for preset in self.presets]
        if state.get("preset") in names:
            self._place = names.index(state["preset"])
            self._follow()

    def _bypass(self, action: Action) -> None:
        self.pedal.bypassed = _switched(self.pedal.bypassed, action.target)

    def _mute(self, action: Action) -> None:
        self.pedal.muted = _switched(self.pedal.muted, action.target)
        # Whoever was asked last has the word.
        self._muted_by_tuner = False

    def _tune(self, action: Action) -> None:
        target = {"toggle": "off" if self.tuner.is_on else "mute"}.get(action.target, action.target)
        self.tuner.switch(target != "off")
        if target == "mute" and not self.pedal.muted:
            self.pedal.muted = self._muted_by_tuner = True
        elif target != "mute" and self._muted_by_tuner:
            self.pedal.muted = self._muted_by_tuner = False

    def _choose(self, action: Action) -> None:
        self._place = self._find(action.target)
        wanted = self.preset.bypassed
        if wanted is not None:
            self.pedal.bypassed = wanted
        end = time.monotonic() + _PATIENCE_S
        while not self._follow() and time.monotonic() < end:
            time.sleep(_GLANCE_S)

    def _find(self, target: str) -> int:
        names, step = [preset.name for preset in self.presets], {"next": 1, "previous": -1}.get(target)
        if step is not None:
            return (self._place + step) % len(names)
        if target in names:
            return names.index(target)
        if target.isdecimal() and 1 <= int(target) <= len(names):
            return int(target) - 1
        raise SpecError(f"no preset {target!r}; there are {', '.join(names)} (1 to {len(names)}), next and previous")

    def _follow(self) -> bool:
        """Let the chosen preset sound; False as long as another change is not over."""
        if self._sent == self._place:
            return True
        if self.pedal.is_changing:
            return False
        voice = self._voices[self._place]
        with self._warming:
            self._make_warm(voice)
            self._warm.discard(voice)
            self.pedal.switch_to(voice, is_warm=True)
        self._sent = self._place
        return True

    def _warm_up(self) -> None:
        """One voice at a time, that its preset be heard at once when it is chosen."""
        with self._warming:
            if not self.pedal.is_changing:
                cold = (voice for voice in self._voices if voice not in self._warm and voice is not self.pedal.engine)
                voice = next(cold, None)
                if voice:
                    self._make_warm(voice)

    def _make_warm(self, voice: Voice) -> None:
        if voice not in self._warm:
            voice.reset()
            voice.prewarm()
            self._warm.add(voice)

    def _set(self, action: Action) -> None:
        parameter, value = self._parameter(action), _value(action)
        if not parameter.low <= value <= parameter.high or (parameter.is_switch and value not in (0.0, 1.0)):
            raise SpecError(f"{parameter.name} {value:g}: wanted {parameter.low:g} to {parameter.high:g} "
                            f"{parameter.unit}")
        self._put(parameter, value)

    def _turn(self, action: Action) -> None:
        parameter = self._parameter(action)
        self._put(parameter, parameter.limit(parameter.of(self.preset) + _value(action)))

    def _parameter(self, action: Action) -> Parameter:
        if action.target in self.parameters:
            return self.parameters[action.target]
        if action.target in PARAMETERS:
            raise SpecError(f"preset {self.preset.name!r} has no cabinet; give it one in pedal.yaml (cabinet: file:)")
        raise SpecError(f"no parameter {action.target!r}; there are {', '.join(self.parameters)}")

    def _put(self, parameter: Parameter, value: float) -> None:
        self._voices[self._place].change(parameter.put(self.preset, round(value, _DECIMALS)))

    def _save(self, _action: Action) -> None:
        if self.save is None:
            raise SpecError("nothing to save into; start with --config pedal.yaml")
        self.save(self._saved, self.presets)
        self._saved = self.presets


def _switched(now: bool, word: str) -> bool:
    return {"on": True, "off": False, "toggle": not now}[word]


def _value(action: Action) -> float:
    assert action.value is not None, "set and turn carry a number"
    return action.value


def _is_within(parameter: Parameter, value: Any) -> bool:
    return isinstance(value, int | float) and parameter.low <= value <= parameter.high
