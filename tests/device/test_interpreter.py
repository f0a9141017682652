"""Which interpreter is taken, and what is said when none can be."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from neuralpedal.contract.errors import DeviceError, ModelFileError
from neuralpedal.device.engine import open_engine
from neuralpedal.device.interpreter import PACKAGES, StreamingInterpreter, find_interpreter

pytestmark = pytest.mark.device

MODEL = Path(__file__).parents[1] / "golden" / "lstm-1x4-skip.float32.tflite"
MODULES = {"ai_edge_litert": "ai_edge_litert.interpreter", "tflite_runtime": "tflite_runtime.interpreter",
           "tensorflow": "tensorflow.lite.python.interpreter"}


class FakeResolvers:
    """Any resolver's name is its value."""

    def __getattr__(self, name: str) -> str:
        return name


class Machine:
    """Says which interpreter packages this machine seems to have."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def has(self, *names: str, numpy: str = "1.26.4") -> None:
        self._monkeypatch.setattr(np, "__version__", numpy)
        for name, module_name in MODULES.items():
            self._set(name, self._package(name) if name in names else None)
            self._set(module_name, self._interpreter(name) if name in names else None)

    def has_broken(self, name: str) -> None:
        """The package is there, but its compiled part does not load."""
        self._set(name, self._package(name))
        self._set(MODULES[name], None)

    def _set(self, name: str, module: ModuleType | None) -> None:
        self._monkeypatch.setitem(sys.modules, name, module)

    @staticmethod
    def _package(name: str) -> ModuleType:
        package = ModuleType(name)
        package.__spec__ = ModuleSpec(name, None, is_package=True)
        package.__path__ = []
        return package

    @staticmethod
    def _interpreter(name: str) -> ModuleType:
        module = ModuleType(MODULES[name])
        module.Interpreter = f"Interpreter of {name}"  # type: ignore[attr-defined]
        module.OpResolverType = FakeResolvers()  # type: ignore[attr-defined]
        return module


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.mark.parametrize("first", range(len(PACKAGES)))
def test_the_first_installed_package_is_taken_in_the_stated_order(machine, first):
    machine.has(*PACKAGES[first:])
    found = find_interpreter()
    assert found.name == PACKAGES[first]
    assert found.interpreter == f"Interpreter of {PACKAGES[first]}"


def test_litert_comes_before_its_predecessor_and_before_tensorflow():
    assert PACKAGES == ("ai_edge_litert", "tflite_runtime", "tensorflow")


@pytest.mark.parametrize(("name", "kernels"), [("ai_edge_litert", "BUILTIN_REF"), ("tensorflow", "BUILTIN_REF"),
                                               ("tflite_runtime", "BUILTIN_WITHOUT_DEFAULT_DELEGATES")])
def test_each_package_is_asked_for_kernels_that_play_every_scheme(machine, name, kernels):
    machine.has(name)
    assert find_interpreter().resolver == kernels


@pytest.mark.parametrize("only", PACKAGES)
def test_one_package_can_be_asked_for_alone(machine, only):
    machine.has(*PACKAGES)
    assert find_interpreter(only).name == only


@pytest.mark.parametrize("only", [None, *PACKAGES])
def test_without_any_package_the_error_names_the_extra(machine, only):
    machine.has()
    with pytest.raises(DeviceError, match=r"no TFLite interpreter found; pip install 'neuralpedal\[device\]'"):
        find_interpreter(only)


def test_without_any_package_opening_a_model_is_a_device_error_and_exit_code_1(machine, cli):
    machine.has()
    with pytest.raises(DeviceError, match=r"neuralpedal\[device\]"):
        open_engine(MODEL)
    code, out, err = cli("profile", MODEL, "--seconds", "0.1", "--engine", "litert")
    assert (code, out) == (1, "")
    assert "no TFLite interpreter found" in err
    assert "neuralpedal[device]" in err


def test_without_any_package_the_reference_engine_still_plays(machine):
    machine.has()
    wet = np.zeros(8, np.float32)
    open_engine(MODEL, "reference", 8).process(np.full(8, 0.1, np.float32), wet)
    assert np.all(wet != 0.0)


def test_tflite_runtime_alone_beside_numpy_2_is_reported_as_such(machine):
    machine.has("tflite_runtime", numpy="2.4.6")
    with pytest.raises(DeviceError, match=r"tflite_runtime needs NumPy < 2, found 2\.4\.6\); pip install"):
        find_interpreter()


def test_tflite_runtime_beside_numpy_2_is_passed_over(machine):
    machine.has("tflite_runtime", "tensorflow", numpy="2.0.0")
    assert find_interpreter().name == "tensorflow"


def test_a_package_that_does_not_load_is_passed_over(machine):
    machine.has("tensorflow")
    machine.has_broken("ai_edge_litert")
    assert find_interpreter().name == "tensorflow"


def test_a_package_that_does_not_load_is_reported_when_there_is_no_other(machine):
    machine.has()
    machine.has_broken("ai_edge_litert")
    with pytest.raises(DeviceError, match=r"ai_edge_litert is installed but does not load \(.*\); pip install"):
        find_interpreter()


def test_the_package_that_plays_here_is_named_in_the_description():
    assert open_engine(MODEL).description == f"litert ({find_interpreter().name})"


@pytest.mark.parametrize("data", [b"", b"TFL3", b"no model at all" * 10])
def test_what_the_interpreter_refuses_is_a_model_file_error_that_names_file_and_package(tmp_path, data):
    (tmp_path / "model.tflite").write_bytes(data)
    with pytest.raises(ModelFileError, match=rf"model\.tflite: {find_interpreter().name} cannot play it \(.+\)"):
        StreamingInterpreter(tmp_path / "model.tflite", 0, 64)


def test_views_of_input_and_output_are_the_interpreters_own_memory():
    interpreter = StreamingInterpreter(MODEL, 0, 16)
    interpreter.input[...] = 0.25
    interpreter.invoke()
    np.testing.assert_array_equal(interpreter.input, np.full(16, 0.25, np.float32))
    first = interpreter.output.copy()
    interpreter.invoke()
    assert not np.array_equal(interpreter.output, first)
    interpreter.reset()
    interpreter.invoke()
    np.testing.assert_array_equal(interpreter.output, first)
