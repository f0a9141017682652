"""The C of a pedal is its reference, in every bit where arithmetic is integers: any network, block, compiler, CPU."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captures import read_guitarml, read_nam_lstm, read_seed_model
from firmware_pedals import IRREGULAR, Wanted, compile_pedal, need, trying_audio, write_pedal
from neuralpedal.contract.affine import code_of
from neuralpedal.contract.audio import read_recording
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.spec import NetworkSpec
from neuralpedal.contract.tflite_file import read_tflite
from neuralpedal.contract.weights import NetworkWeights, random_weights
from neuralpedal.device.engine import open_engine
from neuralpedal.device.stream import stream
from neuralpedal.firmware_bridge.audio_defines import int16_of
from neuralpedal.firmware_bridge.expected_audio import FLOAT_TOLERANCE
from neuralpedal.firmware_bridge.host_library import HostPedal, build_library
from neuralpedal.firmware_bridge.project import write_project
from neuralpedal.firmware_bridge.verification import verify_project
from signals import plucks
from slow_network import slow_network

pytestmark = pytest.mark.usefixtures("c_compiler")

GOLDEN = Path(__file__).parent / "golden"
# Schemes as firmware_pedals names them, and whose arithmetic they are played in.
INTEGER_ARITHMETICS = (("w8a16", None), ("w8a8", "litert"), ("w8a8", "tflm"), ("coarse-fine", "tflm"),
                       ("tflm16x8", None))


@settings(deadline=None, max_examples=12)
@given(st.sampled_from(INTEGER_ARITHMETICS), st.integers(1, 48), st.integers(1, 2), st.booleans(), st.floats(0.05, 4.0),
       st.integers(0, 999), st.sampled_from(["float", "int16"]), st.sampled_from([0.0, 0.0, 3.7, -11.3]), st.booleans())
def test_any_integer_network_in_c_equals_its_reference_in_every_bit(
    tmp_path_factory: pytest.TempPathFactory, arithmetic: tuple[str, str | None], size: int, num_layers: int,
    skip: bool, scale: float, seed: int, io: str, gain_db: float, begins: bool
) -> None:
    scheme, kernels = arithmetic
    folder = tmp_path_factory.getbasetemp() / "any"
    model = write_pedal(folder.with_suffix(".tflite"), Wanted(scheme, size, num_layers, skip, scale, seed, gain_db,
                                                              -gain_db / 2, begins))
    assert compile_pedal(model, folder, io, kernels, flags=("-O0",)).difference(trying_audio(400, seed)) == 0.0


@pytest.mark.parametrize(("arithmetic", "size", "layers"), [(("w8a16", None), 16, 1), (("w8a16", None), 7, 2),
                                                            (("w8a8", "litert"), 21, 1), (("w8a8", "tflm"), 33, 2),
                                                            (("tflm16x8", None), 12, 2)])
def test_sums_by_this_machines_vectors_are_the_same_to_the_bit(arithmetic: tuple[str, str | None], size: int,
                                                               layers: int, tmp_path: Path) -> None:
    scheme, kernels = arithmetic
    model = write_pedal(tmp_path / "pedal.tflite", Wanted(scheme, size, layers, scale=1.5, seed=size))
    compiled = compile_pedal(model, tmp_path / "c", "int16", kernels, flags=("-O2", "-march=native"))
    assert compiled.difference(trying_audio(800, size)) == 0.0


@pytest.mark.parametrize(("scheme", "right", "wrong"), [
    ("w8a16", "(high + (1 << 13)) >> 14", "(high + (1 << 13) - 1) >> 14"),
    ("w8a16", " + (INT64_C(1) << 30);", ";"),
    ("w8a16", "(g + (INT32_C(1) << (29 - format.cell_bits)))", "g"),
    ("w8a8", "(value + (INT32_C(1) << (exponent - 1)) + (value >> 31)) >> exponent", "value >> exponent"),
    ("w8a8", "(positive ^ sign) + (sign & 32768)", "(positive ^ sign) + (sign & 32767)"),
    ("w8a8", "return (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32);",
     "return (int32_t)(((int64_t)a * b) >> 32);"),
    ("w8a8", "(INT64_C(1) << (30 - factor.shift))", "0"),
])
def test_the_same_comparison_notices_a_kernel_with_one_rounding_changed(scheme: str, right: str, wrong: str,
                                                                        tmp_path: Path) -> None:
    model = write_pedal(tmp_path / "pedal.tflite", Wanted(scheme, 24, seed=3))
    compiled, dry = compile_pedal(model, tmp_path / "c", "int16"), trying_audio(400)
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
@pytest.mark.parametrize("name", sorted(path.name for scheme in ("w8a16", "w8a8", "tflm16x8") for path in
                                        GOLDEN.glob(f"lstm-*.{scheme}.tflite")))
def test_golden_models_with_their_gains_are_exact_in_any_blocks_and_after_reset(name: str, io: str,
                                                                                tmp_path: Path) -> None:
    compiled = compile_pedal(read_tflite(GOLDEN / name), tmp_path / "c", io)
    dry = trying_audio(600)
    played = dry if io == "int16" else (dry / 32768).astype(np.float32)
    assert compiled.difference(dry, (600,)) == 0.0
    # Without a reset the state is carried on, as the reference's is.
    assert compiled.difference(dry) == 0.0
    compiled.pedal.reset()
    wanted = compiled.pedal.process(played, (600,))
    for blocks in ((1,), (16,), (48,), (64,), IRREGULAR):
        for in_place in (False, True):
            compiled.pedal.reset()
            assert np.array_equal(compiled.pedal.process(played, blocks, in_place), wanted), blocks


def test_cells_that_saturate_for_seconds_are_exact(tmp_path: Path) -> None:
    model = write_pedal(tmp_path / "slow.tflite", Wanted("w8a16"), slow_network())
    compiled = compile_pedal(model, tmp_path / "c", "int16")
    dry = np.concatenate([np.full(2000, 32767, np.int16), np.full(2000, -32768, np.int16), trying_audio(2000)])
    assert compiled.difference(dry) == 0.0


SANITIZERS = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.mark.parametrize("kernels", ["litert", "tflm"])
@pytest.mark.parametrize(("factor", "narrow"), [(1e-8, 0), (30.0, 1)])
def test_sums_too_large_to_be_doubled_and_factors_above_one_are_exact(factor: float, narrow: int, kernels: str,
                                                                      tmp_path: Path) -> None:
    """A tiny kernel makes the int32 biases, in its steps, nearly 2³¹; a large one makes shifts to the left."""
    weights = random_weights(NetworkSpec(hidden_size=8), seed=8)
    weights.layers[0].kernel[:] *= np.float32(factor)
    model = write_pedal(tmp_path / "pedal.tflite", Wanted("w8a8"), weights)
    compiled = compile_pedal(model, tmp_path / "c", kernels=kernels, flags=("-O1", "-fsanitize=undefined"))
    layer, = (line for line in (compiled.project.folder / "pedal_model.h").read_text().splitlines()
              if line.startswith("#define PEDAL_LAYER0 "))
    assert layer.endswith(f", {narrow}}}") and (narrow == 0 or ", 1}, {" in layer or ", 2}, {" in layer)
    assert compiled.difference(trying_audio(600)) == 0.0


@pytest.mark.parametrize(("compiler", "flags", "arithmetics"), [
    ("gcc", ("-O0",), [("w8a16", None), ("tflm16x8", None)]),
    ("gcc", ("-O3", "-march=native"), [("w8a8", "litert"), ("coarse-fine", "tflm")]),
    ("clang", ("-O0",), [("w8a8", "tflm"), ("coarse-fine", "litert")]),
    ("clang", ("-O3", "-march=native"), [("w8a16", None), ("w8a8", "litert"), ("w8", None)]),
    ("gcc", SANITIZERS, [("w8a16", None), ("w8a8", "litert")]),
    ("clang", SANITIZERS, [("tflm16x8", None), ("coarse-fine", "tflm"), ("w8", None)]),
])
def test_every_compiler_optimization_and_sanitizer_gives_the_same_bits(
    compiler: str, flags: tuple[str, ...], arithmetics: list[tuple[str, str | None]], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole matrix, and a minute of guitar, is benchmarks/firmware.py."""
    need(compiler)
    monkeypatch.setenv("CC", compiler)
    for scheme, kernels in arithmetics:
        model = write_pedal(tmp_path / "pedal.tflite", Wanted(scheme, 9, 2, True, 0.5, 5))
        project = write_project(model.path, tmp_path / f"{scheme}-{kernels}", "host", "int16", kernels, golden_s=0.03)
        assert verify_project(project.folder, blocks=(IRREGULAR,), flags=flags).passed, scheme


