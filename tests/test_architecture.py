"""The rooms: who may import whom, what loads when, and that the wheel carries every folder."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = ("contract", "train", "convert", "device", "firmware_bridge", "cli")

# Room: our rooms that it may import ("train.networks": that package alone), then foreign packages.
BASE = {"numpy", "soundfile", "pydantic", "flatbuffers"}
ROOMS: dict[str, tuple[set[str], set[str]]] = {
    "contract": (set(), BASE),
    "train": ({"contract"}, {"numpy", "pydantic", "tensorflow", "keras", "google", "h5py", "scipy", "yaml"}),
    "convert": ({"contract", "train.networks"}, {"numpy", "tensorflow", "ai_edge_litert", "flatbuffers"}),
    "device": ({"contract"}, {"numpy", "cffi", "soxr", "soundfile", "pydantic", "yaml", "ai_edge_litert",
                              "tflite_runtime", "tensorflow", "pyaudio", "gpiozero", "mido"}),
    "firmware_bridge": ({"contract"}, {"cobs", "numpy", "pydantic", "serial", "yaml"}),
    "cli": ({"contract", "train", "convert", "device", "firmware_bridge"},
            {"numpy", "scipy", "click", "rich", "matplotlib", "tensorflow", "keras", "soundfile", "soxr", "pydantic",
             "yaml", "jinja2"}),
}
BARRED_NAMES = {"utils", "helpers", "common", "misc"}


def _modules(stage: str) -> list[Path]:
    return sorted((ROOT / stage).rglob("*.py"))


def _imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def _own_room(name: str) -> str | None:
    parts = name.split(".")
    return ".".join(parts[1:3]) if parts[0] == "neuralpedal" and len(parts) > 1 else None


def _violations(stage: str, path: Path, names: set[str]) -> list[str]:
    ours, foreign = ROOMS[stage]
    found = []
    for name in sorted(names):
        room = _own_room(name)
        if room is not None:
            if room.split(".")[0] != stage and not any(room == o or room.split(".")[0] == o for o in ours):
                found.append(f"{path.relative_to(ROOT)} imports {name}")
        elif name.split(".")[0] not in foreign | set(sys.stdlib_module_names) | {"neuralpedal"}:
            found.append(f"{path.relative_to(ROOT)} imports {name}")
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_every_room_imports_only_what_the_table_allows(stage: str) -> None:
    violations = [line for path in _modules(stage) for line in _violations(stage, path, _imported(path))]
    assert violations == []


def test_the_table_would_notice_a_forbidden_import() -> None:
    path = ROOT / "device" / "engine.py"
    assert _violations("device", path, {"neuralpedal.train.trainer"})
    assert _violations("device", path, {"scipy.signal"})
    assert _violations("convert", ROOT / "convert" / "source.py", {"neuralpedal.train.trainer"})
    assert not _violations("convert", ROOT / "convert" / "source.py", {"neuralpedal.train.networks.pedal_model"})


def _loaded_after(code: str) -> set[str]:
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    output = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    return set(json.loads(output.splitlines()[-1]))


def _device_modules() -> str:
    names = [".".join(("neuralpedal", *path.relative_to(ROOT).with_suffix("").parts)) for path in _modules("device")]
    return "import " + ", ".join(name.removesuffix(".__init__") for name in names)


def test_importing_the_device_loads_no_tensorflow_keras_or_scipy() -> None:
    heavy = {"tensorflow", "keras", "tf_keras", "scipy", "matplotlib"}
    assert not heavy & _loaded_after(_device_modules())


def test_playing_a_model_loads_no_tensorflow_keras_or_scipy() -> None:
    model = next((ROOT / "tests" / "golden").glob("*.float32.tflite"))
    code = ("from neuralpedal.cli.main import run\n"
            f"assert run(['profile', {str(model)!r}, '--seconds', '0.05', '--json']) == 0")
    assert not {"tensorflow", "keras", "scipy", "matplotlib"} & _loaded_after(code)


def test_the_help_page_loads_nothing_but_click() -> None:
    loaded = _loaded_after("from neuralpedal.cli.main import run\nassert run(['--help']) == 0")
    assert not {"numpy", "rich", "tensorflow", "soundfile"} & loaded


def test_every_package_folder_is_declared_for_the_wheel() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT) for stage in STAGES for path in (ROOT / stage).rglob("*.py")}
    declared = {f"neuralpedal.{'.'.join(folder.parts)}": str(folder) for folder in folders}
    assert sorted(setuptools["packages"]) == sorted(declared)
    assert setuptools["package-dir"] == declared


def test_every_other_file_of_a_stage_is_declared_for_the_wheel() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    declared = {path for package, patterns in setuptools["package-data"].items() for pattern in patterns
                for path in (ROOT / setuptools["package-dir"][package]).glob(pattern)}
    found = {path for stage in STAGES for path in (ROOT / stage).rglob("*")
             if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert found == declared


def test_no_file_has_a_name_that_means_nothing() -> None:
    assert not [path for stage in STAGES for path in _modules(stage) if path.stem in BARRED_NAMES]


def test_blind_except_stands_in_the_command_line_alone() -> None:
    blind = [path for stage in STAGES if stage != "cli" for path in _modules(stage)
             for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ExceptHandler)
             and (node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"})]
    assert blind == []


def test_every_module_function_and_class_that_is_public_has_a_docstring() -> None:
    bare = []
    for stage in STAGES:
        for path in _modules(stage):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            nodes = [tree, *[node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]]
            inner = {child for node in nodes if isinstance(node, ast.FunctionDef) for child in ast.walk(node)
                     if child is not node}
            bare += [f"{path.relative_to(ROOT)}: {getattr(node, 'name', 'module')}" for node in nodes
                     if node not in inner and not getattr(node, "name", "").startswith("_")
                     and not ast.get_docstring(node)
                     and not _private_class_of(node, tree)]
    assert bare == []


def _private_class_of(node: ast.AST, tree: ast.Module) -> bool:
    return any(isinstance(owner, ast.ClassDef) and owner.name.startswith("_") and node in ast.walk(owner)
               for owner in tree.body)


def test_no_two_files_of_tests_and_benchmarks_have_one_name() -> None:
    """Both folders are on pytest's path: of two, one would be imported for the other."""
    assert not {path.name for path in (ROOT / "tests").glob("*.py")} & {path.name for path in
                                                                       (ROOT / "benchmarks").glob("*.py")}
