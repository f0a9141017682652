"""A folder with dry.wav, wet.wav and record.json that is there whole or not at all."""

import os
import shutil
from pathlib import Path
from typing import Any

from neuralpedal.cli.recording.take import Take
from neuralpedal.contract.atomic import make_folder, write_json
from neuralpedal.contract.audio import file_digest, write_recording
from neuralpedal.contract.errors import OutputError

DRY, WET, RECORD = "dry.wav", "wet.wav", "record.json"


def check_free(out: Path) -> None:
    """Before three minutes of playing: raises OutputError where the folder could not be made afterwards."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out}: is there already and not an empty folder; choose another --out")
    make_folder(out.parent)
    if not os.access(out.parent, os.W_OK):
        raise OutputError(f"{out}: cannot be written (no permission in {out.parent}); choose another --out")


class PairFolder:
    """Collects the files beside ``out``, under a temporary name; from its ``with`` on.

    Attributes:
        path: where the files lie meanwhile.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self.path = out.parent / f".{out.name}.{os.getpid()}.part"

    def __enter__(self) -> "PairFolder":
        shutil.rmtree(self.path, ignore_errors=True)
        make_folder(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def write_tracks(self, take: Take, sample_rate_hz: int) -> None:
        """Both tracks as 32-bit float. Raises OutputError."""
        write_recording(self.path / DRY, take.dry, sample_rate_hz)
        write_recording(self.path / WET, take.wet, sample_rate_hz)

    def finish(self, content: dict[str, Any]) -> None:
        """Write record.json with both tracks' digests, and give the folder its name. Raises OutputError."""
        digests = {f"{name}_sha256": file_digest(self.path / file) for name, file in (("dry", DRY), ("wet", WET))}
        write_json(self.path / RECORD, {**content, **digests})
        try:
            self.path.replace(self._out)
        except OSError as error:
            raise OutputError(f"{self._out}: cannot be written ({error.strerror}); choose another --out") from error
