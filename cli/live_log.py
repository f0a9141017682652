"""``run --log``: one JSON row a second, for those who look later."""

import json
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

from neuralpedal.cli.console import warn
from neuralpedal.contract.errors import OutputError
from neuralpedal.device.block_meter import MeterReading


class LiveLog:
    """Appends rows to a file. A disk that is full ends the log, not the music.

    Raises:
        OutputError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another --log") from error
        self._works = True

    def __enter__(self) -> "LiveLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        try:
            self._file.close()
        except OSError as failure:
            self._end(failure)

    def write(self, seconds: float, reading: MeterReading, state: dict[str, Any]) -> None:
        """One row: time of day (UTC), seconds since the start, the reading's fields, ``state``."""
        if not self._works:
            return
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        figures = {name: round(value, 3) if isinstance(value, float) else value
                   for name, value in asdict(reading).items()}
        row = {"time": now, "seconds": round(seconds, 3), **figures,
               "deadline_share_p99": round(reading.deadline_share_p99, 4), **state}
        try:
            self._file.write(json.dumps(row, allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            self._end(error)

    def _end(self, error: OSError) -> None:
        if self._works:
            self._works = False
            warn(f"{self._path}: cannot be written any more ({error.strerror}); playing on without a log")
