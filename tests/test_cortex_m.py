"""Pedals on emulated Cortex-Ms: exact, counted, measured; and that what is broken is found."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_pedals import Wanted, need, write_pedal
from neuralpedal.contract.errors import FirmwareError
from neuralpedal.firmware_bridge.cost_model import RecurrentSize, arithmetic_of, cost_model
from neuralpedal.firmware_bridge.emulator import read_playing
from neuralpedal.firmware_bridge.footprint import find_forbidden
from neuralpedal.firmware_bridge.project import Project, write_project
from neuralpedal.firmware_bridge.target import load_target, target_names
from neuralpedal.firmware_bridge.verification import Verification, verify_project

Cli = Callable[..., tuple[int, str, str]]

EMULATED = [name for name in target_names() if load_target(name).machine]
KERNEL = "pedal_w8a16.c"
SAMPLE = "const int32_t x = pedal_encode(in[t]);"
SMALL = Wanted("w8a16", 5)


@pytest.fixture
def rig() -> None:
    need("arm-none-eabi-gcc", "qemu-system-arm")


def make(folder: Path, target: str = "cortex-m7", io: str = "int16", wanted: Wanted = SMALL,
         golden_s: float = 0.02, kernels: str | None = None) -> Project:
    model = write_pedal(folder / "pedal.tflite", wanted)
    return write_project(model.path, folder / "project", target, io, kernels, golden_s=golden_s)


def broken(folder: Path, right: str, wrong: str, target: str = "cortex-m7") -> Verification:
    """Of a kernel in which ``right`` was replaced."""
    project = make(folder, target)
    kernel = project.folder / KERNEL
    text = kernel.read_text()
    assert text.count(right) == 1
    kernel.write_text(text.replace(right, wrong))
    return verify_project(project.folder)


@pytest.mark.usefixtures("rig")
@pytest.mark.parametrize(("target", "scheme", "kernels", "io"), [
    *((target, "w8a16", None, "int16") for target in EMULATED),
    *((target, *others) for target in ("cortex-m7", "cortex-m4", "cortex-m0plus") for others in (
        ("w8a8", "litert", "int16"), ("w8a8", "tflm", "float"), ("tflm16x8", None, "int16")))])
def test_two_layers_give_the_reference_s_bits_on_every_core(target: str, scheme: str, kernels: str | None, io: str,
                                                            tmp_path: Path) -> None:
    project = make(tmp_path, target, io, Wanted(scheme, 7, 2, True, 1.0, 3, 2.0, -3.0), 0.01, kernels)
    found = verify_project(project.folder)
    assert found.passed and found.differing_samples == 0 and found.samples == 480
    assert found.blocks == ((1,), (16,), (48,), (64,), (0,))
    assert found.instructions_per_sample and found.flash_bytes and found.stack_bytes
    assert found.flash_bytes > project.table_bytes and found.ram_bytes == project.state_bytes


@pytest.mark.usefixtures("rig")
@pytest.mark.parametrize(("target", "family"), [
    ("cortex-m7", "lstm"), ("cortex-m4", "lstm"), ("cortex-m3", "lstm"), ("cortex-m0plus", "lstm"),
    ("cortex-m7", "gru"), ("cortex-m0plus", "gru")])
def test_float_is_near_the_reference_with_and_without_float_unit(target: str, family: str, tmp_path: Path) -> None:
    wanted = Wanted("float32", 7, 2, True, 0.6 if family == "gru" else 1.0, 3, family=family)
    found = verify_project(make(tmp_path, target, "float", wanted, 0.01).folder)
    assert found.passed and 0.0 < found.max_abs_difference <= 1e-5


@pytest.mark.usefixtures("rig")
def test_two_seconds_with_full_scale_inputs_are_exact(tmp_path: Path) -> None:
    project = make(tmp_path, golden_s=2.0)
    for target in ("cortex-m7", "cortex-m4"):
        found = verify_project(project.folder, target)
        assert found.passed and found.samples == 96_000 and found.target == target


@pytest.mark.usefixtures("rig")
def test_instructions_are_counted_the_same_every_time(tmp_path: Path) -> None:
    folder = make(tmp_path).folder
    first, second = (verify_project(folder) for _ in range(2))
    assert first.instructions_per_sample and first.instructions_per_sample == second.instructions_per_sample


@pytest.mark.usefixtures("rig")
@pytest.mark.parametrize(("scheme", "kernels", "most"), [
    ("float32", None, 6000), ("w8a16", None, 5000), ("w8a8", "litert", 4500), ("w8a8", "tflm", 4500),
    ("gru float32", None, 4500)])
def test_sixteen_units_meet_their_targets_on_a_cortex_m7_and_cost_what_was_fitted(
        scheme: str, kernels: str | None, most: int, tmp_path: Path) -> None:
    family, scheme = ("lstm", *scheme.split())[-2:]
    io = "float" if scheme == "float32" else "int16"
    found = verify_project(make(tmp_path, "cortex-m7", io, Wanted(scheme, 16, family=family), 0.01, kernels).folder)
    size = RecurrentSize(1, 16, family)
    fitted = cost_model("cortex-m7", arithmetic_of(scheme, kernels), size).cost(size)
    assert found.instructions_per_sample and found.instructions_per_sample <= most
    # A kernel that changed by more wants new costs: python benchmarks/firmware.py --costs firmware_bridge/costs.yaml
    assert found.instructions_per_sample == pytest.approx(fitted.instructions_per_sample, rel=0.1)


@pytest.mark.usefixtures("rig")
def test_the_counter_counts_what_is_known_to_be_executed(tmp_path: Path) -> None:
    fewer, more = (broken(tmp_path, SAMPLE, f'__asm__ volatile(".rept {count}\\n nop\\n .endr");\n{SAMPLE}')
                   for count in (10, 110))
    assert fewer.instructions_per_sample and more.instructions_per_sample
    assert more.instructions_per_sample - fewer.instructions_per_sample == pytest.approx(100, abs=0.1)


@pytest.mark.usefixtures("rig")
def test_flash_counts_what_the_pedal_calls_and_nothing_else(tmp_path: Path) -> None:
    project = make(tmp_path)
    plain = verify_project(project.folder)
    with (project.folder / KERNEL).open("a") as kernel:
        kernel.write("\nvoid pedal_unused(int32_t *out);\nvoid pedal_unused(int32_t *out) { *out = *out * 3; }\n")
    assert verify_project(project.folder).flash_bytes == plain.flash_bytes


@pytest.mark.usefixtures("rig")
def test_a_rounding_that_changed_is_found(tmp_path: Path) -> None:
    found = broken(tmp_path, "(high + (1 << 13)) >> 14", "high >> 14")
    assert not found.passed and found.differing_samples > 0 and found.max_abs_difference_lsb > 0


@pytest.mark.usefixtures("rig")
@pytest.mark.parametrize(("wrong", "fault"), [
    ("out[n] = 1;", "memory beside state or output was written"),
    ("((volatile int *)(state + 1))[0] = 0;", "memory beside state or output was written"),
    ("out[0] = (pedal_sample)(n > 1 ? 5 : out[0]);", "blocks of another size give another output"),
    ("volatile char deep[2000]; deep[0] = 0; deep[1999] = deep[0];", "bytes of stack, the header says 512"),
])
def test_what_the_samples_do_not_show_is_a_fault(wrong: str, fault: str, tmp_path: Path) -> None:
    project = make(tmp_path)
    kernel = project.folder / KERNEL
    head, tail = kernel.read_text().split("void pedal_process(", 1)
    end = tail.rindex("}")
    kernel.write_text(f"{head}void pedal_process({tail[:end]}    {wrong}\n{tail[end:]}")
    found = verify_project(project.folder)
    assert not found.passed and any(fault in one for one in found.faults), found.faults


@pytest.mark.usefixtures("rig")
def test_a_division_or_a_float_in_an_integer_kernel_is_a_fault_on_a_cortex_m0plus(tmp_path: Path) -> None:
    divided = "volatile int32_t three = 3; const int32_t x = pedal_encode(in[t]) / three;"
    found = broken(tmp_path, SAMPLE, divided, "cortex-m0plus")
    assert not found.passed and any("idiv" in one for one in found.faults)
    found = broken(tmp_path, SAMPLE, "const int32_t x = (int32_t)((float)pedal_encode(in[t]) * 0.7f);", "cortex-m0plus")
    assert not found.passed and any("__aeabi_fmul is linked" in one for one in found.faults)


@pytest.mark.usefixtures("rig")
def test_a_network_that_is_too_large_for_the_target_is_an_error_that_says_by_how_much(tmp_path: Path) -> None:
    project = make(tmp_path, "cortex-m0plus", wanted=Wanted("w8a16", 188, scale=0.1), golden_s=0.001)
    with pytest.raises(FirmwareError, match=r"too large for cortex-m0plus: \d+ bytes of FLASH are missing on microbit"):
        verify_project(project.folder)


@pytest.mark.usefixtures("rig")
def test_a_program_that_stops_is_an_error_and_not_a_result(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match=r"exit code 3.*bad address or instruction"):
        broken(tmp_path, SAMPLE, f'__asm__ volatile("udf #0"); {SAMPLE}')


@pytest.mark.usefixtures("rig")
def test_a_project_may_be_named_from_where_its_caller_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert verify_project(Path("project")).passed


@pytest.mark.usefixtures("rig")
def test_verify_says_which_boards_it_fits_and_exits_with_1_when_not(tmp_path: Path, cli: Cli) -> None:
    folder = make(tmp_path, wanted=Wanted("w8a16", 16)).folder
    code, text, _ = cli("firmware", "verify", folder, "--json")
    found = json.loads(text)
    assert code == 0 and found["passed"] and found["max_abs_difference_lsb"] == 0
    assert min(found[key] for key in ("instructions_per_sample", "flash_bytes", "ram_bytes", "stack_bytes")) > 0
    assert {one["board"]: one["fits"] for one in found["boards"]}["daisy-seed"]
    code, text, _ = cli("firmware", "verify", folder, "--fits", "pico")
    assert code == 1 and "Raspberry Pi Pico: no, too slow" in text and "largest hidden size" in text
    code, text, _ = cli("firmware", "verify", folder, "--fits", "daisy-seed")
    assert code == 0 and "Daisy Seed: yes" in text
    code, _, errors = cli("firmware", "verify", folder, "--fits", "daisy")
    assert code == 2 and "not one of daisy-seed" in errors


def test_a_missing_emulator_or_compiler_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(tmp_path).folder
    monkeypatch.setattr(shutil, "which", lambda name, *_, **__: None)
    with pytest.raises(FirmwareError, match="apt install gcc-arm-none-eabi"):
        verify_project(folder)
    monkeypatch.setattr(shutil, "which", lambda name, *_, **__: None if name.startswith("qemu") else f"/bin/{name}")
    with pytest.raises(FirmwareError, match="apt install qemu-system-arm"):
        verify_project(folder)


@pytest.mark.parametrize("answer", ["", "{", '{"state_bytes": 4}', '{"state_bytes": 4, "passes": [{}]}'])
def test_an_answer_without_figures_is_an_error(answer: str) -> None:
    with pytest.raises(FirmwareError, match="answered no figures"):
        read_playing(answer, "pedal.elf")


def test_forbidden_instructions_are_found_in_a_disassembly() -> None:
    listing = ("00000000 <pedal_process>:\n   0:\t4770      \tbx\tlr\n   2:\tfb91 f0f2 \tsdiv\tr0, r1, r2\n"
               "   6:\tee20 0a20 \tvmul.f32\ts0, s0, s1\n   a:\tfb20 1002 \tsmlad\tr0, r0, r2, r1\n\n"
               "00000010 <__aeabi_lmul>:\n  10:\t4770      \tbx\tlr\n\n00000020 <__aeabi_uidivmod>:\n  20:\t4770      "
               "\tbx\tlr\n\n00000030 <__aeabi_dadd>:\n  30:\t4770      \tbx\tlr\n")
    assert find_forbidden(listing) == ["pedal_process: sdiv", "pedal_process: vmul.f32", "__aeabi_uidivmod is linked",
                                       "__aeabi_dadd is linked"]