@pytest.mark.parametrize(("target", "compiler", "emulator"), [
    ("aarch64", "aarch64-linux-gnu-gcc", "qemu-aarch64-static"),
    ("powerpc64", "powerpc64-linux-gnu-gcc", "qemu-ppc64-static"),
])
@pytest.mark.parametrize(("io", "arithmetics"), [
    ("float", [("w8", None), ("coarse-fine", "tflm"), ("w8a16", None)]),
    ("int16", [("w8a16", None), ("w8a8", "litert"), ("tflm16x8", None)]),
])
def test_another_processor_and_another_byte_order_give_the_same_bits(
    target: str, compiler: str, emulator: str, io: str, arithmetics: list[tuple[str, str | None]], tmp_path: Path
) -> None:
    need(compiler, emulator)
    for scheme, kernels in arithmetics:
        model = write_pedal(tmp_path / "pedal.tflite", Wanted(scheme, 11, 2, True, 0.5, 7, 2.0, -3.0))
        project = write_project(model.path, tmp_path / f"{scheme}-{kernels}", target, io, kernels, golden_s=0.03)
        found = verify_project(project.folder, blocks=((48,),))
        assert found.passed and found.samples == 1440, scheme


@pytest.mark.parametrize(("num_layers", "size", "skip"), [(1, 16, True), (2, 5, False)])
def test_c_plays_a_w8a8_file_as_litert_does_and_as_tflite_micro_does(num_layers: int, size: int, skip: bool,
                                                                    tmp_path: Path) -> None:
    tflm = pytest.importorskip("tflm_player")
    model = write_pedal(tmp_path / "pedal.tflite", Wanted("w8a8", size, num_layers, skip, 0.8, 4))
    dry = (trying_audio(1920) / 32768).astype(np.float32)
    litert = compile_pedal(model, tmp_path / "litert", kernels="litert").pedal.process(dry)
    assert np.array_equal(litert, stream(open_engine(model.path), dry))
    codes = [code_of(model.tensors[index], "") for index in (*model.inputs, *model.outputs)]
    micro = tflm.TflmPlayer(model.path.read_bytes(), 64).process(codes[0].encode(dry))
    played = compile_pedal(model, tmp_path / "tflm", kernels="tflm").pedal.process(dry)
    assert np.array_equal(played, codes[1].decode(micro)) and not np.array_equal(played, litert)


