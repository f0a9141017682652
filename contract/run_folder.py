"""Where a training run keeps what the next stages read.

::

    RUN/
      model.keras      the best network so far
      training.json    every figure, digest, version and the paths of the recordings
      recipe.yaml      what was asked for, complete
      training.png     the ESR while it trained
      checkpoint.npz   where an interrupted training goes on

A network that others trained has the first two alone; then training.json's ``outcome`` is "imported", and ``imported``
says from which file.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralpedal.contract.errors import ModelFileError


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run."""

    path: Path

    @property
    def model(self) -> Path:
        """The Keras model."""
        return self.path / "model.keras"

    @property
    def training(self) -> Path:
        """Figures and provenance."""
        return self.path / "training.json"

    @property
    def picture(self) -> Path:
        """The course of the training, for people."""
        return self.path / "training.png"

    @property
    def recipe(self) -> Path:
        """The complete recipe."""
        return self.path / "recipe.yaml"

    @property
    def checkpoint(self) -> Path:
        """What ``--resume`` reads."""
        return self.path / "checkpoint.npz"

    def is_run(self) -> bool:
        """True when a model lies here."""
        return self.model.is_file()

    def read_training(self) -> dict[str, Any]:
        """The content of training.json.

        Raises:
            ModelFileError: missing or not JSON.
        """
        try:
            content = json.loads(self.training.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ModelFileError(f"{self.training}: no such file; is {self.path} a run folder of train?") from error
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ModelFileError(f"{self.training}: cannot be read ({error}); train again") from error
        if not isinstance(content, dict):
            raise ModelFileError(f"{self.training}: holds a {type(content).__name__}, wanted an object; train again")
        return content
