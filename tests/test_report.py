"""report.html in a real browser: it loads without a complaint or a request, plays, switches in sync, and counts."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralpedal.cli.report.audio import ERROR_GAIN, ReportAudio, tracks_of
from neuralpedal.cli.report.page import write_page
from neuralpedal.cli.report.probing import ProbedSchemes, probe_files
from neuralpedal.contract.metrics import esr
from neuralpedal.contract.probes import SilenceProbe, aliasing_figures, silence_figures
from signals import RATE_HZ, plucks, soft_clip

GOLDEN = Path(__file__).parent / "golden"
BUDGET = {"terms": {"weights": 1e-5, "input_code": 3e-3, "hidden_state": 2e-4, "gate_saturation": 0.0,
                    "cell_format": 1e-6, "output_code": 1e-4},
          "sum": 3.3e-3, "together": 3.4e-3, "measured": 3.5e-3, "gap": -0.0286,
          "advice": "The input code is to blame.", "narrow_formats": {"remark": "The formats are narrow."}}
# In place of a person's luck: every X of the blind test is A.
ALWAYS_A = "crypto.getRandomValues = (array) => array.fill(0);"


@pytest.fixture(scope="module")
def audio() -> ReportAudio:
    """Two seconds of a made-up pedal, a float model a little off, and two schemes of which one hums."""
    dry = plucks(2.0)
    wet = soft_clip(dry)
    float_wet = (0.99 * wet).astype(np.float32)
    hum = 0.002 * np.sin(2 * np.pi * 1000 * np.arange(len(wet)) / RATE_HZ)
    noise = np.random.default_rng(1).normal(0, 1e-5, len(wet))
    schemes = {"w8": (float_wet + noise).astype(np.float32), "w8a8": (0.5 * float_wet + hum).astype(np.float32)}
    return ReportAudio(RATE_HZ, dry, wet, float_wet, schemes)


def _report(audio: ReportAudio) -> dict[str, Any]:
    rows = {name: {"file": f"toy.{name}.tflite", "size_bytes": 4321, "esr_wet": esr(audio.wet, track),
                   "esr_float": esr(audio.float_wet, track), "us_per_block_p50": 12.3, "us_per_block_p99": 23.4,
                   "real_time_factor": 0.009, "block_size": 64, "warnings": []}
            for name, track in audio.schemes.items()}
    rows["w8a8"] |= {"warnings": ["w8a8 is <b>audible</b>"], "error_budget": BUDGET}
    return {"name": "a <toy>", "network": {"family": "lstm", "num_layers": 1, "hidden_size": 8,
                                           "sample_rate_hz": RATE_HZ}, "num_parameters": 393,
            "measured_on": "plucks", "measured_seconds": 2.0, "esr_float_model_wet": 1e-4, "schemes": rows}


@pytest.fixture(scope="module")
def page(audio: ReportAudio, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    silence = {**silence_figures(SilenceProbe(-71.2, -80.0, True)), **aliasing_figures([])}
    write_page(path, _report(audio), audio, ProbedSchemes({"w8a8": silence}, {"w8": "would take 99 s here"}))
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium, or a skip that says what is missing."""
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if None in programs.values():
        message = "no chromium with chromedriver here; .ci/system-packages --browser installs them"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    from selenium import webdriver
    options = webdriver.ChromeOptions()
    options.binary_location = str(programs["chromium"])
    for flag in ("headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking",
                 "disable-component-update", "disable-sync", "disable-dev-shm-usage",
                 "autoplay-policy=no-user-gesture-required"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(str(programs["chromedriver"])))
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": ALWAYS_A})
    yield driver
    driver.quit()


@pytest.fixture
def opened(browser: Any, page: Path) -> Any:
    """The page, freshly loaded and ready to play."""
    browser.set_window_size(1200, 900)
    browser.get(page.as_uri())
    _wait(browser, "return document.documentElement.dataset.ready === 'true'")
    return browser


def _wait(browser: Any, condition: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait
    WebDriverWait(browser, 20).until(lambda driver: driver.execute_script(condition))


def _click(browser: Any, name: str) -> None:
    from selenium.webdriver.common.by import By
    browser.find_element(By.ID, name).click()


def _gains(browser: Any) -> list[float]:
    return browser.execute_script("return player.gains.map((node) => node.gain.value)")


def test_the_page_loads_without_a_complaint_and_asks_for_nothing_but_itself(opened: Any, page: Path) -> None:
    opened.get_log("performance"), opened.get_log("browser")
    opened.refresh()
    _wait(opened, "return document.documentElement.dataset.ready === 'true'")
    assert opened.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in opened.get_log("performance")]
    asked = {message["params"]["request"]["url"] for message in messages
             if message["method"] == "Network.requestWillBeSent"}
    assert {url for url in asked if not url.startswith("data:")} == {page.as_uri()}


