"""What the manifest says of a ``w8a8`` file whose audio lies in two int8 channels (see coarse_fine.py)."""

from pydantic import BaseModel, ConfigDict, field_validator

CHANNELS = 2
"""Of the dry signal: coarse, fine."""

RATIOS = (2, 4, 8, 16, 32, 64)
"""Powers of two: a fine step is then exact in every arithmetic."""


class CoarseFine(BaseModel):
    """What the manifest says of such a file.

    Attributes:
        ratio: coarse steps over fine steps of the dry signal, one of ``RATIOS``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ratio: int

    @field_validator("ratio")
    @classmethod
    def _known(cls, ratio: int) -> int:
        if ratio not in RATIOS:
            raise ValueError(f"{ratio} is not one of {', '.join(map(str, RATIOS))}")
        return ratio
