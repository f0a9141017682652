"""Files that appear whole or not at all.

Stages talk through files: one that reads what another half wrote would go wrong in silence. So every result is
written beside its place under a temporary name, flushed to the disk and renamed.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from neuralpedal.contract.errors import OutputError, PedalError


def make_folder(path: Path) -> Path:
    """Create a result folder with its parents.

    Raises:
        OutputError: a file is in the way, or the place is not writable.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot create the folder ({error.strerror}); choose another --out") from error
    return path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; on success it becomes ``path``, on any failure it is removed.

    The temporary name keeps the suffix, because Keras and libsndfile choose the format by it.

    Raises:
        OutputError: the folder is missing or not writable, or the disk is full.
    """
    path = Path(path)
    temporary = path.parent / f".{path.stem}.{os.getpid()}.part{path.suffix}"
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "a folder of this name exists")
        if not path.parent.is_dir():
            raise FileNotFoundError(2, "its folder does not exist")
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, PedalError):
            raise
        reason = error.strerror or str(error)
        raise OutputError(f"{path}: cannot be written ({reason}); free some space or choose another place") from error
    finally:
        # Where nothing can be created (a file as folder, a name too long) removing fails as well.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    """Ask for the bytes to be on the disk before the rename makes them visible (a power cut is a normal event)."""
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, whole or not at all. Raises OutputError."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 ``text`` to ``path``, whole or not at all. Raises OutputError."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any, default: Callable[[Any], Any] | None = None) -> None:
    """Write ``value`` as indented JSON (NaN is refused: it is not JSON). Raises OutputError, ValueError."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, default=default) + "\n")
