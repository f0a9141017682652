"""The C of a pedal is its reference, in every bit where arithmetic is integers: any network, block, compiler, CPU."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_pedals import IRREGULAR, Wanted, compile_pedal, need, trying_audio, write_pedal
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.firmware_bridge.host_library import HostPedal, build_library
from neuralpedal.firmware_bridge.project import write_project
from neuralpedal.firmware_bridge.verification import verify_project
from slow_network import slow_network

pytestmark = pytest.mark.usefixtures("c_compiler")

GOLDEN = Path(__file__).parent / "golden"
INTEGER_SCHEMES = ("w8a16",)


@settings(deadline=None, max_examples=15)
@given(st.sampled_from(INTEGER_SCHEMES), st.integers(1, 48), st.integers(1, 2), st.booleans(), st.floats(0.05, 4.0),
       st.integers(0, 999), st.sampled_from(["float", "int16"]), st.sampled_from([0.0, 0.0, 3.7, -11.3]))
def test_any_integer_network_in_c_equals_its_reference_in_every_bit(
    tmp_path_factory: pytest.TempPathFactory, scheme: str, size: int, num_layers: int, skip: bool, scale: float,
    seed: int, io: str, gain_db: float
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any"
    model = write_pedal(folder.with_suffix(".tflite"), Wanted(scheme, size, num_layers, skip, scale, seed, gain_db,
                                                              -gain_db / 2))
    assert compile_pedal(model, folder, io, flags=("-O0",)).difference(trying_audio(600, seed)) == 0.0


@pytest.mark.parametrize(("scheme", "right", "wrong"), [
    ("w8a16", "(high + (1 << 13)) >> 14", "(high + (1 << 13) - 1) >> 14"),
    ("w8a16", " + (INT64_C(1) << 30);", ";"),
    ("w8a16", "(g + (INT32_C(1) << (29 - format.cell_bits)))", "g"),
])
def test_the_same_comparison_notices_a_kernel_with_one_rounding_changed(scheme: str, right: str, wrong: str,
                                                                        tmp_path: Path) -> None:
    model = write_pedal(tmp_path / "pedal.tflite", Wanted(scheme, 24, seed=3))
    compiled, dry = compile_pedal(model, tmp_path / "c", "int16"), trying_audio(600)
    assert compiled.difference(dry) == 0.0
    changed = 0
    for kernel in compiled.project.folder.glob("pedal_*.[ch]"):
        text = kernel.read_text()
        changed += text.count(right)
        kernel.write_text(text.replace(right, wrong))
    assert changed == 1
    compiled.expected.reset()
    library = build_library(compiled.project, tmp_path / "broken.so")
    broken = replace(compiled, pedal=HostPedal(compiled.project, library))
    assert broken.difference(dry) > 0.0


@pytest.mark.parametrize("io", ["float", "int16"])
@pytest.mark.parametrize("name", sorted(path.name for scheme in INTEGER_SCHEMES for path in
                                        GOLDEN.glob(f"lstm-*.{scheme}.tflite")))
def test_golden_models_with_their_gains_are_exact_in_any_blocks_and_after_reset(name: str, io: str,
                                                                                tmp_path: Path) -> None:
    compiled = compile_pedal(read_tflite(GOLDEN / name), tmp_path / "c", io)
    dry = trying_audio(1200)
    for blocks in ((1,), (16,), (48,), (64,), IRREGULAR, (1200,)):
        for in_place in (False, True):
            compiled.pedal.reset()
            compiled.expected.reset()
            assert compiled.difference(dry, blocks, in_place) == 0.0, blocks
    # Without a reset the state is carried on, as the reference's is.
    assert compiled.difference(dry) == 0.0


def test_cells_that_saturate_for_seconds_are_exact(tmp_path: Path) -> None:
    model = write_pedal(tmp_path / "slow.tflite", Wanted("w8a16"), slow_network())
    compiled = compile_pedal(model, tmp_path / "c", "int16")
    dry = np.concatenate([np.full(2000, 32767, np.int16), np.full(2000, -32768, np.int16), trying_audio(2000)])
    assert compiled.difference(dry) == 0.0


@pytest.mark.parametrize("flags", [("-O0",), ("-O3",), ("-O3", "-DPEDAL_PORTABLE"),
                                   ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_every_compiler_optimization_and_sanitizer_gives_the_same_bits(compiler: str, flags: tuple[str, ...],
                                                                       tmp_path: Path,
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    need(compiler)
    for scheme in INTEGER_SCHEMES:
        model = write_pedal(tmp_path / "pedal.tflite", Wanted(scheme, 9, 2, True, 1.0, 5))
        project = write_project(model.path, tmp_path / scheme, io="int16", golden_s=0.1)
        monkeypatch.setenv("CC", compiler)
        assert verify_project(project.folder, blocks=((64,), IRREGULAR), flags=flags).passed


@pytest.mark.parametrize(("target", "compiler", "emulator"), [
    ("aarch64", "aarch64-linux-gnu-gcc", "qemu-aarch64-static"),
    ("powerpc64", "powerpc64-linux-gnu-gcc", "qemu-ppc64-static"),
])
@pytest.mark.parametrize("io", ["float", "int16"])
def test_another_processor_and_another_byte_order_give_the_same_bits(target: str, compiler: str, emulator: str, io: str,
                                                                     tmp_path: Path) -> None:
    need(compiler, emulator)
    for scheme in INTEGER_SCHEMES:
        model = write_pedal(tmp_path / "pedal.tflite", Wanted(scheme, 11, 2, True, 0.8, 7, 2.0, -3.0))
        project = write_project(model.path, tmp_path / scheme, target, io, golden_s=0.25)
        found = verify_project(project.folder, blocks=((48,),))
        assert found.passed and found.samples == 12000
