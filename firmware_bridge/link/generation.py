"""Writes the protocol's numbers as C and as Python, both from protocol.yaml.

    python -m neuralpedal.firmware_bridge.link.generation

A test compares the two files with what this would write.
"""

from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from neuralpedal.contract.atomic import write_text

PROTOCOL_FILE = "protocol.yaml"
HEADER = Path("runtime", "pedal_link_protocol.h")
MODULE = Path("link", "protocol.py")

_ENUMS = {
    "requests": ("Request", "LINK", "What the host asks."),
    "notices": ("Notice", "LINK", "What the board says unasked."),
    "answers": ("Answer", "LINK", "What an answer adds to its request, and the answer that says what is wrong."),
    "errors": ("Fault", "LINK_FAULT", "What a board refuses."),
    "samples": ("Samples", "LINK_SAMPLES", "Type of a board's samples."),
    "arithmetics": ("Arithmetic", "LINK_ARITHMETIC", "What a model is computed in; bits of a board's mask."),
    "counters": ("Counter", "LINK_COUNTER", "What a board counts in a block."),
    "resets": ("Reset", "LINK_RESET", "What is reset."),
    "parameters": ("Parameter", "LINK_PARAMETER", "What a host may set."),
    "controls": ("Control", "LINK_CONTROL", "What a foot may move."),
}
"""Sections of the YAML that become enums: name in Python, prefix in C, sentence."""

_BY = "Generated from link/protocol.yaml by python -m neuralpedal.firmware_bridge.link.generation; do not edit."


def read_protocol() -> dict[str, Any]:
    """The YAML."""
    text = resources.files("neuralpedal.firmware_bridge.link").joinpath(PROTOCOL_FILE).read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def header_text(protocol: dict[str, Any]) -> str:
    """pedal_link_protocol.h."""
    lines = [f"/* {_BY} */", "#ifndef PEDAL_LINK_PROTOCOL_H", "#define PEDAL_LINK_PROTOCOL_H", "",
             f"#define PEDAL_LINK_VERSION {protocol['version']}", ""]
    lines += [f"#define PEDAL_LINK_{name.upper()} {value}" for name, value in protocol["sizes"].items()]
    for section, (_, prefix, sentence) in _ENUMS.items():
        lines += ["", f"/* {sentence} */"]
        lines += [f"#define PEDAL_{prefix}_{name.upper()} {value}" for name, value in protocol[section].items()]
    return "\n".join([*lines, "", "#endif", ""])


def module_text(protocol: dict[str, Any]) -> str:
    """protocol.py."""
    lines = ['"""The numbers of the protocol.', "", _BY, '"""', "", "from enum import IntEnum", "",
             f"VERSION = {protocol['version']}"]
    lines += [f"{name.upper()} = {value}" for name, value in protocol["sizes"].items()]
    for section, (name, _, sentence) in _ENUMS.items():
        lines += ["", "", f"class {name}(IntEnum):", f'    """{sentence}"""', ""]
        lines += [f"    {key.upper()} = {value}" for key, value in protocol[section].items()]
    return "\n".join([*lines, ""])


def main() -> None:
    """Write both."""
    protocol, bridge = read_protocol(), Path(__file__).resolve().parents[1]
    write_text(bridge / HEADER, header_text(protocol))
    write_text(bridge / MODULE, module_text(protocol))


if __name__ == "__main__":
    main()
