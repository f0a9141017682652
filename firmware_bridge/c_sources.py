"""The C of one model: the runtime's files that it needs, and the two that are generated."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from neuralpedal.contract.tflite_file import TfliteFile
from neuralpedal.firmware_bridge.code_generation import (
    MODEL_HEADER,
    MODEL_SOURCE,
    SHARED_RUNTIME_FILES,
    CodeRequest,
    generate_code,
    model_header,
    model_source,
)
from neuralpedal.firmware_bridge.generated_code import GeneratedCode


@dataclass(frozen=True)
class CSources:
    """Texts by file name, and what the generator says of them."""

    code: GeneratedCode
    texts: dict[str, str]

    def write(self, folder: Path) -> list[str]:
        """Write all into ``folder``; the names of those that a compiler is given."""
        for name, text in self.texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        return sorted(name for name in self.texts if name.endswith(".c"))


def c_sources(file: TfliteFile, request: CodeRequest) -> CSources:
    """The C of a file, a harness not included. Raises as :func:`generate_code`."""
    code = generate_code(file, request)
    texts = {name: runtime_text(name) for name in (*SHARED_RUNTIME_FILES, *code.runtime_files)}
    texts[MODEL_HEADER], texts[MODEL_SOURCE] = model_header(file, code, request), model_source(code, request)
    return CSources(code, texts)


def runtime_text(name: str) -> str:
    """A file of the runtime."""
    return resources.files("neuralpedal.firmware_bridge").joinpath("runtime", name).read_text(encoding="utf-8")
