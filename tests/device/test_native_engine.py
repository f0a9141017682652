"""The native engine: plays what the reference plays, allocates nothing, never plays a library that was not proved."""

import gc
import json
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from neuralpedal.contract.errors import FirmwareError, ModelFileError
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.native_library import native_cache_folder, read_native_library
from neuralpedal.device.engine import open_engine
from neuralpedal.device.native_engine import NativeEngine
from neuralpedal.device.stream import stream
from neuralpedal.firmware_bridge import c_sources
from neuralpedal.firmware_bridge.native_library import build_native, find_native
from neuralpedal.firmware_bridge.toolchain import find_toolchain
from signals import plucks

pytestmark = [pytest.mark.device, pytest.mark.usefixtures("c_compiler")]

GOLDEN = Path(__file__).parents[1] / "golden"
SCHEMES = ("float32", "w8", "w8a16", "tflm16x8", "w8a8", "coarse-fine.w8a8")
MODEL = GOLDEN / "lstm-2x3.w8.tflite"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pedals")


def _open(model: Path, cache: Path, block_size: int = 64) -> NativeEngine:
    engine = open_engine(model, "native", block_size, library=build_native(model, cache).folder)
    assert isinstance(engine, NativeEngine)
    return engine


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("network", ["lstm-1x4-skip", "lstm-2x3"])
def test_every_scheme_plays_as_in_the_reference(network: str, scheme: str, cache: Path) -> None:
    model, dry = GOLDEN / f"{network}.{scheme}.tflite", plucks(0.1)
    wanted = stream(open_engine(model, "reference"), dry)
    for block_size in (1, 7, 64, 1024):
        engine = _open(model, cache, block_size)
        played = stream(engine, dry)
        if scheme in ("float32", "w8"):
            assert esr(wanted, played) < 1e-7
        else:
            np.testing.assert_array_equal(played, wanted)
        engine.reset()
        np.testing.assert_array_equal(stream(engine, dry), played)


def test_a_block_of_the_wrong_type_or_length_is_refused_and_nothing_is_played(cache: Path) -> None:
    engine = _open(MODEL, cache)
    good, other = np.ones(64, np.float32), _open(MODEL, cache)
    for bad in (np.ones(64), np.ones(63, np.float32), np.ones(65, np.float32)):
        for blocks in ((bad, good.copy()), (good, bad)):
            with pytest.raises(ValueError, match="wanted 256"):
                engine.process(*blocks)
    with pytest.raises(ValueError, match="contiguous"):
        engine.process(np.ones(128, np.float32)[::2], good.copy())
    wets = np.empty((2, 64), np.float32)
    engine.process(good, wets[0])
    other.process(good, wets[1])
    np.testing.assert_array_equal(*wets)


def test_a_hundred_thousand_blocks_leave_memory_as_it_was(cache: Path) -> None:
    engine = _open(MODEL, cache, 16)
    dry, wet = np.zeros(16, np.float32), np.empty(16, np.float32)
    engine.process(dry, wet)
    gc.collect()
    tracemalloc.start()
    try:
        before, objects = tracemalloc.get_traced_memory()[0], gc.get_count()[0]
        tracemalloc.reset_peak()
        for _ in range(100_000):
            engine.process(dry, wet)
        now, peak = tracemalloc.get_traced_memory()
        counted = gc.get_count()[0]
    finally:
        tracemalloc.stop()
    assert now - before < 512
    # Two views of memory at a time.
    assert peak - before < 2048
    assert counted - objects < 20


