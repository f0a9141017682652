"""Fuzzes the C side of the link with libFuzzer and sanitizers: parser, session, flash, blobs, players.

    python benchmarks/fuzz_link.py --seconds 300

Exit code 0: nothing was found. Else the input that did it lies in --keep. AddressSanitizer and UBSan watch. Sums of a
player may wrap here, because the fuzzer makes up weights that no writer would: where a blob is written, it is proved
that they cannot overflow.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from neuralpedal.firmware_bridge.compiler import find_program, run_compiler
from neuralpedal.firmware_bridge.link.frame import Frame
from neuralpedal.firmware_bridge.link.protocol import Request, Samples
from neuralpedal.firmware_bridge.model_blob import write_blob
from neuralpedal.firmware_bridge.player_sources import PlayerSettings, player_texts, player_units

TESTS = Path(__file__).resolve().parents[1] / "tests"
_FLAGS = ("-std=c11", "-g", "-O1", "-fwrapv", "-fsanitize=fuzzer,address,undefined",
          "-fno-sanitize=signed-integer-overflow,shift", "-fno-sanitize-recover=all", "-I.")
_SEEDS = ("lstm-2x3.w8a16.tflite", "lstm-1x4-skip.w8a16.tflite", "lstm-2x3.w8.tflite", "lstm-2x3.w8a8.tflite",
          "lstm-1x4-skip.coarse-fine.w8a8.tflite")


def build(folder: Path) -> Path:
    """The fuzzer. Raises FirmwareError: no clang with libFuzzer."""
    texts = player_texts(PlayerSettings(int16_audio=True))
    texts["link_host.c"] = (TESTS / "link_host.c").read_text(encoding="utf-8")
    texts["fuzz_link.c"] = Path(__file__).with_name("fuzz_link.c").read_text(encoding="utf-8")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    clang = find_program(["clang"], ["clang", "libclang-rt-dev"], "the fuzzer")
    units = [name for name in player_units(texts) if name != "link_host.c"]
    run_compiler([clang, *_FLAGS, *units, "-o", "fuzz_link"], folder)
    return folder / "fuzz_link"


def write_seeds(folder: Path) -> None:
    """Frames, messages and blobs that are right."""
    hello = Frame(Request.HELLO, 1).encode() + Frame(Request.CONTROLS, 2).encode()
    (folder / "frames").write_bytes(b"\0" + hello)
    (folder / "long").write_bytes(b"\0" + b"\5" * 2000)
    for name in _SEEDS:
        blob = write_blob(TESTS / "golden" / name, Samples.INT16)
        (folder / name).write_bytes(b"\2" + blob.content)
    crc = blob.crc.to_bytes(4, "little")
    messages = [(Request.UPLOAD, len(blob.content).to_bytes(4, "little") + crc),
                (Request.CHUNK, bytes(4) + blob.content[:512]), (Request.CHUNK, b"\0\2\0\0" + blob.content[512:]),
                (Request.COMMIT, crc), (Request.SELECT, b"\0"), (Request.BLOCK, bytes(32)),
                (Request.STATISTICS, b"\1")]
    (folder / "messages").write_bytes(b"\1" + b"".join(bytes([message]) + len(payload).to_bytes(2, "little") + payload
                                                       for message, payload in messages))


def fuzz(folder: Path, options: list[str]) -> subprocess.CompletedProcess[str]:
    """Build and run it."""
    corpus = folder / "corpus"
    corpus.mkdir()
    write_seeds(corpus)
    return subprocess.run([str(build(folder)), str(corpus), "-max_len=4096", "-timeout=10", "-seed=1", *options],
                          cwd=folder, capture_output=True, text=True, errors="replace", check=False)


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-link"), help="where inputs that fail are written")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        done = fuzz(Path(folder), [f"-max_total_time={options.seconds}", "-print_final_stats=1",
                                   f"-artifact_prefix={options.keep.resolve()}/"])
    print("\n".join(done.stderr.splitlines()[-12:]))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