def test_the_policy_of_the_page_forbids_the_network(opened: Any) -> None:
    refused = opened.execute_async_script(
        "const done = arguments[0]; fetch('http://127.0.0.1:9/').then(() => done(null), () => 0);"
        "document.addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective));")
    assert refused == "connect-src"


def test_playing_advances_and_stops(opened: Any) -> None:
    _click(opened, "play")
    # Stopped by the page itself, in the moment that is seen: the excerpt is short, and a busy machine polls so seldom
    # that it has begun anew.
    _wait(opened, "if (player.position() <= 0.2) return false; byId('play').click(); return true;")
    stopped = opened.execute_script("return [player.playing, player.position(), byId('play').textContent]")
    assert stopped[0] is False and stopped[1] > 0.2 and stopped[2] == "Play"
    assert opened.execute_async_script("setTimeout(() => arguments[0](player.position()), 100)") == stopped[1]


def test_switching_fades_to_the_chosen_track_and_keeps_the_time(opened: Any, audio: ReportAudio) -> None:
    tracks = tracks_of(audio)
    _click(opened, "play")
    _wait(opened, "return player.position() > 0.1")
    for index in (4, 0, 6):
        started = opened.execute_script("return player.startedAt")
        opened.execute_script(f"document.querySelectorAll('input[name=track]')[{index}].click()")
        _wait(opened, f"return player.gains[{index}].gain.value > 0.999 * player.tracks[{index}].gain")
        wanted = np.zeros(len(tracks))
        wanted[index] = tracks[index].gain
        np.testing.assert_allclose(_gains(opened), wanted, atol=1e-4)
        assert opened.execute_script("return player.startedAt") == started
    _click(opened, "play")


def test_what_the_page_decodes_is_what_was_measured(opened: Any, audio: ReportAudio) -> None:
    for index, track in enumerate(tracks_of(audio)):
        decoded = opened.execute_script(f"return Array.from(player.buffers[{index}].getChannelData(0))")
        np.testing.assert_allclose(decoded, track.samples, atol=2 / 2**15)


@pytest.mark.parametrize(("right", "wrong", "verdict"), [
    (8, 2, "8 of 10 right, p = 0.0547"), (10, 0, "10 of 10 right, p = 0.0010"), (0, 3, "0 of 3 right, p = 1.0000"),
    (9, 7, "9 of 16 right, p = 0.4018")])
def test_the_blind_test_counts_and_knows_how_likely_luck_is(opened: Any, right: int, wrong: int, verdict: str) -> None:
    for name, count in (("is-A", right), ("is-B", wrong)):
        for _ in range(count):
            _click(opened, name)
    assert opened.execute_script("return byId('verdict').textContent") == verdict
    _click(opened, "abx-reset")
    assert opened.execute_script("return byId('verdict').textContent") == "No trial yet."


def test_the_chance_of_guessing_is_that_of_scipy(opened: Any) -> None:
    stats = pytest.importorskip("scipy.stats")
    for correct, trials in ((0, 1), (5, 5), (13, 20), (60, 100), (250, 400)):
        found = opened.execute_script(f"return chanceByGuessing({correct}, {trials})")
        assert found == pytest.approx(stats.binomtest(correct, trials, alternative="greater").pvalue, rel=1e-9)


def test_a_blind_test_shows_nowhere_what_x_is(opened: Any) -> None:
    listed = "return [...document.querySelectorAll('input[name=track]')].map((radio) => radio.checked)"
    before = opened.execute_script(listed)
    _click(opened, "hear-X")
    _wait(opened, "return player.position() > 0.05")
    # Every X is A here, and A is the float model.
    assert opened.execute_script("return player.heard") == 2
    assert opened.execute_script(listed) == before
    _click(opened, "hear-B")
    assert opened.execute_script("return player.heard") == 4
    _click(opened, "play")