@settings(deadline=None, max_examples=8)
@given(st.sampled_from(["w8", "float32"]), st.integers(1, 48), st.integers(1, 2), st.booleans(), st.floats(0.05, 0.4),
       st.integers(0, 999), st.sampled_from(["float", "int16"]), st.sampled_from(["lstm", "gru"]))
def test_any_float_network_in_c_is_near_its_reference(
    tmp_path_factory: pytest.TempPathFactory, scheme: str, size: int, num_layers: int, skip: bool, scale: float,
    seed: int, io: str, family: str
) -> None:
    """Of moderate weights: larger random ones are chaotic, so that any two roundings part within milliseconds."""
    folder = tmp_path_factory.getbasetemp() / "float"
    model = write_pedal(folder.with_suffix(".tflite"), Wanted(scheme, size, num_layers, skip, scale, seed,
                                                             family=family))
    compiled = compile_pedal(model, folder, io, flags=("-O0",))
    assert compiled.difference(trying_audio(400, seed)) <= (1 if io == "int16" else FLOAT_TOLERANCE)


@pytest.mark.parametrize(("file", "right", "wrong"), [
    ("pedal_gru_unit.h", "pedal_sigmoid_float(-sums.first)", "pedal_sigmoid_float(sums.first)"),
    ("pedal_gru_unit.h", "sums.fourth, sums.third", "sums.third, sums.fourth"),
    ("pedal_gru_unit.h", "PEDAL_IDLE_RECURRENT_ROW 2", "PEDAL_IDLE_RECURRENT_ROW 3"),
    ("pedal_gru_unit.h", "PEDAL_IDLE_KERNEL_ROW 3", "PEDAL_IDLE_KERNEL_ROW 2"),
    ("pedal_gru_unit.h", "(candidate - *state)", "(candidate - 0.999f * *state)"),
])
def test_a_gru_kernel_with_a_mistake_is_noticed(file: str, right: str, wrong: str, tmp_path: Path) -> None:
    model = write_pedal(tmp_path / "pedal.tflite", Wanted("w8", 12, 2, family="gru"))
    compiled, dry = compile_pedal(model, tmp_path / "c"), trying_audio(400)
    assert compiled.difference(dry) <= FLOAT_TOLERANCE
    kernel = compiled.project.folder / file
    assert kernel.read_text().count(right) == 1
    kernel.write_text(kernel.read_text().replace(right, wrong))
    compiled.expected.reset()
    broken = replace(compiled, pedal=HostPedal(compiled.project,
                                               build_library(compiled.project, tmp_path / "broken.so")))
    assert broken.difference(dry) > 10 * FLOAT_TOLERANCE


