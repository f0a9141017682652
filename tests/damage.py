"""Files damaged at random: what a reader must refuse or read, and never crash on."""

from collections.abc import Iterator, Sequence

import numpy as np
from hypothesis import strategies as st


@st.composite
def damaged_bytes(draw: st.DrawFn, models: Sequence[bytes]) -> bytes:
    """One of ``models`` with one to six bytes changed."""
    damaged = bytearray(draw(st.sampled_from(models)))
    for place, value in draw(st.lists(st.tuples(_places(models), st.integers(0, 255)), min_size=1, max_size=6)):
        damaged[place % len(damaged)] = value
    return bytes(damaged)


@st.composite
def damaged_words(draw: st.DrawFn, models: Sequence[bytes]) -> bytes:
    """One of ``models`` with a whole 32-bit word changed, where offsets, counts and scales lie."""
    damaged = bytearray(draw(st.sampled_from(models)))
    start = draw(_places(models)) % len(damaged) // 4 * 4
    damaged[start : start + 4] = draw(st.integers(0, 2**32 - 1)).to_bytes(4, "little")
    return bytes(damaged)


def with_flipped_bits(whole: bytes) -> Iterator[bytes]:
    """``whole`` 300 times, each with four bits of its own flipped; the same ones in every run."""
    rng = np.random.default_rng(5)
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(damaged), 4):
            damaged[place] ^= 1 << int(rng.integers(8))
        yield bytes(damaged)


def _places(models: Sequence[bytes]) -> st.SearchStrategy[int]:
    return st.integers(0, max(map(len, models)) - 1)
