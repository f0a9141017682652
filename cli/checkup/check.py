"""One thing that was looked at: how it is, and the command that makes it better."""

from dataclasses import asdict, dataclass

OK, NOTE, WARNING, ERROR = "ok", "note", "warning", "error"
"""Fine; could be better; costs xruns; nothing plays."""


@dataclass(frozen=True)
class Check:
    """A finding.

    Attributes:
        name: stable, for machines too. state: of the four. found: in words. fix: a command, or what to do; empty when
            there is nothing to do.
    """

    name: str
    state: str
    found: str
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        """For ``--json``."""
        return asdict(self)
