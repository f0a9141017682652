"""The systemd unit: what is in it, what is called, and that a dry run does nothing."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jack_rig import wait_until
from neuralpedal.cli.service_unit import ServiceUnit
from neuralpedal.contract.errors import SpecError
from neuralpedal.device.controls import control_socket

MODEL = Path(__file__).parent / "golden" / "lstm-1x4-skip.w8.tflite"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a folder whose name systemd could misread, and a systemctl that writes down what it is told."""
    folder = tmp_path / "my $5 pedal 100%"
    folder.mkdir()
    (folder / "sd1.tflite").write_bytes(MODEL.read_bytes())
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("systemctl", "loginctl"):
        (tools / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/called\n', encoding="utf-8")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(folder)
    return tmp_path


def test_a_dry_run_prints_unit_and_commands_and_does_nothing(home: Path, cli):
    code, out, err = cli("install-service", "--dry-run", "sd1.tflite", "--device", "hifiberry", "--block", "32")
    assert (code, err) == (0, "")
    for words in ("# /etc/systemd/system/neuralpedal.service", "After=sound.target", "LimitRTPRIO=95",
                  "LimitMEMLOCK=infinity", "Nice=-11", "Restart=on-failure", "KillMode=mixed", "User=",
                  f"ExecStart={sys.executable} -m neuralpedal.cli.main run --headless sd1.tflite --device hifiberry",
                  "RuntimeDirectory=neuralpedal\n", "Environment=NEURALPEDAL_SOCKET=%t/neuralpedal/ctl.sock",
                  "WantedBy=multi-user.target", "systemctl enable --now neuralpedal.service"):
        assert words in out, out
    code, out, _ = cli("install-service", "--dry-run", "--uninstall", "--user")
    assert code == 0 and "systemctl --user disable --now neuralpedal.service" in out and "\nrm " in out
    assert not (home / "called").exists() and not (home / "config").exists()


def test_a_user_unit_is_written_started_and_removed_again(home: Path, cli):
    unit = home / "config" / "systemd" / "user" / "fuzz.service"
    code, out, err = cli("install-service", "--user", "--name", "fuzz", "sd1.tflite")
    assert (code, out) == (0, "") and str(unit) in err.replace("\n", "")
    assert "neuralpedal ctl --socket $XDG_RUNTIME_DIR/neuralpedal-fuzz/ctl.sock status" in err
    assert "NEURALPEDAL_SOCKET=%t/neuralpedal-fuzz/ctl.sock" in unit.read_text()
    assert not {"RuntimeDirectory", "Nice"} & {line.partition("=")[0] for line in unit.read_text().splitlines()}
    assert "WantedBy=default.target" in unit.read_text()
    assert cli("install-service", "--user", "--name", "fuzz", "--uninstall")[0] == 0
    assert not unit.exists()
    called = (home / "called").read_text().splitlines()
    assert called[:2] == ["systemctl --user daemon-reload", "systemctl --user enable --now fuzz.service"]
    assert called[2].startswith("loginctl enable-linger")
    assert called[3:] == ["systemctl --user disable --now fuzz.service", "systemctl --user daemon-reload"]


def test_ctl_finds_the_pedal_of_the_unit_though_their_folders_differ(jack_server, home: Path, cli, monkeypatch):
    """As systemd would start it: the unit's words and variables, a runtime folder and a /tmp of its own."""
    unit = ServiceUnit(["sd1.tflite", "--engine", "litert", "--priority", "0"], Path.cwd(), "guitarist")
    said = dict(line.partition("=")[::2] for line in unit.text().splitlines())
    run_folder, private = home / "run", home / "private"
    for folder in (run_folder / said["RuntimeDirectory"], private):
        folder.mkdir(parents=True)
    name, _, socket = said["Environment"].replace("%t", str(run_folder)).partition("=")
    monkeypatch.setattr(control_socket, "SERVICE_SOCKET", run_folder / "neuralpedal" / "ctl.sock")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "user"))
    environment = {**jack_server.environment, name: socket, "TMPDIR": str(private)}
    del environment["XDG_RUNTIME_DIR"]
    process = subprocess.Popen(shlex.split(said["ExecStart"]), env=environment, text=True, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: cli("ctl", "status")[0] == 0, "an answer")
        assert cli("ctl", "status")[1].startswith("1. sd1 (lstm-1x4-skip")
        process.terminate()
        assert process.wait(30) == 0
        code, out, err = cli("ctl", "status")
        assert (code, out) == (1, "") and str(home / "user") in err and socket in err
        monkeypatch.setenv("NEURALPEDAL_SOCKET", "/named")
        assert "/run" not in cli("ctl", "status")[2]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("user", [None, "root"])
def test_systemd_finds_nothing_wrong_with_the_unit(home: Path, user):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze")
    unit = ServiceUnit(["--config", 'odd "name" $HOME 5%.yaml'], Path.cwd(), user)
    file = home / "neuralpedal.service"
    file.write_text(unit.text(), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *(["--user"] if user is None else []), str(file)],
                          capture_output=True, text=True, timeout=60)
    told = [line for line in done.stderr.splitlines() if "neuralpedal" in line]
    assert told == [], done.stderr


@pytest.mark.parametrize(("arguments", "said"), [
    (("gone.tflite",), "gone.tflite: no such file here"), ((), "nothing to play"),
    (("sd1.tflite", "--block", "7"), "--block"), (("sd1.tflite", "--colour", "red"), "--colour"),
    (("sd1.tflite", "--name", "../x"), "wanted letters"), (("--user", "--uninstall"), "there is no such unit")])
def test_what_could_not_start_later_is_refused_now(home: Path, cli, arguments, said):
    code, out, err = cli("install-service", *arguments)
    assert code != 0 and out == "" and said in err.replace("\n", " ")
    assert not (home / "called").exists()


def test_a_command_that_fails_is_named(home: Path, cli):
    (home / "bin" / "systemctl").write_text("#!/bin/sh\necho no bus >&2; exit 1\n", encoding="utf-8")
    code, _, err = cli("install-service", "--user", "sd1.tflite")
    assert code == 1 and "`systemctl --user daemon-reload` failed (no bus)" in err


def test_a_line_break_in_a_name_is_refused():
    with pytest.raises(SpecError, match="line breaks"):
        ServiceUnit(["a\nExecStartPre=/bin/false"], Path("/"), None).text()
