"""The table ``controls:`` of a pedal.yaml against the pedal that it controls: are there such presets and parameters?"""

from collections.abc import Callable, Mapping, Sequence

from neuralpedal.contract.errors import SpecError
from neuralpedal.device.action import parse_action
from neuralpedal.device.controls.control_settings import ControlSettings, actions_of, pins_of
from neuralpedal.device.controls.value_range import ValueRange
from neuralpedal.device.parameters import PARAMETERS

Complaint = Callable[[Sequence[str | int], str], SpecError]
"""Makes the error about a place of the file: row and key."""

Limits = Mapping[str, tuple[float, float]]
"""Lowest and highest value of each parameter by name."""

_SPI = (9, 10, 11)
"""The pins of the bus itself."""


def check_table(rows: Sequence[ControlSettings], limits: Limits, presets: Sequence[str], complaint: Complaint) -> None:
    """Raises SpecError at the first row that asks for what there is not, or takes a pin that another row has."""
    taken = {pin: "the converter" for row in rows if row.knob for pin in (row.knob.select, *_SPI)}
    keys: dict[str, int] = {}
    for place, row in enumerate(rows):
        for pin, name in pins_of(row):
            if pin in taken:
                raise complaint((place, name), f"pin {pin} is taken by {taken[pin]} already; connect it to another pin")
            taken[pin] = f"row {place + 1}"
        if row.key and keys.setdefault(row.key, place) != place:
            raise complaint((place, "key"), f"{row.key!r} stands in row {keys[row.key] + 1} already; keep one of them")
        for name in ("turn", "set"):
            wanted = getattr(row, name)
            if wanted is not None and wanted not in limits:
                raise complaint((place, name), _no_parameter(wanted, limits))
        if row.switch is not None and row.switch not in _switches():
            raise complaint((place, "switch"), f"no switch {row.switch!r}; there are {', '.join(_switches())}")
        for name, text in actions_of(row):
            problem = _problem(text, limits, presets)
            if problem:
                raise complaint((place, name), problem)
        _check_range(place, row, limits, complaint)


def all_limits() -> dict[str, tuple[float, float]]:
    """Of every parameter that a preset can have."""
    return {name: (parameter.low, parameter.high) for name, parameter in PARAMETERS.items()}


def range_of(row: ControlSettings, limits: Limits) -> ValueRange:
    """Of what the row sets; what it says, or all that the parameter can have. Raises SpecError."""
    assert row.set is not None, "only rows that set have a range"
    begin, end = row.range if row.range is not None else limits[row.set]
    return ValueRange(begin, end, row.taper)


def _check_range(place: int, row: ControlSettings, limits: Limits, complaint: Complaint) -> None:
    if row.set is None:
        return
    low, high = limits[row.set]
    try:
        values = range_of(row, limits)
    except SpecError as error:
        raise complaint((place, "taper"), str(error)) from error
    if not all(low <= end <= high for end in (values.begin, values.end)):
        raise complaint((place, "range"), f"found {values.begin:g} to {values.end:g}, wanted values of {row.set}, "
                        f"{low:g} to {high:g}")


def _problem(text: str, limits: Limits, presets: Sequence[str]) -> str | None:
    action = parse_action(text)
    if action.verb in ("set", "turn"):
        if action.target not in limits:
            return _no_parameter(action.target, limits)
        low, high = limits[action.target]
        if action.verb == "set" and action.value is not None and not low <= action.value <= high:
            return f"found {text!r}, wanted {low:g} to {high:g}"
    if action.verb == "preset" and action.target not in ("next", "previous", *presets):
        number = int(action.target) if action.target.isdecimal() else 0
        if not 1 <= number <= len(presets):
            return (f"found {text!r}, but there is no such preset; there are {', '.join(presets)} (1 to {len(presets)}"
                    "), next and previous")
    return None


def _switches() -> list[str]:
    return ["bypass", "mute", *(name for name, parameter in PARAMETERS.items() if parameter.is_switch)]


def _no_parameter(name: str, limits: Limits) -> str:
    return f"no parameter {name!r}; there are {', '.join(limits)}"
