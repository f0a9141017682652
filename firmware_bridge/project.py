"""Writes a model as a C99 project: runtime, generated tables, golden vectors, the model itself and a README."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from neuralpedal.contract.errors import FirmwareError, OutputError, PedalError, SpecError
from neuralpedal.contract.tflite_file import TfliteFile, read_tflite
from neuralpedal.firmware_bridge.board_example import example_texts, find_example
from neuralpedal.firmware_bridge.c_identifier import check_identifier, identifier_of
from neuralpedal.firmware_bridge.c_sources import c_sources, runtime_text
from neuralpedal.firmware_bridge.code_generation import IO_TYPES, CodeRequest
from neuralpedal.firmware_bridge.expected_audio import ExpectedAudio
from neuralpedal.firmware_bridge.generated_code import STACK_BYTES
from neuralpedal.firmware_bridge.golden import GOLDEN_IN, GOLDEN_OUT, GOLDEN_S, golden_dry, golden_wet
from neuralpedal.firmware_bridge.project_readme import project_readme
from neuralpedal.firmware_bridge.target import Target, load_target

PROJECT_FILE, MODEL_FILE = "project.json", "model.tflite"
_FORMAT = 1


@dataclass(frozen=True)
class Project:
    """What ``project.json`` says.

    Attributes:
        folder: where it lies. files: all that was written, for regenerating without touching anything else.
        state_bytes, table_bytes, stack_bytes: RAM of one state, constants of the model, what a call promises to stay
            below. board: whose example is among the files.
    """

    folder: Path
    name: str
    target: str
    io: str
    kernels: str | None
    model_sha256: str
    neuralpedal_version: str
    state_bytes: int
    table_bytes: int
    files: tuple[str, ...]
    board: str | None = None
    stack_bytes: int = STACK_BYTES

    @property
    def sources(self) -> tuple[str, ...]:
        """The C files without a harness: what a firmware compiles."""
        return tuple(name for name in self.files if name.endswith(".c") and not name.startswith("harness"))

    @property
    def model(self) -> TfliteFile:
        """The model it was made from. Raises ModelFileError."""
        return read_tflite(self.folder / MODEL_FILE)


def write_project(model: Path, out: Path, target: str | None = None, io: str | None = None,
                  kernels: str | None = None, name: str | None = None, golden_s: float = GOLDEN_S,
                  board: str | None = None, link: bool = False) -> Project:
    """Write ``model`` (a ``.tflite``) as a project to ``out``, whole or not at all.

    Args:
        target: a name of target.target_names(); by default the board's core, without a board the host. io: float or
            int16; by default what the board's example plays, else float. name: a C identifier; by default the pedal's.
        kernels: litert or tflm, of a w8a8 file. golden_s: length of the golden vectors.
        board: whose example program the project holds, instead of the target's harness. link: one that speaks the link.

    Raises:
        ModelFileError: it cannot be read, or no C exists for it. SpecError: an impossible option.
        OutputError: ``out`` holds something else or cannot be written. FirmwareError: no fixed-point map of its audio.
    """
    if link and board is None:
        raise SpecError("--link is about a board's example program; give --board as well")
    target, io = _choose(target, io, board)
    chosen, file = load_target(target), read_tflite(model)
    name = identifier_of(file.manifest().name) if name is None else check_identifier(name)
    check_free(out)
    command = _command(model, out, target, io, kernels, name, board) + (" --link" if link else "")
    request = CodeRequest(io, kernels, name, command)
    made = c_sources(file, request)
    program = _harness_texts(chosen) if board is None else example_texts(find_example(board, link)[1],
                                                                        out.resolve().name, link)
    contents = _contents(file, made.texts | program, request, golden_s)
    contents[MODEL_FILE] = model.read_bytes()
    project = Project(out, name, target, io, kernels, hashlib.sha256(contents[MODEL_FILE]).hexdigest(),
                      metadata.version("neuralpedal"), made.code.state_bytes, made.code.constant_bytes,
                      tuple(sorted([*contents, "README.md", PROJECT_FILE])), board, made.code.stack_bytes)
    contents["README.md"] = project_readme(project, chosen, file.manifest(), request.command).encode()
    contents[PROJECT_FILE] = _encode(project)
    _replace_folder(out, lambda folder: _write_all(folder, contents))
    return project


def _choose(target: str | None, io: str | None, board: str | None) -> tuple[str, str]:
    """Target and type of samples, where not given those of the board. Raises SpecError."""
    if io is not None and io not in IO_TYPES:
        raise SpecError(f"--io {io}: not one of {', '.join(IO_TYPES)}")
    if board is None:
        return target or "host", io or "float"
    described, example = find_example(board)
    if io not in (None, example.io):
        raise SpecError(f"--io {io}: the example for {board} plays {example.io} samples; leave --io out")
    return target or described.core, example.io


def read_project(folder: Path) -> Project:
    """An existing project. Raises FirmwareError when there is none, or one that this version cannot read."""
    path = folder / PROJECT_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != _FORMAT:
            raise ValueError(f"its format is not {_FORMAT}")
        project = Project(folder=folder, **{**content, "files": tuple(content["files"])})
    except OSError as error:
        raise FirmwareError(f"{folder}: no firmware project there ({path.name}: {error.strerror}); make one with "
                            "`neuralpedal firmware MODEL.tflite --out DIR`") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FirmwareError(f"{path}: not readable ({error}); generate the project again") from error
    missing = [name for name in project.files if not (folder / name).is_file()]
    if missing:
        raise FirmwareError(f"{folder}: {missing[0]} is missing; generate the project again")
    return project


def check_free(out: Path) -> None:
    """Refuse a folder with anything in it that a former project did not write. Raises OutputError."""
    if not out.exists():
        return
    if not out.is_dir():
        raise OutputError(f"{out}: a file of this name exists; choose another --out")
    found = {path.name for path in out.iterdir()}
    if not found:
        return
    try:
        ours = set(read_project(out).files)
    except PedalError:
        ours = set()
    foreign = sorted(found - ours)
    if foreign:
        raise OutputError(f"{out}: holds something else ({', '.join(foreign[:3])}); choose an empty or a new folder, "
                          "or one that holds a project and nothing more")


def _harness_texts(target: Target) -> dict[str, str]:
    names = {target.harness, *target.harness_files, *target.link}
    return {name: runtime_text(name) for name in names if not name.startswith("-")}


def _contents(file: TfliteFile, texts: dict[str, str], request: CodeRequest, golden_s: float) -> dict[str, bytes]:
    contents = {name: text.encode() for name, text in texts.items()}
    rate_hz = file.manifest().sample_rate_hz
    dry = golden_dry(round(golden_s * rate_hz), rate_hz)
    contents[GOLDEN_IN], contents[GOLDEN_OUT] = golden_wet(ExpectedAudio(file, request.kernels), dry,
                                                           request.io == "int16")
    return contents


def _command(model: Path, out: Path, target: str, io: str, kernels: str | None, name: str, board: str | None) -> str:
    # Only the names of files: generated text must not depend on where somebody's home is.
    command = f"neuralpedal firmware {model.name} --target {target} --out {out.name or '.'} --io {io} --name {name}"
    command += f" --kernels {kernels}" if kernels else ""
    command += f" --board {board}" if board else ""
    return command.replace("\n", " ")


def _encode(project: Project) -> bytes:
    fields = {key: value for key, value in asdict(project).items() if key != "folder"}
    return (json.dumps({"format": _FORMAT, **fields}, indent=2) + "\n").encode()


def _write_all(folder: Path, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def _replace_folder(out: Path, write: Callable[[Path], None]) -> None:
    """Fill a temporary folder beside ``out`` and put it in ``out``'s place."""
    parent = out.resolve().parent
    temporary, old = (parent / f".{out.resolve().name}.{os.getpid()}.{kind}" for kind in ("part", "old"))
    try:
        parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        write(temporary)
        if out.exists():
            out.resolve().rename(old)
        temporary.rename(out.resolve())
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror or error}); free some space or choose another "
                          "--out") from error
    finally:
        if old.exists() and not out.exists():
            old.rename(out.resolve())
        for folder in (temporary, old):
            shutil.rmtree(folder, ignore_errors=True)
