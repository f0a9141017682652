"""One thing that is wrong with a recording: what, how bad, and what to do about it."""

from dataclasses import dataclass

ERROR, WARNING, INFO = "error", "warning", "info"
"""Cannot be trained on; makes the result worse; good to know."""


@dataclass(frozen=True)
class Problem:
    """A finding.

    Attributes:
        code: stable name for machines, as in docs/recordings.md.
        severity: ``error``, ``warning`` or ``info``.
        message: one line that names the file, what was found, what was wanted and the next step.
    """

    code: str
    severity: str
    message: str

    def to_json(self) -> dict[str, str]:
        """For ``--json`` and training.json."""
        return {"code": self.code, "severity": self.severity, "message": self.message}
