"""What a player of models from the link costs beside C generated for one model: instructions per sample under QEMU.

    python benchmarks/blob_cost.py

Both play the same model in blocks of 48 on emulated Cortex-Ms; the blob is compiled into the image here, so that only
the kernels differ.
"""

import json
import sys
import tempfile
from pathlib import Path

from emulated_pedal import io_of

from neuralpedal.firmware_bridge.link.protocol import Samples
from neuralpedal.firmware_bridge.model_blob import write_blob
from neuralpedal.firmware_bridge.player_sources import PlayerSettings, player_texts, player_units
from neuralpedal.firmware_bridge.project import write_project
from neuralpedal.firmware_bridge.verification import verify_project

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from firmware_pedals import Wanted, write_pedal

SIZES = ((1, 8), (1, 16), (1, 32), (2, 16))
_PLAYER_AS_PEDAL = """
#include "pedal_player.h"
#include "pedal.h"
extern const uint64_t blob_words[];
extern const size_t blob_bytes;
void pedal_init(pedal_state *state)
{
    static pedal_blob blob;
    const pedal_capacity capacity = pedal_player_capacity();
    (void)state;
    if (pedal_blob_read(&blob, (const uint8_t *)blob_words, blob_bytes, &capacity) == 0)
        pedal_player_choose(&blob);
}
void pedal_reset(pedal_state *state)
{
    (void)state;
    pedal_player_reset();
}
void pedal_process(pedal_state *state, const pedal_sample *in, pedal_sample *out, size_t n)
{
    (void)state;
    pedal_player_process(in, out, n);
}
"""


def measure(scheme: str, layers: int, hidden: int, target: str) -> tuple[float, float]:
    """Instructions per sample of generated C and of the player."""
    io = io_of(scheme)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = write_pedal(folder / "pedal.tflite", Wanted(scheme, hidden, layers, scale=0.3)).path
        project = write_project(model, folder / "project", target, io, golden_s=0.02)
        generated = verify_project(project.folder)
        assert generated.passed and generated.instructions_per_sample
        content = write_blob(model, Samples.INT16 if io == "int16" else Samples.FLOAT).content
        words = ", ".join(f"UINT64_C({int.from_bytes(content[at : at + 8], 'little')})"
                          for at in range(0, len(content), 8))
        texts = player_texts(PlayerSettings(io == "int16"))
        texts["as_pedal.c"] = _PLAYER_AS_PEDAL
        texts["blob.c"] = ("#include <stddef.h>\n#include <stdint.h>\nextern const uint64_t blob_words[];\n"
                           "extern const size_t blob_bytes;\n"
                           f"const uint64_t blob_words[] = {{{words}}};\nconst size_t blob_bytes = {len(content)};\n")
        for name, text in texts.items():
            (project.folder / name).write_text(text, encoding="utf-8")
        _replace_sources(project.folder, tuple(player_units(texts)))
        played = verify_project(project.folder)
        assert played.max_abs_difference_lsb <= played.allowed_lsb, played
        assert played.instructions_per_sample
        return generated.instructions_per_sample, played.instructions_per_sample


def _replace_sources(folder: Path, units: tuple[str, ...]) -> None:
    """The project compiles these instead of its own."""
    place = folder / "project.json"
    content = json.loads(place.read_text(encoding="utf-8"))
    others = [name for name in content["files"] if not name.endswith(".c") or name.startswith("harness")]
    content["files"] = [*others, *units]
    place.write_text(json.dumps(content), encoding="utf-8")


def main() -> int:
    """See above."""
    print(f"{'instructions per sample':28}{'generated':>12}{'player':>12}{'cost':>9}")
    for target in ("cortex-m7", "cortex-m33"):
        for scheme in ("w8a16", "w8a8", "w8"):
            for layers, hidden in SIZES:
                generated, played = measure(scheme, layers, hidden, target)
                print(f"{f'{target} {scheme} {layers}x{hidden}':28}{generated:12,.0f}{played:12,.0f}"
                      f"{played / generated - 1.0:+9.1%}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
