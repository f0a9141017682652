"""The state that a model begins in, as an initializer of ``pedal_state`` (runtime/pedal_first_state.c)."""

from collections.abc import Iterable, Mapping, Sequence

from neuralpedal.firmware_bridge.c_text import array


def initial_state_table(layers: Sequence[Mapping[str, Iterable[str]]]) -> str:
    """Definition of ``pedal_initial_state``; of each layer the members of its state with their items."""
    text = array("const pedal_state pedal_initial_state", [
        (f"layer {index}, {member}", _member(index, member, items))
        for index, layer in enumerate(layers) for member, items in layer.items()])
    return '#include "pedal.h"\n\n' + text


def _member(index: int, member: str, items: Iterable[str]) -> list[str]:
    listed = list(items)
    opened = f".layers[{index}].{member} = {{{listed[0]}"
    return [opened, *listed[1:-1], f"{listed[-1]}}}"] if len(listed) > 1 else [f"{opened}}}"]
