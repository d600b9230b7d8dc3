"""Chat completions over HTTP: what a reply or a stream of pieces says."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

from llmops.tasks.endpoints.http import Http
from llmops.tasks.endpoints.trouble import NO_API, Bill, Busy, Garbled, Withheld, used
from llmops.tasks.plugins.llms import Connection, Reply, Request, ToolCall

Body = dict[str, Any]


class OpenAIConnection(Connection):
    """`build` makes the body of a request; `place` is the address that errors name."""

    def __init__(
        self, http: Http, place: str, build: Callable[[Request], Body], *, streaming: bool
    ) -> None:
        self._http, self._place, self._build, self._streaming = http, place, build, streaming

    async def ask(self, request: Request) -> Reply:
        if not self._streaming:
            return read_reply(
                await self._http.post(self._build(request), request.repeat),
                self._place,
                self._http.hidden,
            )
        gathered = Gathered(self._place, self._http.hidden)
        with gathered.billed():
            async for _ in self._pieces(request, gathered):
                pass  # `gathered` keeps them
        return gathered.reply()

    async def stream(self, request: Request) -> AsyncIterator[str | Reply]:
        gathered = Gathered(self._place, self._http.hidden)
        async with aclosing(self._pieces(request, gathered)) as pieces:  # type: ignore[type-var]  # it is a generator
            with gathered.billed():
                async for piece in pieces:
                    yield piece
        yield gathered.reply()

    async def _pieces(self, request: Request, gathered: "Gathered") -> AsyncIterator[str]:
        body = {**self._build(request), "stream": True, "stream_options": {"include_usage": True}}
        async with aclosing(self._http.events(body, request.repeat)) as events:  # type: ignore[type-var]  # a generator
            async for event in events:
                if piece := gathered.add(event):
                    yield piece


class Gathered:
    """The pieces of a stream. `reply` raises Busy when the stream was cut: a part is never taken
    for the whole.
    """

    def __init__(self, place: str, hide: Callable[[str], str]) -> None:
        self._place, self._hide = place, hide
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[int, dict[str, str]] = {}
        self._usage: Body = {}
        self._finish, self._done = "", False
        self._whole: Reply | None = None

    @contextmanager
    def billed(self) -> Iterator[None]:
        """What goes wrong inside is told with what was used until then."""
        try:
            yield
        except Busy as busy:
            if busy.bill is not None or self._text:
                busy.bill = self._bill()
            raise

    def _bill(self) -> Bill:
        return used({"usage": self._usage}) or Bill(received="".join(self._text))

    def add(self, event: Body) -> str:
        """The text that came with it. {} is the end of the stream."""
        self._done = self._done or not event
        if event.get("error"):
            raise Busy(
                f"{self._place} broke its stream off: {self._hide(str(event['error']))[:300]}"
            )
        self._usage = event.get("usage") or self._usage
        choice = next(iter(event.get("choices") or []), None) or {}
        if "message" in choice:
            self._whole = read_reply(event, self._place, self._hide)
            return self._whole.text
        delta = choice.get("delta") or {}
        self._finish = choice.get("finish_reason") or self._finish
        self._refusal.append(delta.get("refusal") or "")
        for call in delta.get("tool_calls") or []:
            self._add_call(call)
        self._text.append(_text(delta.get("content")))
        return self._text[-1]

    def _add_call(self, call: Body) -> None:
        known = self._calls.setdefault(
            call.get("index") or 0, {"id": "", "name": "", "arguments": ""}
        )
        function = call.get("function") or {}
        known["id"] = call.get("id") or known["id"]
        known["name"] += function.get("name") or ""
        known["arguments"] += function.get("arguments") or ""

    def reply(self) -> Reply:
        if self._whole:
            return self._whole
        if not (self._done or self._finish):
            said = f"{self._place} ended its stream before the reply was complete"
            raise Busy(said, bill=self._bill())
        calls = [{"id": one["id"], "function": one} for _, one in sorted(self._calls.items())]
        message = {
            "content": "".join(self._text),
            "refusal": "".join(self._refusal),
            "tool_calls": calls,
        }
        whole = {
            "choices": [{"message": message, "finish_reason": self._finish}],
            "usage": self._usage,
        }
        return read_reply(whole, self._place, self._hide)


def read_reply(answer: Body, place: str, hide: Callable[[str], str]) -> Reply:
    """An empty text is a reply. Raises DocumentError where the model or a filter refused, Garbled
    for what is no completion; `hide` takes the key out of what they quote."""
    try:
        choice = answer["choices"][0]
        message = choice["message"]
        text, finish = _text(message.get("content")), choice.get("finish_reason") or "stop"
        calls = tuple(_call(call) for call in message.get("tool_calls") or [])
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        said = (
            f"{place} gave an answer without choices[0].message.content: "
            f"{hide(str(answer.get('error') or answer))[:200]}"
        )
        raise Garbled(said, NO_API, used(answer)) from error
    if message.get("refusal"):
        refused = str(message["refusal"])
        raise Withheld(
            f"the model refuses: {hide(refused)[:300]}", used(answer) or Bill(received=refused)
        )
    if finish == "content_filter":
        withheld = used(answer) or Bill(received=text)
        raise Withheld("the service withheld the reply: content_filter", withheld)
    usage = answer.get("usage") or {}
    return Reply(
        text=text,
        tokens_in=usage.get("prompt_tokens") or 0,
        tokens_out=usage.get("completion_tokens") or 0,
        tool_calls=calls,
        finish=finish,
    )


def _call(call: Body) -> ToolCall:
    function = call["function"]
    return ToolCall(
        id=call.get("id") or "", name=function["name"], arguments=function.get("arguments") or "{}"
    )


def _text(content: object) -> str:
    """Some services give a list of parts."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    if content is None or isinstance(content, str):
        return content or ""
    raise TypeError(f"content is {type(content).__name__}")
