"""Puts turned knobs back into ``pedal.yaml``: the numbers change, comments and layout stay as their owner wrote them.

Only what was turned is written: what its owner changed in the file meanwhile stays as well.
"""

from collections.abc import Iterator, Sequence

import yaml

from neuralpedal.contract.atomic import write_text
from neuralpedal.contract.errors import SpecError
from neuralpedal.device.parameters import PARAMETERS, Parameter
from neuralpedal.device.pedal_file import PedalFile, PresetSettings

_Change = tuple[int, Parameter, float]
_Edit = tuple[int, int, str]
"""From and to which character, and what comes there."""


def save_presets(file: PedalFile, before: Sequence[PresetSettings], now: Sequence[PresetSettings]) -> PedalFile:
    """Write what differs between two versions of the presets into the file as it is on the disk now.

    Returns:
        The file as it was written, or ``file`` if nothing differs.

    Raises:
        SpecError: the file on the disk is wrong or lacks a preset, or its layout (anchors) does not allow the change.
        OutputError: it cannot be written; the old one stays.
    """
    fresh = PedalFile(file.path)
    changes = list(_changes(fresh, before, now))
    if not changes:
        return file
    text = fresh.document.text
    for start, end, new in sorted(_edits(fresh, changes), reverse=True):
        text = text[:start] + new + text[end:]
    wanted = list(fresh.settings.presets)
    for place, parameter, value in changes:
        wanted[place] = parameter.put(wanted[place], value)
    try:
        written = PedalFile(file.path, text)
        fits = written.settings == fresh.settings.model_copy(update={"presets": wanted})
    except SpecError:
        fits = False
    if not fits:
        raise SpecError(f"{file.path}: written in a way that cannot be changed by a program (anchors?); put the values "
                        f"in by hand: {_listed(fresh, changes)}")
    write_text(file.path, text)
    return written


def _changes(fresh: PedalFile, before: Sequence[PresetSettings], now: Sequence[PresetSettings]) -> Iterator[_Change]:
    names = [preset.name for preset in fresh.settings.presets]
    for old, new in zip(before, now, strict=True):
        for parameter in PARAMETERS.values():
            if parameter.is_in(new) and parameter.of(old) != parameter.of(new):
                if new.name not in names:
                    raise SpecError(f"{fresh.path}: no preset {new.name!r} any more; start again")
                yield names.index(new.name), parameter, parameter.of(new)


def _edits(fresh: PedalFile, changes: Sequence[_Change]) -> Iterator[_Edit]:
    made: dict[tuple[int, str], list[str]] = {}
    for place, parameter, value in changes:
        where: list[str | int] = ["presets", place, *([parameter.section] if parameter.section else [])]
        node = fresh.document.node([*where, parameter.field])
        pair = f"{parameter.field}: {_written(parameter, value)}"
        if node is not None:
            yield node.start_mark.index, node.end_mark.index, _written(parameter, value)
        elif isinstance(parent := fresh.document.node(where), yaml.MappingNode):
            yield _insertion(parent, pair)
        else:
            made.setdefault((place, str(parameter.section)), []).append(pair)
    for (place, name), pairs in made.items():
        preset = fresh.document.node(["presets", place])
        assert isinstance(preset, yaml.MappingNode), "a preset has a name"
        if not any(pair.startswith("enabled:") for pair in pairs):
            pairs.insert(0, "enabled: false")
        yield _insertion(preset, f"{name}: {{{', '.join(pairs)}}}")


def _insertion(mapping: yaml.MappingNode, pair: str) -> _Edit:
    """A pair in front of the first one."""
    if mapping.flow_style or not mapping.value:
        place = mapping.start_mark.index + 1
        return place, place, f"{pair}, " if mapping.value else pair
    first = mapping.value[0][0].start_mark
    return first.index, first.index, f"{pair}\n{' ' * first.column}"


def _written(parameter: Parameter, value: float) -> str:
    if parameter.is_switch:
        return "true" if value else "false"
    return repr(int(value)) if value == int(value) else repr(value)


def _listed(fresh: PedalFile, changes: Sequence[_Change]) -> str:
    return ", ".join(f"{parameter.name} {value:g} in {fresh.settings.presets[place].name}"
                     for place, parameter, value in changes)
