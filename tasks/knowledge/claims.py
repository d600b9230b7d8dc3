"""Which texts this process is paying for at this moment. Parts of a build are embedded beside each
other, and two of them may hold the same text: it is paid for once.
"""

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from threading import Condition


class Claims:
    """For any number of threads."""

    def __init__(self) -> None:
        self._held: set[Hashable] = set()
        self._changed = Condition()

    @contextmanager
    def claimed(self, keys: Iterable[Hashable]) -> Iterator[frozenset[Hashable]]:
        """Holds those of the keys that nobody holds, and gives them."""
        with self._changed:
            own = frozenset(keys) - self._held
            self._held |= own
        try:
            yield own
        finally:
            with self._changed:
                self._held -= own
                self._changed.notify_all()

    def wait(self, keys: Iterable[Hashable]) -> None:
        """Until nobody holds any of the keys. Whoever waits must hold none, so that no two wait for
        each other.
        """
        with self._changed:
            wanted = {*keys}
            self._changed.wait_for(lambda: not wanted & self._held)
