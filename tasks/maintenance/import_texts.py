"""The texts of an export while it is checked: on disk, so that memory stays flat."""

import tempfile
from types import TracebackType
from typing import Self


class Texts:
    """Texts by key, in a temporary file without a name. The one that was asked for last is kept at
    hand.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._places: dict[str, tuple[int, int]] = {}
        self._last: tuple[str, str] | None = None

    def add(self, key: str, text: str) -> None:
        content = text.encode()
        self._places[key] = (self._file.tell(), len(content))
        self._file.write(content)

    def of(self, key: str) -> str:
        """Raises KeyError for one that was never added. No text may be added afterwards."""
        if self._last is None or self._last[0] != key:
            start, size = self._places[key]
            self._file.seek(start)
            self._last = (key, self._file.read(size).decode())
        return self._last[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
