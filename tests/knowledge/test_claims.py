"""A text that two parts of a build hold is paid for once, though both are embedded at once."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import ClassVar

import pytest

from llmops.tasks.errors import Unavailable
from llmops.tasks.knowledge import collect, embed, planner, transform
from llmops.tasks.knowledge.build import Batch, Build
from llmops.tasks.knowledge.claims import Claims
from llmops.tasks.knowledge.start import begin, start
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.schemas import Vectors
from tests.workshop import Plainly, Workshop

SHARED = "Every reader of the manual signs here."


class SlowEmbedder(HashEmbedder):
    """The first call with SHARED ends when it may go on, and fails where `broken`."""

    former: ClassVar[str] = HashEmbedder.spelling()  # what a build of HashEmbedder expects

    def __init__(self, *, broken: bool) -> None:
        super().__init__()
        self._broken = broken

    def embed(self, texts: Sequence[str]) -> Vectors:
        CALLS.extend(texts)
        if SHARED in texts and CALLS.count(SHARED) == 1:
            INSIDE.set()
            assert GO_ON.wait(30)
            if self._broken:
                raise Unavailable("the service is not there")
        return super().embed(texts)


CALLS: list[str] = []
INSIDE, GO_ON = Event(), Event()


def chunked(shop: Workshop, name: str) -> tuple[Build, Batch]:
    """Two documents: one of SHARED, one of its own."""
    texts = {f"{name}.txt": SHARED, f"{name}-own.txt": own(name)}
    build = start(shop.handle, shop.specs(texts), full=False)
    (part,) = planner.parts(build, planner.plan_build(build))
    source = planner.source_of(build, build.specs.source(part.source))
    batch = collect.collect(build, source, Plainly(), part)
    batch = transform.clean(build, build.specs.cleaners(), batch)
    return build, transform.chunk(build, build.specs.chunker(), shop.model, batch)


def own(name: str) -> str:
    return f"Only {name} has this sentence."


@pytest.mark.parametrize("broken", [False, True])
def test_a_text_of_two_parts_is_paid_for_once(tmp_path: Path, *, broken: bool) -> None:
    for clean in (CALLS, INSIDE, GO_ON):
        clean.clear()
    shop = Workshop(tmp_path, Spec(name="lancedb"))
    shop.embedder = Spec(name="hash")
    begin(shop.handle)
    first, second = chunked(shop, "a"), chunked(shop, "b")
    embedder = SlowEmbedder(broken=broken)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(embed.embed, first[0], embedder, first[1])
        assert INSIDE.wait(30)
        other = pool.submit(embed.embed, second[0], embedder, second[1])
        while own("b") not in CALLS:
            assert not other.done()
            time.sleep(0.01)
        GO_ON.set()
        if broken:
            with pytest.raises(Unavailable):
                one.result(30)
        computed = [
            each.result(30).computed for each in (one, other) if not (broken and each is one)
        ]
    assert computed == ([2] if broken else [2, 1])
    assert CALLS.count(SHARED) == (2 if broken else 1)  # one that failed was not paid for


def test_claims_are_given_once_and_waited_for() -> None:
    claims, seen, done = Claims(), Event(), Event()
    with ThreadPoolExecutor(1) as pool:
        with claims.claimed("ab") as first:
            assert first == {"a", "b"}
            with claims.claimed("bc") as second:
                assert second == {"c"}

            def wait() -> None:
                seen.set()
                claims.wait(["b"])
                done.set()

            waiting = pool.submit(wait)
            assert seen.wait(30)
            assert not done.wait(0.05)
        waiting.result(30)
    claims.wait("abc")
    with pytest.raises(ValueError, match="left"), claims.claimed("a"):
        raise ValueError("left")
    with claims.claimed("a") as again:
        assert again == {"a"}