def _damage(library: Path, what: str) -> None:
    content = library.read_bytes()
    # A new file: a library that this process has loaded must not change under it, or its exit is a bus error.
    library.unlink()
    if what == "truncated":
        library.write_bytes(content[: len(content) // 2])
    elif what == "changed":
        library.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize("what", ["truncated", "changed", "gone"])
def test_a_damaged_library_is_not_loaded_and_built_again(what: str, tmp_path: Path) -> None:
    folder = build_native(MODEL, tmp_path).folder
    _damage(folder / "pedal.so", what)
    with pytest.raises(ModelFileError, match="remove the folder"):
        NativeEngine(MODEL, 64, folder)
    assert find_native(MODEL, tmp_path) is None
    assert build_native(MODEL, tmp_path).folder == folder
    NativeEngine(MODEL, 64, folder)


def test_a_library_of_another_model_or_processor_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = build_native(MODEL, tmp_path).folder
    with pytest.raises(ModelFileError, match="made from another file"):
        NativeEngine(GOLDEN / "lstm-1x4-skip.w8.tflite", 64, folder)
    for module in ("contract", "firmware_bridge"):
        monkeypatch.setattr(f"neuralpedal.{module}.native_library.processor_identity", lambda: "another")
    with pytest.raises(ModelFileError, match="another processor"):
        read_native_library(folder, MODEL)
    assert find_native(MODEL, tmp_path) is None
    assert build_native(MODEL, tmp_path).folder != folder


def test_a_library_that_answers_otherwise_than_when_it_was_proved_is_refused(tmp_path: Path) -> None:
    folder = build_native(MODEL, tmp_path).folder
    golden = np.load(folder / "golden.npy")
    golden[1, 700] = np.nextafter(golden[1, 700], np.float32(2.0))
    np.save(folder / "golden.npy", golden)
    with pytest.raises(ModelFileError, match="golden audio"):
        NativeEngine(MODEL, 64, folder)
    for content in (b"", b"no array"):
        (folder / "golden.npy").write_bytes(content)
        with pytest.raises(ModelFileError, match=r"golden\.npy"):
            NativeEngine(MODEL, 64, folder)


def test_a_kernel_that_does_not_play_what_the_reference_plays_is_never_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = c_sources.runtime_text
    monkeypatch.setattr(c_sources, "runtime_text", lambda name: healthy(name).replace(
        "0.114472777f", "0.124472777f").replace("0.133511096f", "0.143511096f"))
    with pytest.raises(FirmwareError, match="does not play what the reference plays"):
        build_native(MODEL, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_kernel_for_vectors_leaves_the_portable_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = c_sources.runtime_text
    monkeypatch.setattr(c_sources, "runtime_text", lambda name: healthy(name).replace("0.114472777f", "0.2f"))
    library = build_native(MODEL, tmp_path)
    assert library.kernel == "portable"
    NativeEngine(MODEL, 64, library.folder)
    monkeypatch.setattr(c_sources, "runtime_text", lambda name: healthy(name).replace("found.rise + found", "found"))
    assert build_native(GOLDEN / "lstm-2x3.w8a16.tflite", tmp_path).kernel == "w8a16"


def test_two_processes_build_at_once(tmp_path: Path) -> None:
    program = ("import sys; from pathlib import Path; "
               "from neuralpedal.firmware_bridge.native_library import build_native; "
               "print(build_native(Path(sys.argv[1]), Path(sys.argv[2])).folder)")
    command = [sys.executable, "-c", program, str(MODEL), str(tmp_path)]
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(lambda _: subprocess.run(command, capture_output=True, text=True, check=True).stdout,
                                range(2)))
    assert folders[0] == folders[1]
    assert [str(path) for path in tmp_path.iterdir()] == [folders[0].strip()]


def test_auto_plays_with_the_interpreter_where_nothing_can_be_compiled_and_says_why(
    cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CC", "no-such-compiler")
    arguments = ("profile", MODEL, "--seconds", "0.1", "--json")
    code, out, err = cli(*arguments)
    assert code == 0 and json.loads(out)["engine"].startswith("litert") and "apt install gcc" in err
    code, _, err = cli(*arguments, "--engine", "native")
    assert code == 1 and "apt install gcc" in err
    monkeypatch.setenv("CC", "false")
    assert json.loads(cli(*arguments)[1])["engine"].startswith("litert")
    monkeypatch.delenv("CC")
    assert json.loads(cli(*arguments)[1])["engine"].startswith("native")
    # What was compiled once plays on without a compiler.
    monkeypatch.setenv("CC", "no-such-compiler")
    assert json.loads(cli(*arguments)[1])["engine"].startswith("native")


def test_a_cache_that_cannot_be_written_is_named_and_the_interpreter_plays(
    cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "neuralpedal").write_text("a file in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(FirmwareError, match="XDG_CACHE_HOME"):
        build_native(MODEL)
    code, out, err = cli("profile", MODEL, "--seconds", "0.1", "--json")
    assert code == 0 and json.loads(out)["engine"].startswith("litert") and str(native_cache_folder()) in err


def test_frame_networks_in_integers_play_with_the_interpreter(cli) -> None:
    code, out, err = cli("profile", GOLDEN / "frame_lstm-1x3-of-8.w8a8.tflite", "--seconds", "0.1", "--json")
    assert code == 0 and json.loads(out)["engine"].startswith("litert") and "no C for frame networks as w8a8" in err


def test_the_toolchain_knows_the_processor() -> None:
    toolchain = find_toolchain()
    assert toolchain.lanes(8) in (4, 8) and toolchain.lanes(64) in (4, 8, 16)
    with pytest.raises(FirmwareError, match="cannot be run"):
        find_toolchain(("no-such-compiler",))
