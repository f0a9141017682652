"""A mechanical contact as presses: debounced, short ones told from long ones. No pins and no clock in here.

A contact bounces for some milliseconds whenever it closes or opens. A state counts once it has stood still for as long
as contacts bounce, so that neither a bounce nor an electrical spike is a press.
"""

from collections.abc import Iterator

PRESS, RELEASE, HOLD = "press", "release", "hold"


class Press:
    """One contact.

    Args:
        settle_s: how long a state must stand still. hold_s: how long a press is held to be a long one; None: all
            presses are alike and told at once; else a short one is told when it ends.
    """

    def __init__(self, settle_s: float, hold_s: float | None = None) -> None:
        self._settle_s, self._hold_s = settle_s, hold_s
        self._closed = self._raw = False
        self._changed_s = self._since_s = 0.0
        self._was_held = False

    def note(self, closed: bool, now_s: float) -> None:
        """The contact changed, or may have."""
        if closed != self._raw:
            self._raw, self._changed_s = closed, now_s

    def bounced(self, now_s: float) -> None:
        """The contact changed and changed back, too fast to be read: it has not stood still."""
        self._changed_s = now_s

    def events(self, now_s: float) -> Iterator[str]:
        """What came to pass until now: ``PRESS``, ``HOLD``, ``RELEASE``, each once."""
        if self._raw != self._closed and now_s - self._changed_s >= self._settle_s:
            self._closed = self._raw
            if self._closed:
                self._since_s, self._was_held = self._changed_s, False
                if self._hold_s is None:
                    yield PRESS
            else:
                if self._hold_s is not None and not self._was_held:
                    yield PRESS
                yield RELEASE
        if self._is_held(now_s):
            self._was_held = True
            yield HOLD

    def next_s(self, now_s: float) -> float | None:
        """In how many seconds ``events`` may have something to say if nothing changes; None: never."""
        waits = []
        if self._raw != self._closed:
            waits.append(self._changed_s + self._settle_s - now_s)
        if self._closed and self._hold_s is not None and not self._was_held:
            waits.append(self._since_s + self._hold_s - now_s)
        return max(0.0, min(waits)) if waits else None

    def _is_held(self, now_s: float) -> bool:
        return (self._closed and self._raw and self._hold_s is not None and not self._was_held
                and now_s - self._since_s >= self._hold_s)
