"""What view and log say about the machine and about lost audio."""

import io
import json

from rich.console import Console

from fake_machine import raspberry_pi
from neuralpedal.cli.live_health import LiveHealth
from neuralpedal.cli.live_log import LiveLog
from neuralpedal.cli.live_view import view_table
from neuralpedal.device.block_meter import BlockMeter
from neuralpedal.device.vitals import VitalsReader
from signals import RATE_HZ


def test_view_and_log_say_when_audio_was_lost_and_why_and_how_the_machine_is(tmp_path):
    meter = BlockMeter(64, RATE_HZ)
    health = LiveHealth(meter, 5.5, VitalsReader(raspberry_pi(tmp_path, "ondemand", 600, 61.4, "40000")))
    for busy_ns, flags in ((100_000, 0), (2_000_000, 0), (100_000, 4), *[(100_000, 0)] * 750):
        meter.record(busy_ns, 0.1, 0.1, flags)
    health.look(2.0)
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(view_table("sd1", 2.0, meter.read(), meter.read(), "playing", health.rows()))
    text = console.export_text()
    for words in ("1.0 s: engine late, clock at 600 of 1800 MHz (governor ondemand)",
                  "61 °C, 600 of 1800 MHz (ondemand), was throttled: throttled", "5.5 ms in the driver"):
        assert words in text, text
    with LiveLog(tmp_path / "log.jsonl") as log:
        log.write(2.0, meter.read(), health.log_fields())
        health.look(3.0)
        log.write(3.0, meter.read(), health.log_fields())
    first, second = (json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines())
    cause = "engine late, clock at 600 of 1800 MHz (governor ondemand)"
    assert first["new_xruns"] == [{"seconds": 0.999, "cause": cause}]
    assert second["new_xruns"] == [] and second["xruns"] == 1
    assert (first["temperature_c"], first["clock_mhz"], first["governor"]) == (61.4, 600.0, "ondemand")
    assert (first["throttled"], first["throttled_before"], first["latency_ms"]) == ([], ["throttled"], 5.5)
    for _ in range(600):
        meter.record(100_000, 0.1, 0.1, 2)
    health.look(4.0)
    assert len(health.new_xruns) == 16 and len(health.rows()) == 5
