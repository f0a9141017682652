"""``neuralpedal doctor``: every fault of a made-up machine is named with the command that mends it."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fake_machine import raspberry_pi, write
from jack_rig import JackServer
from neuralpedal.cli import doctor_command
from neuralpedal.cli.checkup import machine, software
from neuralpedal.cli.checkup.account import Account, account_checks
from neuralpedal.cli.checkup.check import Check
from neuralpedal.cli.checkup.machine import machine_checks
from neuralpedal.cli.checkup.software import software_checks
from neuralpedal.contract.errors import AudioDeviceError

GUITARIST = Account("pi", frozenset({"pi", "audio"}), 95, -1, False)
CARDS = """ 0 [sndrpihifiberry]: HifiberryDacpAdc - snd_rpi_hifiberry_dacplusadc
                      snd_rpi_hifiberry_dacplusadc
"""


@pytest.fixture
def pi(tmp_path: Path) -> Path:
    """A Raspberry Pi on which all is well."""
    raspberry_pi(tmp_path)
    write(tmp_path, "proc/version", "Linux version 6.12.47+rpt-rpi-v8-rt (serge@x) #1 SMP PREEMPT_RT Debian\n")
    write(tmp_path, "proc/asound/cards", CARDS)
    write(tmp_path, "sys/module/usbcore/parameters/autosuspend", "-1\n")
    return tmp_path


def by_name(checks: list[Check]) -> dict[str, Check]:
    assert len({check.name for check in checks}) == len(checks)
    return {check.name: check for check in checks}


def test_a_pi_on_which_all_is_well_has_nothing_to_mend(pi):
    checks = [*machine_checks(pi), *account_checks(GUITARIST)]
    assert len(checks) == 9 and all((check.state, check.fix) == ("ok", "") for check in checks)
    assert by_name(checks)["sound_cards"].found == "HifiberryDacpAdc - snd_rpi_hifiberry_dacplusadc"


@pytest.mark.parametrize(("file", "text", "name", "state", "found", "fix"), [
    ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "ondemand", "governor", "warning",
     "ondemand, 1800 of 1800", "echo performance | sudo tee"),
    ("proc/version", "Linux version 6.12.47+rpt-rpi-v8 (x) #1 SMP PREEMPT", "kernel", "note", "not PREEMPT_RT",
     "sudo apt install linux-image-rt-"),
    ("sys/class/thermal/thermal_zone0/temp", "78300", "temperature", "warning", "78 °C", "heat sink"),
    ("sys/devices/platform/soc/soc:firmware/get_throttled", "50005", "power", "warning",
     "now: under-voltage, throttled", "power supply"),
    ("sys/devices/platform/soc/soc:firmware/get_throttled", "80000", "power", "warning",
     "since the start: temperature limit", "heat sink"),
    ("sys/module/usbcore/parameters/autosuspend", "2", "usb_power", "note", "after 2 s",
     "usbcore.autosuspend=-1 to the line in /boot/firmware/cmdline.txt"),
    ("proc/asound/cards", "--- no soundcards ---", "sound_cards", "note", "the kernel knows none", "dtoverlay"),
])
def test_what_is_wrong_with_the_machine_is_named_with_what_mends_it(pi, file, text, name, state, found, fix):
    write(pi, file, text)
    checks = by_name(machine_checks(pi))
    check = checks.pop(name)
    assert check.state == state and found in check.found and fix in check.fix
    assert all(other.state == "ok" for other in checks.values())


def test_sleeping_usb_is_a_warning_where_the_sound_card_is_on_it(pi):
    write(pi, "sys/module/usbcore/parameters/autosuspend", "2")
    write(pi, "proc/asound/cards", " 1 [Device         ]: USB-Audio - USB Audio Device\n")
    check = by_name(machine_checks(pi))["usb_power"]
    assert check.state == "warning" and "and the sound card is one" in check.found


def test_a_kernel_that_says_it_is_real_time_in_sys_is_believed(pi):
    write(pi, "proc/version", "Linux version 6.6.1 (x)")
    write(pi, "sys/kernel/realtime", "1")
    assert by_name(machine_checks(pi))["kernel"].state == "ok"


def test_what_a_machine_does_not_tell_is_left_out(tmp_path):
    assert [check.name for check in machine_checks(tmp_path)] == ["sound_cards"]


def test_where_the_kernel_has_no_file_for_it_the_firmwares_program_is_asked(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name: "/usr/bin/vcgencmd")
    for said, bits in (("throttled=0x50005\n", 0x50005), ("VCHI initialization failed", None)):
        done = subprocess.CompletedProcess([], 0, said)
        monkeypatch.setattr(machine.subprocess, "run", lambda *_, done=done, **__: done)
        assert machine._vcgencmd() == bits


@pytest.mark.parametrize(("change", "name", "found", "fix"), [
    ({"priority_limit": 0}, "realtime_priority", "pi may have none (ulimit -r)", "@audio - rtprio 95"),
    ({"locked_bytes_limit": 8 << 20}, "locked_memory", "8 MB (ulimit -l)", "@audio - memlock unlimited"),
    ({"groups": frozenset({"pi"})}, "audio_group", "not in the group audio", "usermod -aG audio"),
])
def test_what_the_user_may_not_do_is_a_warning_and_root_may_do_all(change, name, found, fix):
    account = replace(GUITARIST, **change)
    checks = by_name(account_checks(account))
    check = checks.pop(name)
    assert check.state == "warning" and found in check.found and fix in check.fix
    assert all(other.state == "ok" for other in checks.values())
    assert all(check.state == "ok" for check in account_checks(replace(account, is_root=True)))


@pytest.mark.parametrize(("interpreter", "compiler", "states"), [
    ("litert", "gcc", ("ok", "ok")), (None, "gcc", ("warning", "ok")), ("litert", None, ("ok", "warning")),
    (None, None, ("error", "error")),
])
def test_an_interpreter_or_a_compiler_is_enough_to_play(monkeypatch, interpreter, compiler, states):
    monkeypatch.setattr(software, "find_interpreter_name", lambda: interpreter)
    monkeypatch.setattr(software, "find_compiler", lambda: compiler)
    monkeypatch.setattr(software, "_audio", list)
    checks = software_checks()
    assert tuple(check.state for check in checks) == states
    assert all(check.fix for check in checks if check.state != "ok")


def test_without_pyaudio_nothing_plays_and_what_to_install_is_said(monkeypatch):
    class Missing:
        def __init__(self) -> None:
            raise AudioDeviceError("no PyAudio (No module named 'pyaudio'); apt install portaudio19-dev")

    monkeypatch.setattr("neuralpedal.device.audio_device.AudioSystem", Missing)
    assert software._audio() == [Check("portaudio", "error", "no PyAudio (No module named 'pyaudio')",
                                       "apt install portaudio19-dev")]


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("warning", 0), ("note", 0), ("error", 1)])
def test_the_exit_code_says_whether_anything_prevents_playing(cli, monkeypatch, state, code):
    monkeypatch.setattr(doctor_command, "software_checks", lambda: [Check("duplex_card", state, "as found", "mend it")])
    monkeypatch.setattr(doctor_command, "account_checks", lambda account: [])
    monkeypatch.setattr(doctor_command, "machine_checks", list)
    found, out, _ = cli("doctor", "--json")
    content = json.loads(out)
    assert (found, content["plays"]) == (code, code == 0)
    assert content["checks"] == [{"name": "duplex_card", "state": state, "found": "as found", "fix": "mend it"}]
    found, out, err = cli("doctor")
    assert found == code and "duplex_card: as found" in out and "→ mend it" in out
    assert ("cannot play" in err) == (code == 1) and ("nothing to mend" in err) == (state == "ok")


def test_on_a_jack_server_this_machine_plays(jack_server: JackServer, cli):
    code, out, err = cli("doctor", "--json")
    assert code == 0, out + err
    checks = by_name([Check(**check) for check in json.loads(out)["checks"]])
    assert checks["portaudio"].state == "ok" and "system (JACK Audio Connection Kit)" in checks["duplex_card"].found
