"""Names that C accepts."""

import re

from neuralpedal.contract.errors import SpecError

_KEYWORDS = frozenset((
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float",
    "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof",
    "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while",
))
_LONGEST = 63


def check_identifier(name: str) -> str:
    """``name`` itself. Raises SpecError when it is no C identifier."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name in _KEYWORDS or len(name) > _LONGEST:
        raise SpecError(f"name {name!r}: not a C identifier; take letters, digits and underscores, not a digit first, "
                        f"no keyword of C, at most {_LONGEST} characters")
    return name


def identifier_of(text: str) -> str:
    """The nearest identifier of a pedal's name: ``Big Muff '73`` becomes ``Big_Muff_73``."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:_LONGEST] or "pedal"
    return f"pedal_{name}"[:_LONGEST] if name[0].isdigit() or name in _KEYWORDS else name
