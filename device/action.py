"""What a guitarist can ask of a pedal, whatever asks: a footswitch, a knob, MIDI, a key, a script.

One line of words and one value are the same thing: ``bypass toggle``, ``preset 3``, ``set output_gain_db -6``. Which
presets and parameters there are is known to who obeys, not here.
"""

import math
from dataclasses import dataclass

from neuralpedal.contract.errors import SpecError

_STATES = ("on", "off", "toggle")
TUNER_STATES = ("on", "mute", "off", "toggle")
"""``on``: the pedal is heard meanwhile; ``mute``: it is not, and ``toggle`` means this."""

_LONGEST = 200

FORMS = {
    "bypass": "bypass on|off|toggle",
    "mute": "mute on|off|toggle",
    "tuner": "tuner on|mute|off|toggle",
    "preset": "preset NAME|NUMBER|next|previous",
    "set": "set PARAMETER VALUE",
    "turn": "turn PARAMETER DELTA",
    "save": "save",
}
"""How each verb is written."""

_SWITCH_VALUES = {"on": 1.0, "off": 0.0}


@dataclass(frozen=True)
class Action:
    """One thing to do.

    Attributes:
        verb: a key of ``FORMS``.
        target: ``on``, ``off`` or ``toggle`` of ``bypass`` and ``mute``; one of ``TUNER_STATES`` of ``tuner``; name,
            number, ``next`` or ``previous`` of ``preset``; a parameter's name of ``set`` and ``turn``; nothing of
            ``save``.
        value: of ``set`` the value, of ``turn`` what is added, in the parameter's unit and finite (a switch: 1 on, 0
            off); None of all others.
    """

    verb: str
    target: str = ""
    value: float | None = None

    def __str__(self) -> str:
        """As :func:`parse_action` reads it."""
        if self.value is not None:
            return f"{self.verb} {self.target} {self.value:{'+' if self.verb == 'turn' else ''}.9g}"
        return f"{self.verb} {self.target}".rstrip()


def parse_action(text: str) -> Action:
    """Read one line, such as ``turn output_gain_db +1.5``.

    Names of presets may hold spaces. ``set PARAMETER on`` and ``off`` are 1 and 0.

    Raises:
        SpecError: what is wrong, and what is possible.
    """
    if len(text) > _LONGEST:
        raise SpecError(f"an action of {len(text)} characters: wanted {_LONGEST} at most")
    verb, _, rest = text.strip().partition(" ")
    rest = rest.strip()
    if not verb:
        raise SpecError(f"no action given; possible are {_possible()}")
    if verb not in FORMS:
        raise SpecError(f"'{text.strip()}': no action '{verb}'; possible are {_possible()}")
    if not _fits(verb, rest):
        raise SpecError(f"'{text.strip()}': wanted `{FORMS[verb]}`")
    if verb in ("set", "turn"):
        name, word = rest.split()
        return Action(verb, name, _number(verb, word, text))
    return Action(verb, rest)


def _fits(verb: str, rest: str) -> bool:
    if verb in ("bypass", "mute"):
        return rest in _STATES
    if verb == "tuner":
        return rest in TUNER_STATES
    if verb == "save":
        return not rest
    return len(rest.split()) == 2 if verb in ("set", "turn") else rest.isprintable() and rest != ""


def _number(verb: str, word: str, text: str) -> float:
    if verb == "set" and word in _SWITCH_VALUES:
        return _SWITCH_VALUES[word]
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SpecError(f"'{text.strip()}': '{word}' is no number; wanted `{FORMS[verb]}`, such as `{verb} "
                        f"output_gain_db -6`")
    return value


def _possible() -> str:
    return ", ".join(f"`{form}`" for form in FORMS.values())
