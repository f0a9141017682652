"""Files appear whole or not at all: on success, on any failure, and when the disk is full."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neuralpedal.contract.atomic import make_folder, replacing, write_bytes, write_json, write_text
from neuralpedal.contract.audio import read_recording, write_recording
from neuralpedal.contract.errors import AudioDeviceError, ModelFileError, OutputError

NOBODY_CAN_WRITE_HERE = Path("/proc/self")

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from neuralpedal.contract.audio import write_recording
from neuralpedal.contract.errors import OutputError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
samples = np.random.default_rng(0).normal(0.0, 0.1, 5000).astype(np.float32)
try:
    write_recording(Path(sys.argv[1]), samples, 48000)
except OutputError as error:
    print(f"OutputError: {error}")
else:
    print("written")
"""


@pytest.fixture
def old(tmp_path) -> Path:
    path = tmp_path / "result.json"
    path.write_bytes(b"old")
    return path


def only(path: Path) -> bool:
    return list(path.parent.iterdir()) == [path]


def test_the_old_content_stays_until_the_new_one_is_whole(old):
    with replacing(old) as temporary:
        temporary.write_bytes(b"ne")
        assert old.read_bytes() == b"old"
        temporary.write_bytes(b"new")
        assert old.read_bytes() == b"old"
    assert old.read_bytes() == b"new"
    assert only(old)


def test_the_temporary_file_lies_beside_the_result_and_keeps_its_suffix(old):
    with replacing(old) as temporary:
        assert temporary.parent == old.parent
        assert temporary.suffix == old.suffix
        assert temporary.name.startswith(".")
        temporary.write_bytes(b"")


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_a_failure_in_the_body_keeps_the_old_file_and_leaves_nothing(old, error):
    with pytest.raises(type(error)) as caught, replacing(old) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert caught.value is error
    assert old.read_bytes() == b"old"
    assert only(old)


@pytest.mark.parametrize("error", [OutputError("inner.wav: no"), AudioDeviceError("gone"), ModelFileError("damaged")])
def test_an_error_of_ours_in_the_body_passes_unchanged(old, error):
    with pytest.raises(type(error)) as caught, replacing(old) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert caught.value is error
    assert only(old)


def test_a_body_that_writes_nothing_is_an_output_error(old):
    with pytest.raises(OutputError), replacing(old):
        pass
    assert old.read_bytes() == b"old"


def test_a_missing_folder_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match=r"nowhere/result\.json: cannot be written \(its folder does not exist\)"):
        write_bytes(tmp_path / "nowhere" / "result.json", b"new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not NOBODY_CAN_WRITE_HERE.is_dir(), reason="needs /proc: root may write elsewhere")
def test_a_folder_that_cannot_be_written_is_an_output_error():
    with pytest.raises(OutputError, match=r"result\.json: cannot be written"):
        write_bytes(NOBODY_CAN_WRITE_HERE / "result.json", b"new")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write in a read-only folder")
def test_a_read_only_folder_is_an_output_error(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="Permission denied"):
            write_bytes(tmp_path / "result.json", b"new")
    finally:
        tmp_path.chmod(0o700)


def test_a_file_where_the_folder_should_be_is_an_output_error(old):
    with pytest.raises(OutputError):
        write_bytes(old / "result.json", b"new")
    assert old.read_bytes() == b"old"


@pytest.mark.parametrize("name", ["folder", ".", ".."])
def test_a_folder_of_the_same_name_is_an_output_error(tmp_path, name):
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    with pytest.raises(OutputError, match="a folder of this name exists"):
        write_bytes(tmp_path / "folder" / "inside" / ".." / ".." / name, b"new")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


@pytest.mark.parametrize("place", ["/", ".", ""])
def test_a_path_without_a_name_is_an_output_error(place):
    with pytest.raises(OutputError, match="a folder of this name exists"):
        write_bytes(Path(place), b"new")


def test_a_disk_that_fills_up_while_writing_keeps_the_old_file(old, monkeypatch):
    real = Path.write_bytes

    def fills_up(path: Path, data: bytes) -> int:
        real(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fills_up)
    with pytest.raises(OutputError, match=r"result\.json: cannot be written \(No space left on device\); free some"):
        write_bytes(old, b"new content")
    assert old.read_bytes() == b"old"
    assert only(old)


def test_a_disk_that_is_full_only_when_flushed_keeps_the_old_file(old, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        write_bytes(old, b"new content")
    assert old.read_bytes() == b"old"
    assert only(old)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("missing_bytes", [None, 5000, 1])
def test_a_recording_that_does_not_fit_keeps_the_old_one(tmp_path, suffix, missing_bytes):
    """A real limit of the kernel's; ``missing_bytes`` None: not one byte fits."""
    path = tmp_path / f"take.{suffix}"
    write_recording(path, np.random.default_rng(0).normal(0.0, 0.1, 5000).astype(np.float32), 48_000)
    limit = path.stat().st_size - missing_bytes if missing_bytes else 0
    short = np.full(10, 0.25, np.float32)
    write_recording(path, short, 48_000)
    ran = subprocess.run([sys.executable, "-c", FULL_DISK, str(path), str(limit)], capture_output=True, text=True,
                         check=True)
    assert ran.stdout == f"OutputError: {path}: cannot be written (File too large); free some space or choose " \
                         "another place\n"
    assert only(path)
    np.testing.assert_array_equal(read_recording(path).samples, short)


def test_a_recording_that_just_fits_is_written(tmp_path):
    path = tmp_path / "take.flac"
    samples = np.random.default_rng(0).normal(0.0, 0.1, 5000).astype(np.float32)
    write_recording(path, samples, 48_000)
    whole = path.read_bytes()
    path.unlink()
    ran = subprocess.run([sys.executable, "-c", FULL_DISK, str(path), str(len(whole))], capture_output=True, text=True,
                         check=True)
    assert ran.stdout == "written\n"
    assert path.read_bytes() == whole


def test_text_is_written_as_utf8(old):
    write_text(old, "10 µs – ½\n")
    assert old.read_bytes() == "10 µs – ½\n".encode()


def test_json_comes_back_and_ends_with_a_newline(old):
    value = {"esr": 0.01, "names": ["a", "µ"], "none": None}
    write_json(old, value)
    text = old.read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert text.endswith("}\n")


@pytest.mark.parametrize("value", [{"esr": float("nan")}, {"esr": float("inf")}])
def test_json_refuses_what_is_not_json_and_keeps_the_old_file(old, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(old, value)
    assert old.read_bytes() == b"old"
    assert only(old)


def test_a_folder_is_made_with_its_parents_and_may_exist(tmp_path):
    assert make_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert make_folder(tmp_path / "a" / "b").is_dir()


def test_a_folder_over_a_file_is_an_output_error(old):
    for path in (old, old / "below"):
        with pytest.raises(OutputError, match="cannot create the folder"):
            make_folder(path)
    assert old.read_bytes() == b"old"
