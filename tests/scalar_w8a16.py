"""docs/integer-lstm.md, transcribed line by line into scalar Python: slow, with fractions, and nothing shared.

Written from the page alone, so that page and vectorised reference prove each other. Every value that a kernel keeps in
32 (or 16, or 64) bits is checked to fit.
"""

import math
from fractions import Fraction
from typing import Any

from neuralpedal.contract.tflite_file import TfliteFile

GATES = ("input", "forget", "cell", "output")


def fits(value: int, bits: int) -> int:
    assert -(1 << (bits - 1)) <= value < 1 << (bits - 1), f"{value} does not fit {bits} bits"
    return value


def rounded(exact: Fraction) -> int:
    """To nearest, halves away from zero."""
    magnitude = math.floor(abs(exact) + Fraction(1, 2))
    return magnitude if exact >= 0 else -magnitude


def power(exponent: int) -> Fraction:
    return Fraction(2) ** exponent


def make_table() -> list[int]:
    def node(k: int) -> int:
        s = 1.0 / (1.0 + math.exp(-k / 32.0))
        # From the small side: 1 − s would lose what the far end consists of.
        tail = 1.0 / (1.0 + math.exp(abs(k) / 32.0))
        moved = tail - tail * (1 - tail) * (1 - 2 * tail) / 2**14
        return round(2**31 * moved) if s < 0.5 else 2**31 - round(2**31 * moved)

    return [node(k) for k in range(-512, 513)]


TABLE = make_table()


def sigmoid(z: int, n: int) -> int:
    z = min(max(z, -16 << n), (16 << n) - 1)
    v = (z << (20 - n) if n <= 20 else z >> (n - 20)) + 2**24
    k, e = v >> 15, v & 32767
    return fits(TABLE[k] + (fits((TABLE[k + 1] - TABLE[k]) * e, 48) >> 15), 32)


def tanh(z: int, n: int) -> int:
    return sigmoid(z, n - 1) - 2**30


def normalised(exact: Fraction, bits: int) -> tuple[int, int]:
    """(m, e): exact ≈ m · 2^e with 2^(bits−1) ≤ m < 2^bits."""
    e = 0
    while exact * power(-e) >= 1 << bits:
        e += 1
    while exact * power(-e) < 1 << (bits - 1):
        e -= 1
    m = rounded(exact * power(-e))
    return (m >> 1, e + 1) if m == 1 << bits else (m, e)


class Row:
    """One row of int8 weights on a hidden state."""

    def __init__(self, weights: list[int], scale: Fraction, bits: int) -> None:
        self.weights = weights
        self.m, e = normalised(scale * power(bits - 15), 15)
        self.t = -16 - e
        if self.t > 30 or not any(weights):
            self.m = self.t = 0
        assert self.t >= 0

    def scaled(self, hidden: list[int]) -> int:
        a = 0
        for weight, h in zip(self.weights, hidden, strict=True):
            a = fits(a + weight * h, 32)
        return fits((fits(a * self.m, 48) >> 16) >> self.t, 32)


class Layer:
    def __init__(self, file: TfliteFile, index: int, formats: Any, input_bits: int) -> None:
        self.F, self.C = formats.gate_fraction_bits, formats.cell_fraction_bits
        own = [row for gate in GATES for row in rows(file, f"lstm_{index}/{gate}/recurrent_kernel")]
        kernel = [row for gate in GATES for row in rows(file, f"lstm_{index}/{gate}/kernel")]
        bias = [b for gate in GATES for b in floats(file, f"lstm_{index}/{gate}/bias")]
        self.own = [Row(*row, self.F) for row in own]
        self.first = index == 0
        self.p = [fits(rounded(w[0] * s * power(self.F - input_bits + 16)), 32) for w, s in kernel] if not index else []
        self.kernel = [Row(*row, self.F) for row in kernel] if index else []
        self.B = [fits(rounded(b * power(self.F)) + 1, 32) for b in bias]
        self.size = len(own) // 4
        self.h, self.c = [0] * self.size, [0] * self.size

    def step(self, source: list[int]) -> list[int]:
        z = []
        for r, bias in enumerate(self.B):
            share = fits(self.p[r] * source[0], 48) >> 16 if self.first else self.kernel[r].scaled(source)
            z.append(fits(fits(bias + share, 32) + self.own[r].scaled(self.h), 32))
        H, h = self.size, []
        for k in range(H):
            i, f, o = (sigmoid(z[q * H + k], self.F) for q in (0, 1, 3))
            g = fits(fits(tanh(z[2 * H + k], self.F) + (1 << (29 - self.C)), 32) >> (30 - self.C), 32)
            total = fits(f * self.c[k] + i * g + 2**30, 64)
            self.c[k] = min(max(fits(total >> 31, 32), -(2**30)), 2**30 - 1)
            h.append(fits(min(fits(o * tanh(self.c[k], self.C) + 2**45, 64) >> 46, 32767), 16))
        self.h = h
        return h


class ScalarNetwork:
    """Plays int16 samples one by one."""

    def __init__(self, file: TfliteFile) -> None:
        manifest = file.manifest()
        formats: Any = manifest.integer_format
        self.X, self.Y, self.G = (formats.input_fraction_bits, formats.output_fraction_bits, formats.output_guard_bits)
        self.layers = [Layer(file, index, layer, self.X) for index, layer in enumerate(formats.layers)]
        (self.head, scale), = rows(file, "head/kernel")
        self.M, e = normalised(scale * power(self.Y + self.G - 15), 31)
        self.S, self.skip = -e, manifest.network.skip
        self.D = fits(rounded(floats(file, "head/bias")[0] * power(self.Y + self.G)) + (1 << self.G >> 1), 32)

    def step(self, x: int) -> int:
        signal = [x]
        for layer in self.layers:
            signal = layer.step(signal)
        a = fits(sum(w * h for w, h in zip(self.head, signal, strict=True)), 32)
        total = fits(self.D + fits(fits(a * self.M, 64) >> self.S, 32), 32)
        if self.skip:
            total = fits(total + (x << (self.Y + self.G - self.X)), 32)
        return min(max(total >> self.G, -32768), 32767)


def rows(file: TfliteFile, name: str) -> list[tuple[list[int], Fraction]]:
    tensor = next(tensor for tensor in file.tensors if tensor.name == f"{name}/int8")
    assert tensor.data is not None
    return [(weights, Fraction(float(scale)))
            for weights, scale in zip(tensor.data.tolist(), tensor.scales, strict=True)]


def floats(file: TfliteFile, name: str) -> list[Fraction]:
    tensor = next(tensor for tensor in file.tensors if tensor.name == name)
    assert tensor.data is not None
    return [Fraction(float(value)) for value in tensor.data]
