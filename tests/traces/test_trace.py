"""What a recorder makes of a request: steps within steps, errors, sums, and a bound."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from llmops.tasks.traces import trace as module
from llmops.tasks.traces.trace import TraceRecorder, new_id
from tests.traces.made import recorded, recorder


def test_an_id_is_one_of_mlflows() -> None:
    assert len(new_id()) == 35
    assert int(new_id().removeprefix("tr-"), 16)
    assert len(recorded().otel_id) == 32


def test_steps_nest_and_sums_are_those_of_the_steps() -> None:
    made = recorder()
    with made.span("condense", "CHAIN"), made.span("generate", "CHAT_MODEL") as inner:
        inner.used("small", 10, 5, 0.1)
    with made.span("generate", "CHAT_MODEL") as second:
        second.used("small", 1, 2, 0.2)
    trace = made.finish("yes")
    root, outer, inner, second = trace.spans
    assert [outer.parent, inner.parent, second.parent] == [root.id, outer.id, root.id]
    assert (trace.tokens_in, trace.tokens_out) == (11, 7)
    assert trace.cost_usd == pytest.approx(0.3)
    assert all(span.end_ns >= span.start_ns for span in trace.spans)
    assert made.finish("later") is trace


def test_what_fails_is_noted_and_raised() -> None:
    made = recorder()
    with pytest.raises(ValueError, match="no"), made.span("retrieve", "RETRIEVER"):
        raise ValueError("no")
    with made.span("next", "CHAIN"):
        pass
    failed, after = made.finish(status="error").spans[1:]
    assert (failed.status, failed.error) == ("error", "ValueError: no")
    assert after.parent == made.root.id


def test_concurrent_steps_stand_below_their_own_parents() -> None:
    async def step(made: TraceRecorder, name: str) -> None:
        with made.span(name, "CHAIN"):
            await asyncio.sleep(0)
            with made.span(f"{name}.inner", "CHAIN"):
                await asyncio.to_thread(lambda: thread(made, name))

    def thread(made: TraceRecorder, name: str) -> None:
        with made.span(f"{name}.thread", "CHAIN"):
            pass

    async def both() -> TraceRecorder:
        made = recorder()
        await asyncio.gather(step(made, "a"), step(made, "b"))
        return made

    spans = {span.name: span for span in asyncio.run(both()).finish().spans}
    for name in ("a", "b"):
        assert spans[f"{name}.inner"].parent == spans[name].id
        assert spans[f"{name}.thread"].parent == spans[f"{name}.inner"].id


def test_a_stream_may_be_ended_in_another_task() -> None:
    async def pieces(made: TraceRecorder) -> AsyncIterator[str]:
        with made.span("generate", "CHAT_MODEL"):
            yield "a"
            yield "b"

    async def served() -> TraceRecorder:
        made = recorder()
        stream = pieces(made)
        first = await asyncio.gather(anext(stream))
        rest = [piece async for piece in stream]
        assert [*first, *rest] == ["a", "b"]
        return made

    assert [span.status for span in asyncio.run(served()).finish().spans] == ["ok", "ok"]


def test_a_trace_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SPANS", 3)
    made = recorder()
    for _ in range(5):
        with made.span("retrieve", "RETRIEVER"):
            pass
    trace = made.finish()
    assert len(trace.spans) == 3
    assert trace.tags["llmops.spans_left_out"] == "3"
