"""What a request asks of a local model beside its messages."""

from collections.abc import Mapping
from typing import NamedTuple


class Sampling(NamedTuple):
    """How a reply is made. `more`: of transformers' generation config, and `stop`."""

    max_tokens: int
    temperature: float
    seed: int
    more: Mapping[str, object]
