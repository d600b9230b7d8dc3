"""The clients that people have, against the true server on a port."""

import asyncio
import json
import subprocess
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from tests.chat.apps import TALL, copied
from tests.deployments.app.apps import Listening, listening
from tests.workshop import Workshop

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(shelf: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    towers = copied(shelf, tmp_path_factory.mktemp("clients"))
    with listening(towers, required=True) as found:
        yield found


@pytest.fixture(scope="module")
def key(served: Listening) -> str:
    return served.key("clients")


def test_openai_s_client_chats_streams_and_lists_models(served: Listening, key: str) -> None:
    from openai import OpenAI

    with OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["guide"]
        assert client.models.retrieve("guide").owned_by == "llmops"
        answer = client.chat.completions.create(
            model="guide", messages=[{"role": "user", "content": TALL}], user="anna"
        )
        said = answer.choices[0].message.content
        assert said is not None
        assert "330 metres" in said
        assert answer.model_extra is not None
        assert answer.model_extra["citations"][0]["uri"] == "eiffel.txt"
        assert answer.model_extra["trace_id"].startswith("tr-")
        stream = client.chat.completions.create(
            model="guide",
            messages=[{"role": "user", "content": TALL}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = list(stream)
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert text == said
        assert chunks[-1].usage is not None
        assert (chunks[-2].model_extra or {})["trace_id"].startswith("tr-")


def test_openai_s_client_raises_its_own_errors(served: Listening, key: str) -> None:
    import openai

    def client(presented: str) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{served.url}/v1", api_key=presented, max_retries=0)

    with client("sk-wrong") as wrong, pytest.raises(openai.AuthenticationError) as raised:
        wrong.models.list()
    assert raised.value.code == "invalid_api_key"
    only = served.key("searches-only", scopes=["search"])
    with client(only) as narrow, pytest.raises(openai.PermissionDeniedError):
        narrow.chat.completions.create(model="guide", messages=[{"role": "user", "content": "x"}])
    with client(key) as right, pytest.raises(openai.NotFoundError) as missing:
        right.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "x"}])
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")


def test_openai_s_asynchronous_client_streams(served: Listening, key: str) -> None:
    from openai import AsyncOpenAI

    async def ask() -> str:
        async with AsyncOpenAI(base_url=f"{served.url}/v1", api_key=key) as client:
            stream = await client.chat.completions.create(
                model="guide", messages=[{"role": "user", "content": TALL}], stream=True
            )
            return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])

    assert "330 metres" in asyncio.run(ask())


def test_llama_index_chats_and_streams(served: Listening, key: str) -> None:
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.openai_like import OpenAILike

    llm = OpenAILike(
        model="guide", api_base=f"{served.url}/v1", api_key=key, is_chat_model=True, max_retries=0
    )
    asked = [ChatMessage(role="user", content=TALL)]
    assert "330 metres" in str(llm.chat(asked).message.content)
    assert "330 metres" in "".join(piece.delta or "" for piece in llm.stream_chat(asked))


def test_langchain_s_chat_model_chats_and_streams(served: Listening, key: str) -> None:
    from langchain_openai import ChatOpenAI

    llm = ChatOpenAI(
        model="guide", base_url=f"{served.url}/v1", api_key=SecretStr(key), max_retries=0
    )
    said = llm.invoke(TALL)
    assert "330 metres" in said.text
    assert said.usage_metadata is not None
    assert said.usage_metadata["output_tokens"] > 0
    assert "".join(piece.text for piece in llm.stream(TALL)) == said.text
    history = [("system", "Be brief."), ("user", "Hello"), ("assistant", "Hello."), ("user", TALL)]
    assert "330 metres" in llm.invoke(history).text


def test_fastmcp_s_client_lists_tools_searches_and_asks(served: Listening, key: str) -> None:
    from fastmcp import Client
    from fastmcp.exceptions import ToolError
    from mcp_types import TextContent

    async def use() -> tuple[list[str], object, str]:
        async with Client(f"{served.url}/mcp", auth=key) as client:
            tools = [tool.name for tool in await client.list_tools()]
            found = await client.call_tool("search", {"query": TALL, "k": 2})
            asked = (await client.call_tool("ask", {"question": TALL})).content[0]
            with pytest.raises(ToolError):
                await client.call_tool("search", {"query": TALL, "k": 0})
            assert isinstance(asked, TextContent)
            return tools, found.structured_content, asked.text

    tools, found, said = asyncio.run(use())
    assert tools == ["search", "ask"]
    assert json.loads(json.dumps(found))["hits"][0]["uri"] == "eiffel.txt"
    assert "330 metres" in said


def test_an_mcp_client_lists_tools_searches_and_asks(served: Listening, key: str) -> None:
    import httpx2
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client
    from mcp_types import TextContent

    async def use() -> tuple[list[str], dict[str, object], str, bool]:
        headers = {"authorization": f"Bearer {key}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=30) as http,
            streamable_http_client(f"{served.url}/mcp", http_client=http) as streams,
            ClientSession(streams[0], streams[1]) as session,
        ):
            await session.initialize()
            tools = [tool.name for tool in (await session.list_tools()).tools]
            found = await session.call_tool("search", {"query": TALL, "k": 2})
            asked = await session.call_tool("ask", {"question": TALL})
            wrong = await session.call_tool("search", {"query": TALL, "k": 0})
            said = asked.content[0]
            assert isinstance(said, TextContent)
            return tools, found.structured_content, said.text, bool(wrong.is_error)

    tools, found, said, wrong = asyncio.run(use())
    assert tools == ["search", "ask"]
    assert json.loads(json.dumps(found))["hits"][0]["uri"] == "eiffel.txt"
    assert "330 metres" in said
    assert "eiffel.txt" in said
    assert wrong


def test_mcp_s_tools_want_their_scopes(served: Listening) -> None:
    import httpx

    only = served.key("mcp-search", scopes=["search"])
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "ask", "arguments": {"question": TALL}},
    }
    headers = {
        "authorization": f"Bearer {only}",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2025-06-18",
    }
    result = httpx.post(f"{served.url}/mcp", json=call, headers=headers).json()["result"]
    assert result["isError"]
    assert "may not ask" in result["content"][0]["text"]
    assert httpx.post(f"{served.url}/mcp", json=call).status_code == 401
    assert httpx.get(f"{served.url}/mcp", headers=headers).status_code == 405


def test_curl_asks_and_reads_a_stream(served: Listening, key: str) -> None:
    body = {"model": "guide", "messages": [{"role": "user", "content": TALL}], "stream": True}
    command = ["curl", "-sS", "-N", "--fail-with-body", f"{served.url}/v1/chat/completions"]
    command += ["-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"]
    done = subprocess.run(
        [*command, "-d", json.dumps(body)], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("data: [DONE]\n\n")
    assert "330" in done.stdout


def test_dify_s_request_as_documented(served: Listening, key: str) -> None:
    body = {
        "knowledge_id": "towers",
        "query": "What is Pisa?",
        "retrieval_setting": {"top_k": 3, "score_threshold": 0.5},
    }
    command = ["curl", "-sS", f"{served.url}/retrieval", "-H", "Content-Type: application/json"]
    command += ["-H", f"Authorization: Bearer {key}", "-d", json.dumps(body)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    records = json.loads(done.stdout)["records"]
    assert records[0]["title"] == "pisa.txt"
    assert set(records[0]) == {"content", "score", "title", "metadata"}