@pytest.mark.parametrize(("name", "read"), [
    ("captures/guitarml/lstm8_ts9_pytorch.json", read_guitarml), ("captures/nam/lstm.nam", read_nam_lstm),
    ("seed_models/model_62.npz", read_seed_model), ("seed_models/model_6012_dual_layer_.npz", read_seed_model),
])
def test_trained_networks_play_real_guitar_in_c_as_in_the_reference(name: str, read: Callable[[Path], NetworkWeights],
                                                                    data_folder: Path, tmp_path: Path) -> None:
    weights = read(data_folder / name)
    dry = int16_of(read_recording(data_folder / "sd1" / "dry_test.flac").samples[96000:102000]).astype(np.int16)
    for scheme, io, worst in (("float32", "float", FLOAT_TOLERANCE), ("w8a16", "int16", 0.0), ("w8a8", "int16", 0.0)):
        model = write_pedal(tmp_path / "pedal.tflite", Wanted(scheme), weights)
        assert compile_pedal(model, tmp_path / "c", io).difference(dry, (48,)) <= worst, scheme


def test_a_slow_fuzz_in_float_c_is_nearer_to_float64_than_litert_is(tmp_path: Path) -> None:
    model = write_pedal(tmp_path / "slow.tflite", Wanted("float32"), slow_network())
    compiled, dry = compile_pedal(model, tmp_path / "c"), plucks(0.25)
    wanted = compiled.expected.play(dry)
    ours, litert = compiled.pedal.process(dry), stream(open_engine(model.path), dry)
    assert esr(wanted, ours) < esr(wanted, litert)


@pytest.mark.parametrize("family", ["lstm", "gru"])
def test_a_float_network_forgets_what_is_no_number(family: str, tmp_path: Path) -> None:
    compiled = compile_pedal(write_pedal(tmp_path / "pedal.tflite", Wanted("w8", 8, family=family)), tmp_path / "c")
    compiled.pedal.process(np.array([0.1, np.nan, np.inf, -np.inf], np.float32))
    later = compiled.pedal.process(np.zeros(20000, np.float32))
    compiled.pedal.reset()
    assert np.max(np.abs(later[-10:] - compiled.pedal.process(np.zeros(20000, np.float32))[-10:])) < 1e-6
