"""A minute of the half hour of benchmarks/soak.py, in a process of its own: memory stands still, no block is lost."""

import subprocess
import sys
from pathlib import Path

import pytest

from jack_rig import need_audio

SOAK = Path(__file__).parents[1] / "benchmarks" / "soak.py"


@pytest.mark.usefixtures("c_compiler")
def test_a_minute_of_changing_presets_leaves_memory_as_it_was_and_loses_no_block(tmp_path, monkeypatch):
    need_audio()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    done = subprocess.run([sys.executable, SOAK, "--minutes", "1", "--parts", "6"], capture_output=True, text=True,
                          timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 blocks of silence, 0 engine failures" in done.stdout
