"""A YAML file that people write by hand, as checked values, with the line of each: what is wrong is said where it is.

PyYAML's composed nodes know their lines, pydantic's errors know their path (``presets``, 1, ``gate``); both meet here.
"""

import types
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from neuralpedal.contract.errors import SpecError

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)
"""No key that nobody knows, no text where a number is wanted: a typing error must not pass in silence."""

Location = tuple[str | int, ...]
"""Keys and list places (from 0) from the top of the file down."""

_Model = TypeVar("_Model", bound=BaseModel)
_MAX_BYTES = 1 << 20
_LONGEST_FOUND = 60


class YamlDocument:
    """One file, read and composed; nothing of it is trusted yet.

    Args:
        text: the file's content if it was read already.

    Attributes:
        path: of the file. text: its content. root: the composed node, None for an empty file. values: plain Python.

    Raises:
        SpecError: missing, unreadable, no UTF-8, no YAML, a key that stands twice, something else than a mapping.
    """

    def __init__(self, path: Path, text: str | None = None) -> None:
        self.path = path
        self.text = self._read() if text is None else text
        self.root = self._compose()
        self.values: dict[str, Any] = self._construct()

    def model(self, kind: type[_Model], *location: str | int) -> _Model:
        """The part of the file at ``location`` (the whole file without one), checked by ``kind``.

        Raises:
            SpecError: the first complaint, with file, line, path, what was found and what was wanted: the
                ``description`` of the field.
        """
        part: Any = self.values
        for step in location:
            part = part[step]
        try:
            return kind.model_validate(part)
        except ValidationError as error:
            first = error.errors()[0]
            raise self._complaint(kind, location, first, len(error.errors()) - 1) from error

    def error(self, location: Sequence[str | int], message: str) -> SpecError:
        """An error at a place of the file: ``message`` says what was found, what is wanted and what to do."""
        named = ".".join(str(part + 1) if isinstance(part, int) else part for part in location)
        return SpecError(f"{self.path}:{self.line(location)}: {f'{named}: ' if named else ''}{message}")

    def line(self, location: Sequence[str | int]) -> int:
        """The line (from 1) of a key or list place; of what is nearest above it where it is missing."""
        here, line = self.root, self.root.start_mark.line if self.root else 0
        for step in location:
            place, here = _step(here, step)
            if place is None:
                break
            line = place.start_mark.line
        return line + 1

    def node(self, location: Sequence[str | int]) -> yaml.Node | None:
        """The node of a value; None where there is none."""
        here = self.root
        for step in location:
            here = _step(here, step)[1]
        return here

    def _read(self) -> str:
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise SpecError(f"{self.path}: cannot be read ({error.strerror}); give --config a file that is there"
                            ) from error
        if len(data) > _MAX_BYTES:
            raise SpecError(f"{self.path}: {len(data)} bytes, wanted a file of settings of {_MAX_BYTES} at most")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise SpecError(f"{self.path}:{line}: byte {data[error.start]:#04x} is no UTF-8; save the file as UTF-8"
                            ) from error

    def _compose(self) -> yaml.Node | None:
        try:
            root = yaml.compose(self.text, yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 1
            what = " ".join(filter(None, (error.context, error.problem)))
            raise SpecError(f"{self.path}:{line}: no YAML ({what}); correct the line or the one above it") from error
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            line = self.text.count("\n", 0, getattr(error, "position", 0)) + 1
            reason = str(error).splitlines()[0]
            raise SpecError(f"{self.path}:{line}: no YAML ({reason}); correct the line or the one above it") from error
        for key in _repeated_keys(root):
            raise SpecError(f"{self.path}:{key.start_mark.line + 1}: {key.value!r} stands here a second time; keep one "
                            "of the two")
        return root

    def _construct(self) -> dict[str, Any]:
        if self.root is None:
            return {}
        loader = yaml.SafeLoader("")
        try:
            values = loader.construct_document(self.root)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or self.root.start_mark
            raise SpecError(f"{self.path}:{mark.line + 1}: {error.problem}; write plain text, numbers, lists and "
                            "mappings") from error
        except ValueError as error:  # such as a date that no calendar has
            raise SpecError(f"{self.path}:{self.root.start_mark.line + 1}: {error}; put it in quotes") from error
        finally:
            loader.dispose()
        if not isinstance(values, dict):
            raise SpecError(f"{self.path}:{self.root.start_mark.line + 1}: found {_shown(values)}, wanted keys with "
                            "values, such as `presets:`")
        return values

    def _complaint(self, kind: type[BaseModel], base: Location, first: Any, more: int) -> SpecError:
        inner = tuple(first["loc"])
        location = (*base, *inner)
        others = f" (and {more} more)" if more else ""
        if first["type"] == "extra_forbidden":
            key = inner[-1]
            known = _field_names(kind, inner[:-1])
            close = get_close_matches(str(key), known, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            return self.error(location, f"an unknown key; wanted one of {', '.join(known)}{hint}{others}")
        wanted = _wanted(kind, inner) or first["msg"]
        if first["type"] == "missing":
            return self.error(location, f"missing; add it: wanted {wanted}{others}")
        if first["type"] in ("value_error", "assertion_error"):
            return self.error(location, f"{first['msg'].removeprefix('Value error, ')}{others}")
        return self.error(location, f"found {_shown(first['input'])}, wanted {wanted}; correct it{others}")


def _step(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node | None, yaml.Node | None]:
    """Where a value is announced (its key, or itself in a list), and the value."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(step):
                return key, value
    return None, None


def _repeated_keys(root: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            names = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if (key.tag, key.value) in names:
                        yield key
                    names.add((key.tag, key.value))
                waiting.append(value)


def _inner_kind(annotation: Any) -> Any:
    """What is inside of Optional and Annotated."""
    while get_origin(annotation) in (Union, types.UnionType):
        annotation = next(kind for kind in get_args(annotation) if kind is not type(None))
    return annotation


def _walk(kind: Any, location: Location) -> tuple[Any, str | None]:
    """The type at a place of a model, and the description of the last field on the way."""
    wanted: str | None = None
    for step in location:
        kind = _inner_kind(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(step))
            if field is None:
                return None, None
            kind, wanted = field.annotation, field.description
        elif get_origin(kind) in (list, tuple, dict):
            kind = get_args(kind)[-1 if get_origin(kind) is dict else 0]
        else:
            # pydantic names the members of a union in its paths: no key of the file.
            continue
    return _inner_kind(kind), wanted


def _field_names(kind: Any, location: Location) -> list[str]:
    found = _walk(kind, location)[0]
    return list(found.model_fields) if isinstance(found, type) and issubclass(found, BaseModel) else []


def _wanted(kind: Any, location: Location) -> str | None:
    return _walk(kind, location)[1]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "keys with values"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if value is None:
        return "nothing"
    text = repr(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _LONGEST_FOUND else text[:_LONGEST_FOUND] + "…"
