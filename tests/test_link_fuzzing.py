"""The C side of the link under libFuzzer and sanitizers, for a moment; benchmarks/fuzz_link.py does it for longer."""

from pathlib import Path

import pytest

import fuzz_link
from firmware_pedals import need


def test_nothing_that_a_fuzzer_finds_harms_the_board(tmp_path: Path) -> None:
    need("clang")
    done = fuzz_link.fuzz(tmp_path, ["-runs=5000"])
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Done 5000 runs" in done.stderr


def test_the_fuzzer_would_find_a_size_that_is_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("clang")
    texts = fuzz_link.player_texts

    def careless(settings: fuzz_link.PlayerSettings) -> dict[str, str]:
        found = texts(settings)
        right = "if (reader->size < sizeof reader->bytes)"
        assert right in found["pedal_link_frame.c"]
        found["pedal_link_frame.c"] = found["pedal_link_frame.c"].replace(right, "if (1)")
        return found

    monkeypatch.setattr(fuzz_link, "player_texts", careless)
    done = fuzz_link.fuzz(tmp_path, ["-runs=1"])
    assert done.returncode != 0 and "Sanitizer" in done.stderr
