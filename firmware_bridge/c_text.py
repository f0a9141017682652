"""Numbers as C text."""

from collections.abc import Iterable
from typing import Any

import numpy as np

LINE_CHARACTERS = 116


def float_literal(value: Any) -> str:
    """A float32 as the shortest of forms that hold every bit."""
    text = f"{float(np.float32(value)):.9g}"
    return f"{text}f" if any(mark in text for mark in ".en") else f"{text}.0f"


def int32_literal(value: int) -> str:
    """INT32_MIN has no literal of its own."""
    return "INT32_MIN" if value == -(2**31) else str(value)


def define(name: str, value: object, comment: str = "") -> str:
    """One line; negative numbers in brackets."""
    text = f"({value})" if str(value).startswith("-") else str(value)
    return f"#define PEDAL_{name} {text}" + (f" /* {comment} */" if comment else "")


def array(declaration: str, groups: Iterable[tuple[str, Iterable[str]]]) -> str:
    """A const array; each group of items begins on a new line, after its comment if it has one."""
    lines = [f"{declaration} = {{"]
    for comment, items in groups:
        if comment:
            lines.append(f"    /* {comment} */")
        line = "   "
        for item in items:
            if len(line) + len(item) + 2 > LINE_CHARACTERS:
                lines.append(line)
                line = "   "
            line += f" {item},"
        lines.append(line)
    return "\n".join([*lines, "};"])
