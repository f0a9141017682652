"""WaveNets as firmware: projects for hosts and emulated microcontrollers, boards, and what fits them."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_board_examples import compile_example
from wavenets import KINDS, wavenet_specs, write_wavenet

from firmware_pedals import compile_pedal, need, trying_audio
from neuralpedal.cli.tflite_player import open_tflite
from neuralpedal.contract.errors import ModelFileError, SpecError
from neuralpedal.contract.wavenet import WaveNetSpec
from neuralpedal.contract.wavenet_weights import random_wavenet
from neuralpedal.device.stream import stream
from neuralpedal.firmware_bridge import wavenet_w8a16_code
from neuralpedal.firmware_bridge.board_catalog import boards
from neuralpedal.firmware_bridge.board_example import boards_with_example
from neuralpedal.firmware_bridge.cost_model import Cost, WaveNetSize, cost_model, size_of
from neuralpedal.firmware_bridge.expected_audio import ExpectedAudio
from neuralpedal.firmware_bridge.fit import MeasuredPedal, fit_all, fit_board
from neuralpedal.firmware_bridge.link.messages import Samples
from neuralpedal.firmware_bridge.model_blob import write_blob
from neuralpedal.firmware_bridge.project import PROJECT_FILE, Project, read_project, write_project
from neuralpedal.firmware_bridge.verification import verify_project
from neuralpedal.train.wavenet_presets import PRESETS, preset_spec
from signals import plucks

Cli = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.usefixtures("c_compiler")


def make(folder: Path, target: str | None = None, kind: str = "a1", scheme: str = "float32", io: str | None = "float",
         board: str | None = None, golden_s: float = 0.02) -> Project:
    spec = KINDS.get(kind) or preset_spec(kind, 48_000)
    file = write_wavenet(folder / "pedal.tflite", random_wavenet(spec, 3), scheme, input_gain_db=2.0)
    return write_project(file.path, folder / "my-pedal", target, io, board=board, golden_s=golden_s)


@pytest.mark.parametrize(("target", "kind", "scheme", "io"), [
    ("host", "gated", "w8", "int16"), ("aarch64", "a2", "w8", "float"), ("powerpc64", "skip", "float32", "int16"),
    ("cortex-m7", "a1", "w8", "float"), ("cortex-m7", "a2", "float32", "int16"), ("cortex-m4", "gated", "w8", "float"),
    ("cortex-m33", "skip", "w8", "int16"), ("cortex-m3", "a1", "float32", "float")])
def test_a_project_plays_what_the_reference_plays(target: str, kind: str, scheme: str, io: str, tmp_path: Path) -> None:
    programs = {"host": ("cc",), "aarch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64-static"),
                "powerpc64": ("powerpc64-linux-gnu-gcc", "qemu-ppc64-static")}
    need(*programs.get(target, ("arm-none-eabi-gcc", "qemu-system-arm")))
    found = verify_project(make(tmp_path, target, kind, scheme, io).folder)
    assert found.passed, found
    assert found.max_abs_difference <= (1e-5 if io == "float" else 1 / 32768)


@pytest.mark.parametrize("io", ["float", "int16"])
@pytest.mark.parametrize("kind", KINDS)
def test_integers_are_the_reference_s_in_every_bit(kind: str, io: str, tmp_path: Path) -> None:
    file = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(KINDS[kind], 4), "w8a16", input_gain_db=3.0,
                         output_gain_db=-2.0)
    compiled = compile_pedal(file, tmp_path / "c", io)
    assert compiled.difference(trying_audio(6000)) == 0.0
    compiled.pedal.reset()
    compiled.expected.reset()
    assert compiled.difference(trying_audio(500), (1,)) == 0.0


@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spec=wavenet_specs(), seed=st.integers(0, 99))
def test_any_network_in_integers_is_the_reference(spec: WaveNetSpec, seed: int, tmp_path: Path) -> None:
    file = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(spec, seed), "w8a16")
    assert compile_pedal(file, tmp_path / "c", "int16").difference(trying_audio(2000)) == 0.0


@pytest.mark.parametrize(("target", "kind"), [
    ("cortex-m7", "a2"), ("cortex-m7", "gated"), ("cortex-m4", "a1"), ("cortex-m3", "skip"), ("aarch64", "a2"),
    ("powerpc64", "gated")])
def test_integers_are_exact_on_every_machine(target: str, kind: str, tmp_path: Path) -> None:
    programs = {"aarch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64-static"),
                "powerpc64": ("powerpc64-linux-gnu-gcc", "qemu-ppc64-static")}
    need(*programs.get(target, ("arm-none-eabi-gcc", "qemu-system-arm")))
    found = verify_project(make(tmp_path, target, kind, "w8a16", "int16").folder)
    assert found.passed and found.differing_samples == 0


def test_factors_that_no_high_product_has_are_exact_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wavenet_w8a16_code, "_is_high_product", lambda conv: False)
    file = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(KINDS["a2"], 4), "w8a16")
    compiled = compile_pedal(file, tmp_path / "c", "int16")
    assert "PEDAL_FACTOR_INTS 2" in (compiled.project.folder / "pedal_model.h").read_text()
    assert compiled.difference(trying_audio(3000)) == 0.0


def test_a_rounding_that_changed_is_heard(tmp_path: Path) -> None:
    file = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(KINDS["a2"], 4), "w8a16")
    compiled = compile_pedal(file, tmp_path / "c", "int16")
    kernel = compiled.project.folder / "pedal_wavenet_w8a16.c"
    text = kernel.read_text()
    right = "pedal_saturate_16(pedal_multiply_high_rounded(sum, by[0]))"
    assert text.count(right) == 1
    kernel.write_text(text.replace(right, "pedal_saturate_16((int32_t)(((int64_t)sum * by[0]) >> 32))"))
    assert not verify_project(compiled.project.folder).passed


def test_the_native_engine_plays_integers_exactly(tmp_path: Path) -> None:
    file = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(KINDS["a1"], 4), "w8a16")
    dry = plucks(0.05)
    engine = open_tflite(file.path, "native", 64, tmp_path / "cache")
    assert "w8a16" in engine.description
    np.testing.assert_array_equal(stream(engine, dry), ExpectedAudio(file).play(dry))


def test_eight_bit_signals_have_no_c_and_the_message_says_what_has(tmp_path: Path) -> None:
    file = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(KINDS["a1"], 4), "w8a8")
    with pytest.raises(ModelFileError, match="a WaveNet as w8a8 has no C; convert it to w8a16 or float32 or w8"):
        write_project(file.path, tmp_path / "project")


def test_weights_lie_in_flash_and_the_past_in_ram(tmp_path: Path) -> None:
    need("arm-none-eabi-gcc", "qemu-system-arm")
    project = make(tmp_path, "cortex-m7", "nano")
    found, spec = verify_project(project.folder), preset_spec("nano", 48_000)
    assert found.passed and found.ram_bytes == project.state_bytes >= 4 * size_of(spec).counts()[-1]
    assert found.flash_bytes and found.flash_bytes > project.table_bytes >= 4 * (spec.num_parameters - 1)
    assert found.stack_bytes and 512 < found.stack_bytes <= project.stack_bytes


def test_more_stack_than_was_promised_is_a_fault(tmp_path: Path) -> None:
    need("arm-none-eabi-gcc", "qemu-system-arm")
    project = make(tmp_path, "cortex-m7")
    path = project.folder / PROJECT_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"stack_bytes": 600}))
    found = verify_project(project.folder)
    assert not found.passed and any("bytes of stack, the header says 600" in one for one in found.faults)


@pytest.mark.parametrize("board", boards_with_example())
def test_board_examples_compile_around_a_wavenet(board: str, tmp_path: Path) -> None:
    done = compile_example(make(tmp_path, kind="nano", scheme="w8", io=None, board=board, golden_s=0.001))
    assert done.returncode == 0, done.stderr


def test_verify_says_which_boards_a_wavenet_fits(tmp_path: Path, cli: Cli) -> None:
    need("arm-none-eabi-gcc", "qemu-system-arm")
    folder = make(tmp_path, "cortex-m7", "a2-lite", "w8", golden_s=0.02).folder
    code, text, _ = cli("firmware", "verify", folder, "--json")
    fits = {one["board"]: one for one in json.loads(text)["boards"]}
    assert code == 0 and fits["daisy-seed"]["fits"] and fits["daisy-seed"]["counted"]
    assert fits["teensy-4.1"]["fits"] and not fits["pico-2"]["fits"] and not fits["pico-2"]["counted"]
    # No emulated Cortex-M0 has the memory of a Pico's.
    assert "pico" not in fits and fits["daisy-seed"]["largest_hidden_size"] is None
    code, text, _ = cli("firmware", "verify", folder, "--fits", "daisy-seed")
    assert code == 0 and "Daisy Seed: yes, about" in text and "hidden size" not in text
    code, text, _ = cli("firmware", "verify", folder, "--fits", "pico-2")
    assert code == 1 and "Raspberry Pi Pico 2: no, too slow" in text
    code, _, errors = cli("firmware", "verify", folder, "--fits", "pico")
    assert code == 2 and "wavenet_costs.yaml has no costs of float32 with a WaveNet on cortex-m0plus" in errors


def test_a_network_s_size_is_counted_from_its_layers() -> None:
    size = size_of(KINDS["gated"])
    assert isinstance(size, WaveNetSize)
    assert size.num_weights == KINDS["gated"].num_parameters
    assert size.activations == 3 * 6 + 2 * 2
    assert size.remembered == 3 * (2 + 4 + 16) + 2 * (5 + 1)


@pytest.mark.parametrize("preset", ["nano", "a2-lite"])
def test_what_was_fitted_is_near_what_is_on_record(preset: str) -> None:
    record = json.loads((Path(__file__).parents[1] / "benchmarks" / "instructions.json").read_text())
    size = size_of(preset_spec(preset, 48_000))
    fitted = cost_model("cortex-m7", "float32", size).cost(size)
    # Else: python benchmarks/wavenet_firmware.py --costs firmware_bridge/wavenet_costs.yaml
    counted = record["instructions_per_sample"]["cortex-m7 wavenet float32"][preset]
    assert fitted.instructions_per_sample == pytest.approx(counted, rel=0.1)


def test_larger_presets_take_a_larger_share_of_every_board() -> None:
    rows = [{fit.board: fit.estimated_share for fit in fit_all(MeasuredPedal("float32", size_of(
        preset_spec(preset, 48_000)), 48_000))} for preset in ("nano", "feather", "lite", "standard")]
    assert set(rows[0]) == {name for name, board in boards().items() if board.core != "cortex-m0plus"}
    for smaller, larger in itertools.pairwise(rows):
        assert all(smaller[board] < larger[board] for board in smaller)


def test_no_costs_on_any_core_is_an_error() -> None:
    pedal = MeasuredPedal("w8a99", size_of(preset_spec(PRESETS[0], 48_000)), 48_000)
    with pytest.raises(SpecError, match=r"w8a99 with a WaveNet on .*wavenet_firmware.py --costs"):
        fit_all(pedal)
    found = fit_board(replace(pedal, arithmetic="float32", target="cortex-m7", cost=Cost(1.0, 1e6, 1.0)), "daisy-seed")
    assert not found.fits and "1,000,000 bytes of flash" in found.reason


def test_what_was_counted_for_a_core_needs_no_fitted_costs() -> None:
    pedal = MeasuredPedal("w8a99", size_of(preset_spec("nano", 48_000)), 48_000, "cortex-m7", Cost(6000.0, 4e4, 5e4))
    assert {fit.board for fit in fit_all(pedal)} == {name for name, board in boards().items()
                                                     if board.core == "cortex-m7"}
    assert fit_board(pedal, "daisy-seed").fits


def test_a_project_of_before_promises_what_most_kernels_do(tmp_path: Path) -> None:
    project = make(tmp_path)
    path = project.folder / PROJECT_FILE
    content = json.loads(path.read_text())
    assert content.pop("stack_bytes") == project.stack_bytes
    path.write_text(json.dumps(content))
    assert read_project(project.folder).stack_bytes == 512


def test_a_player_on_a_board_refuses_a_wavenet_by_name(tmp_path: Path) -> None:
    file = write_wavenet(tmp_path / "pedal.tflite", random_wavenet(KINDS["a1"], 3))
    with pytest.raises(ModelFileError, match=r"a wavenet 4\+2 ch, 5 layers as float32 has no player on a board"):
        write_blob(file.path, Samples.FLOAT)
