"""Where one cell keeps what it has done, so that an interrupted study goes on where it was.

::

    DIR/cells/ID/
      result.json        written last: the cell is done
      checkpoint.npz     in between: where its training goes on
      judged-020.json    figures of the network after 20 epochs
      model-020.keras    that network; `neuralpedal evaluate` and `convert` read it
      played-020.wav     one test segment through it
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralpedal.cli.study.plan import SAMPLE_RATE_HZ
from neuralpedal.cli.study.targets import Track
from neuralpedal.contract.atomic import make_folder, write_json
from neuralpedal.contract.audio import read_recording, write_recording
from neuralpedal.contract.errors import ModelFileError


@dataclass(frozen=True)
class CellFolder:
    """One folder; ``fingerprint`` says of which recordings, protocol and cell its files are."""

    path: Path
    fingerprint: str

    @property
    def checkpoint(self) -> Path:
        """Written while training."""
        return self.path / "checkpoint.npz"

    def model(self, epochs: int) -> Path:
        """The network after ``epochs``."""
        return self.path / f"model-{epochs:03d}.keras"

    def result(self) -> dict[str, Any] | None:
        """What :meth:`finish` wrote, or None: not done, or of another study. Raises ModelFileError when damaged."""
        return self._read("result.json")

    def judged(self, epochs: int) -> dict[str, Any] | None:
        """As :meth:`result`, of one network of the cell."""
        return self._read(f"judged-{epochs:03d}.json")

    def played(self, epochs: int) -> Track:
        """The excerpt (L,). Raises RecordingError."""
        return read_recording(self._played(epochs)).samples

    def keep_judgement(self, epochs: int, figures: dict[str, Any], excerpt: Track) -> None:
        """Write a network's figures, after what it played. Raises OutputError."""
        make_folder(self.path)
        write_recording(self._played(epochs), excerpt, SAMPLE_RATE_HZ)
        self._write(f"judged-{epochs:03d}.json", figures)

    def finish(self, result: dict[str, Any]) -> None:
        """Write the result, which makes the cell done. Raises OutputError."""
        self._write("result.json", result)
        self.checkpoint.unlink(missing_ok=True)

    def _played(self, epochs: int) -> Path:
        return self.path / f"played-{epochs:03d}.wav"

    def _write(self, name: str, content: dict[str, Any]) -> None:
        make_folder(self.path)
        write_json(self.path / name, {"fingerprint": self.fingerprint, "content": content})

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self.path / name
        try:
            stored = json.loads(path.read_text("utf-8"))
            content: dict[str, Any] = stored["content"]
            return content if stored["fingerprint"] == self.fingerprint else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelFileError(f"{path}: damaged ({error}); delete it and run the study again") from error
