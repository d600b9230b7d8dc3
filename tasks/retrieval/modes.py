"""How a search may look: by vector, by text, or by both."""

from typing import Literal

Mode = Literal["hybrid", "vector", "text"]
MODES: tuple[Mode, ...] = ("hybrid", "vector", "text")
