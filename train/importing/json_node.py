"""A value in a JSON file of unknown origin, with its place: whatever is wrong with it becomes one clear sentence."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpedal.contract.errors import ModelFileError

LARGEST_FILE_BYTES = 2**24
"""A network of 200,000 weights is 4 MB of JSON; parsed, the worst text of this size stays below 400 MB."""


class JsonNode:
    """One value.

    Args:
        path: of the file. value: as ``json`` parsed it. place: where it lies, such as ``config.hidden_size``.
    """

    def __init__(self, path: Path, value: Any, place: str = "") -> None:
        self.path, self.value, self.place = path, value, place

    def __contains__(self, key: str) -> bool:
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def __getitem__(self, key: str) -> "JsonNode":
        """A member. Raises ModelFileError where this is no object, or lacks it."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        child = JsonNode(self.path, self.value.get(key), f"{self.place}.{key}" if self.place else key)
        if child.value is None:
            raise ModelFileError(f"{self.path}: lacks {child.place}; is the file complete?")
        return child

    def items(self) -> Iterator["JsonNode"]:
        """The elements of an array. Raises ModelFileError."""
        if not isinstance(self.value, list):
            raise self.wrong("an array")
        return (JsonNode(self.path, value, f"{self.place}[{index}]") for index, value in enumerate(self.value))

    def integer(self, low: int, high: int) -> int:
        """A whole number in a range. Raises ModelFileError."""
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not low <= self.value <= high:
            raise self.wrong(f"a whole number from {low} to {high}")
        return self.value

    def number(self) -> float:
        """A finite number, which may stand in quotes. Raises ModelFileError."""
        value = self.value
        try:
            number = float("nan") if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = float("nan")
        if not np.isfinite(number):
            raise self.wrong("a number")
        return number

    def text(self) -> str:
        """A string. Raises ModelFileError."""
        if not isinstance(self.value, str):
            raise self.wrong("a text")
        return self.value

    def array(self, *shape: int | None) -> NDArray[np.float64]:
        """Numbers in nested arrays of this shape; None stands for any length. NaN passes, as the weights' check says
        it better. Raises ModelFileError."""
        try:
            found = np.array(self.value)
        except (ValueError, OverflowError):
            raise self.wrong(f"numbers of shape {_said(shape)}, found rows of unequal lengths") from None
        if found.dtype.kind not in "iuf":
            raise self.wrong(f"numbers of shape {_said(shape)}")
        if found.ndim != len(shape) or any(want not in (None, have)
                                           for want, have in zip(shape, found.shape, strict=True)):
            raise ModelFileError(f"{self.path}: {self.place} has shape {_said(found.shape)}, wanted {_said(shape)}")
        return found.astype(np.float64)

    def wrong(self, wanted: str) -> ModelFileError:
        """The refusal of this value."""
        text = json.dumps(self.value) if not isinstance(self.value, dict | list) else type(self.value).__name__
        found = {"dict": "an object", "list": "an array"}.get(text, text if len(text) < 60 else f"{text[:60]}…")
        return ModelFileError(f"{self.path}: {self.place or 'its content'} is {found}, wanted {wanted}")


def read_json(path: Path) -> JsonNode:
    """The root of a JSON file.

    Raises:
        ModelFileError: missing, larger than 16 MiB, not JSON, nested without end.
    """
    return parse_json(path, read_bounded(path, LARGEST_FILE_BYTES))


def parse_json(path: Path, data: bytes, place: str = "") -> JsonNode:
    """The root of JSON bytes that lie in a file. Raises ModelFileError."""
    within = f"{path}: its {place}" if place else f"{path}:"
    try:
        return JsonNode(path, json.loads(data.decode("utf-8-sig")), place)
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}, column {error.colno}: {error.msg}"
    # ValueError: bad UTF-8, a number of thousands of digits; RecursionError: brackets without end.
    except (ValueError, RecursionError) as error:
        reason = str(error)
    raise ModelFileError(f"{within} not valid JSON ({reason}); download or export it again")


def read_bounded(path: Path, largest_bytes: int) -> bytes:
    """The bytes of a file that is not too large. Raises ModelFileError."""
    if not path.is_file():
        raise ModelFileError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}; give a model file")
    try:
        size = path.stat().st_size
        if size > largest_bytes:
            raise ModelFileError(f"{path}: {size} bytes, wanted at most {largest_bytes}; no network that plays live is "
                                 "that large")
        return path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror})") from error


def count_numbers(value: Any) -> int:
    """How many numbers lie in parsed JSON, however deep."""
    count, left = 0, [value]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            left.extend(item.values())
        elif isinstance(item, list):
            left.extend(item)
        else:
            count += isinstance(item, int | float) and not isinstance(item, bool)
    return count


def _said(shape: tuple[int | None, ...]) -> str:
    return "×".join("any" if size is None else str(size) for size in shape) or "(one number)"