def test_the_keyboard_alone_plays_chooses_and_zooms(opened: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    opened.find_element(By.TAG_NAME, "body").send_keys("3")
    assert opened.execute_script("return player.heard") == 2
    opened.find_element(By.ID, "play").send_keys(Keys.SPACE)
    _wait(opened, "return player.playing")
    opened.find_element(By.ID, "play").send_keys(Keys.SPACE)
    canvas = opened.find_element(By.ID, "wave")
    canvas.send_keys("+", "+", Keys.ARROW_LEFT)
    length, start = opened.execute_script("return [waveform.length, waveform.from]")
    assert length == pytest.approx(0.5) and start == pytest.approx(0.75 - 0.1)
    canvas.send_keys("0")
    assert opened.execute_script("return waveform.length") == pytest.approx(2.0)


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_scrolls_sideways_and_text_stands_out(opened: Any, width: int, theme: str) -> None:
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                           {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": width < 500})
    opened.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
    needed, there = opened.execute_script(
        "const root = document.documentElement; return [root.scrollWidth, root.clientWidth]")
    assert needed <= there <= width
    ink, paper = opened.execute_script(
        "const style = getComputedStyle(document.body); return [style.color, style.backgroundColor]")
    light, dark = sorted((_luminance(ink), _luminance(paper)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) > 7
    assert (_luminance(paper) > 0.5) == (theme == "light")
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def _luminance(colour: str) -> float:
    parts = np.array([int(part) for part in re.findall(r"\d+", colour)[:3]]) / 255
    return float(np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])


def test_every_control_has_a_name(opened: Any) -> None:
    nameless = opened.execute_script(
        "return [...document.querySelectorAll('button, input, select, canvas')].filter((part) =>"
        " !part.getAttribute('aria-label') && !part.textContent.trim() && !(part.labels && part.labels.length))"
        ".map((part) => part.outerHTML)")
    assert nameless == []


def test_text_of_others_is_text_and_the_budget_and_the_limit_cycle_are_shown(page: Path) -> None:
    html = page.read_text()
    assert "a &lt;toy&gt;" in html and "&lt;b&gt;audible" in html and "<b>audible" not in html
    assert "The input code is to blame." in html and "−2.86 % off" in html and "The formats are narrow." in html
    assert "−71.2" in html and '<td class="warning">yes</td>' in html and "would take 99 s here" in html


def test_outputs_are_equally_loud_and_errors_as_loud_as_they_say(audio: ReportAudio) -> None:
    tracks = {track.id: track for track in tracks_of(audio)}
    heard = {name: track.gain * np.sqrt(np.mean(np.square(track.samples, dtype=float)))
             for name, track in tracks.items()}
    np.testing.assert_allclose([heard[name] for name in ("dry", "float", "w8", "w8a8")], heard["wet"], rtol=1e-6)
    assert all(track.gain * np.max(np.abs(track.samples)) < 1.0 for track in tracks.values())
    expected = ERROR_GAIN * np.sqrt(esr(audio.wet, audio.float_wet)) * heard["wet"]
    assert heard["error-float"] == pytest.approx(expected, rel=1e-3)


def test_the_excerpt_is_the_loudest_stretch_of_every_track(audio: ReportAudio) -> None:
    excerpt = audio.loudest(0.25)
    assert len(excerpt.wet) == RATE_HZ // 4
    windows = np.lib.stride_tricks.sliding_window_view(audio.wet.astype(float) ** 2, RATE_HZ // 4)[::480].sum(axis=1)
    assert np.sum(excerpt.wet.astype(float) ** 2) >= windows.max()
    assert np.any(excerpt.schemes["w8a8"]) and len(excerpt.dry) == len(excerpt.wet)


def test_probes_tell_an_integer_file_from_a_float_file() -> None:
    paths = {scheme: GOLDEN / f"lstm-1x4-skip.{scheme}.tflite" for scheme in ("float32", "w8a8")}
    probed = probe_files(paths, {scheme: {"real_time_factor": 0.01, "block_size": 64} for scheme in paths})
    assert probed.left_out == {}
    assert {"noise_floor_dbfs", "silence_dc_dbfs", "silence_limit_cycle"} < probed.figures["w8a8"].keys()
    assert probed.figures["w8a8"]["aliasing_worst_db"] > probed.figures["float32"]["aliasing_worst_db"] + 1.0


def test_files_too_slow_to_probe_and_integer_files_are_left_out_with_a_reason() -> None:
    paths = {path.name.split(".")[-2]: path for path in sorted(GOLDEN.glob("*.w8a*.tflite"))}
    rows = {name: {"real_time_factor": 2.5, "block_size": 64, "timed_engine": "litert"} for name in paths}
    probed = probe_files(paths, rows)
    assert probed.figures == {} and set(probed.left_out) == set(paths)


def test_a_file_of_integers_that_nothing_can_play_fast_is_left_out_however_small_it_is() -> None:
    row = {"real_time_factor": 0.01, "block_size": 64, "timed_engine": "litert"}
    probed = probe_files({"w8a16": GOLDEN / "lstm-2x3.w8a16.tflite"}, {"w8a16": row})
    assert probed.figures == {}
    assert probed.left_out == {"w8a16": "nothing can be compiled here, and its integers in NumPy would take minutes"}


def test_a_w8a16_file_is_probed_in_its_own_integers(c_compiler: None) -> None:
    row = {"real_time_factor": 0.01, "block_size": 64, "timed_engine": "native (w8a16)"}
    probed = probe_files({"w8a16": GOLDEN / "lstm-2x3.w8a16.tflite"}, {"w8a16": row})
    assert probed.left_out == {} and "noise_floor_dbfs" in probed.figures["w8a16"]
