"""``benchmarks/engines.py`` on a tiny network: all engines play it, and who does not is found."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_every_engine_is_timed_and_plays_the_same_network(tmp_path: Path, c_compiler: None) -> None:
    command = [sys.executable, str(BENCHMARKS / "engines.py"), "--sizes", "2x3", "gru-1x3", "--rounds", "2",
               "--blocks", "4", "--json", str(tmp_path / "engines.json"), "--png", str(tmp_path / "engines.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    # Times are this machine's; whether they meet the targets is for `make bench` to say.
    assert done.returncode in (0, 1), done.stderr
    found = json.loads((tmp_path / "engines.json").read_text())
    rows, grus = ({row["engine"]: row for row in found["rows"] if row["size"] == size} for size in ("2x3", "gru-1x3"))
    assert set(grus) == {"native float32", "native w8", "LiteRT float32", "litert float32"}
    assert {"native float32", "native w8", "native w8a16", "native w8a8", "LiteRT float32", "litert w8a8"} <= set(rows)
    assert "another network" not in done.stdout
    assert rows["native w8"]["ratio"] == 1.0
    assert rows["native w8a8"]["esr"] == rows["litert w8a8"]["esr"] > rows["native w8"]["esr"]
    for row in rows.values():
        assert 0.0 < row["us_per_block_p50"] <= row["us_per_block_p99"]
    assert [cost["block_size"] for cost in found["python"]] == [1, 16, 64, 256]
    assert (tmp_path / "engines.png").read_bytes().startswith(b"\x89PNG")


def test_a_missed_target_and_another_network_are_named() -> None:
    import engines
    from python_cost import PythonCost

    row = engines.Row("1x16", "LiteRT float32", "litert", 90.0, 99.0, 1.4, 8.1, 1e-13)
    cost = PythonCost(64, 2.0, 2.9, 0.9)
    assert engines.missed([row], [cost]) == []
    assert "target 8" in engines.missed([replace(row, ratio=7.9)], [])[0]
    assert engines.missed([replace(row, ratio=7.9, size="1x8")], []) == []
    assert "another network" in engines.missed([replace(row, esr=2e-6)], [])[0]
    assert "another network" in engines.missed([replace(row, esr=float("nan"))], [])[0]
    assert engines.missed([replace(row, esr=2e-3, engine="litert w8a8")], []) == []
    assert "target 20 ms" in engines.missed([replace(row, engine="native w8", open_ms=20.1)], [])[0]
    assert "target 1 µs" in engines.missed([], [replace(cost, added_us=1.1)])[0]


def test_an_onnx_graph_plays_what_the_reference_plays() -> None:
    pytest.importorskip("onnxruntime", reason="compared with by `make bench`, which installs it")
    from contenders import play
    from onnx_engine import OnnxEngine

    from neuralpedal.contract.manifest import Manifest
    from neuralpedal.contract.metrics import esr
    from neuralpedal.contract.reference import open_reference
    from neuralpedal.contract.spec import NetworkSpec
    from neuralpedal.contract.weights import random_weights
    from signals import plucks

    dry = plucks(0.02)
    for layers, skip in ((1, True), (2, False)):
        weights = random_weights(NetworkSpec(hidden_size=5, num_layers=layers, skip=skip), 3)
        engine = OnnxEngine(weights, Manifest(name="test", scheme="float32", network=weights.spec), 16)
        first = play(engine, dry)
        assert esr(open_reference(weights).process(dry)[: len(first)], first) < 1e-10
        assert (play(engine, dry) == first).all()
