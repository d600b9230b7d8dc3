"""The source `dify` when something is wrong: limits, faults, keys, options."""

from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import (
    Blocked,
    DocumentError,
    TransientDocumentError,
    Unavailable,
    UsageError,
)
from tests.plugins.sources.dify_server import DifyServer, Refusal
from tests.plugins.sources.moving import dify


def test_a_knowledge_base_that_changes_meanwhile_is_listed_again_or_not_complete(
    service: DifyServer,
) -> None:
    for number in range(150):
        service.add(f"{number}", f"Text {number}.")
    doomed = list(service.documents)
    gone: list[str] = []

    def delete(path: str) -> None:
        if "documents?page=2" in path and len(gone) < limit:
            gone.append(doomed[len(gone)])
            del service.documents[gone[-1]]

    service.before, limit = delete, 1
    listing = dify(service, thorough=False).list()
    assert listing.complete
    assert {item.uri for item in listing.items} == set(service.documents)
    limit = 99
    assert "changed while it was listed" in dify(service, thorough=False).list().why_incomplete


def test_limits_and_faults_of_a_moment_are_waited_for(service: DifyServer) -> None:
    service.add("a", "Text.")
    service.limited, service.broken = 2, 2
    assert len(dify(service).list().items) == 1
    service.limited = 99
    with pytest.raises(Unavailable, match="rate limit of your subscription"):
        dify(service).list()
    service.limited, service.broken = 0, 99
    with pytest.raises(Unavailable, match="HTTP status 500"):
        dify(service).list()


def test_a_document_that_cannot_be_read_is_its_own_problem(service: DifyServer) -> None:
    first = service.add("a", "A.")
    service.add("b", "B.")
    item = next(item for item in dify(service, thorough=False).list().items if item.uri == first)

    def vanish(path: str) -> None:
        if f"{first}/segments" in path:
            service.documents.pop(first, None)

    service.before = vanish
    listing = dify(service).list()
    assert [(one.uri, one.retryable) for one in listing.problems] == [(first, True)]
    assert len(listing.items) == 1
    with pytest.raises(TransientDocumentError, match="gone now"):
        dify(service).read(item)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"api_key": "app-wrong"}, UsageError, "does not accept the API key"),
        ({"dataset": "00000000-0000-0000-0000-000000000008"}, UsageError, "Dataset not found"),
        ({"base_url": "http://127.0.0.1:9/v1", "retries": 0}, Unavailable, "does not answer"),
    ],
)
def test_what_is_wrong_is_named_before_a_build(
    service: DifyServer, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        dify(service, **options).check()
    assert service.key not in str(caught.value)
    assert "app-wrong" not in str(caught.value)


def test_access_that_was_switched_off_and_a_base_that_is_gone(service: DifyServer) -> None:
    source = dify(service)
    service.enabled = False
    with pytest.raises(UsageError, match="api access is not enabled"):
        source.list()
    service.enabled, service.dataset = True, "00000000-0000-0000-0000-000000000009"
    with pytest.raises(Blocked, match="Dataset not found"):
        source.list()


def test_an_address_that_is_not_the_api_is_told_apart(service: DifyServer) -> None:
    from tests.plugins.sources.site import running as site_running

    with site_running() as site:
        path = f"/datasets/{service.dataset}/documents?page=1&limit=1"
        site.page(path, "Dify")
        with pytest.raises(UsageError, match="not JSON"):
            dify(service, base_url=site.url).check()
        site.moved(path, service.url + path)
        with pytest.raises(UsageError, match="has moved to"):
            dify(service, base_url=site.url).check()
    assert service.log == [], "the key follows no redirect"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dataset": "handbook"}, "dataset"),
        ({"api_key": ""}, "api_key"),
        ({"api_key": "a b"}, "one word"),
        ({"base_url": "api.dify.ai"}, "service API"),
        ({"base_url": "https://x/v1?y=1"}, "service API"),
        ({"delay": -1}, "delay"),
        ({"page": 1}, "page"),
    ],
)
def test_bad_options_are_named_when_the_config_is_read(
    service: DifyServer, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        dify(service, **options)


def test_the_key_is_in_no_representation(service: DifyServer) -> None:
    assert service.key not in repr(dify(service))
    assert service.key not in str(dify(service))


def test_a_refusal_of_one_document_is_a_document_error(service: DifyServer) -> None:
    own = service.add("a", "A.")

    def refuse(path: str) -> None:
        if own in path:
            raise Refusal(400, "provider_not_initialize", "No Embedding Model available.")

    item = dify(service, thorough=False).list().items[0]
    service.refuse = refuse
    with pytest.raises(DocumentError, match="No Embedding Model available"):
        dify(service).read(item)


def test_a_refusal_of_the_list_is_no_crash(service: DifyServer) -> None:
    def refuse(path: str) -> None:
        raise Refusal(400, "invalid_param", "limit must be at most 50")

    service.refuse = refuse
    for act in (dify(service).check, dify(service).list):
        with pytest.raises(UsageError, match="at most 50"):
            act()


def test_a_service_that_dies_meanwhile_is_no_fault_of_its_documents(service: DifyServer) -> None:
    for number in range(30):
        service.add(f"{number}", f"Text {number}.")

    def die(path: str) -> None:
        service.broken = 99 * ("segments" in path)

    service.before = die
    with pytest.raises(Unavailable, match="not asked again"):
        dify(service, retries=0).list()
    assert len(service.log) < 12
