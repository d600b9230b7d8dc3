"""A knowledge base that the application does not answer from yet is offered to its config."""

import re
from collections.abc import Iterator

import pytest

from llmops.configs.reading import read
from llmops.configs.serve import ServeConfig
from tests.chat.apps import BASE, Towers
from tests.deployments.app.apps import App, application
from tests.deployments.app.page.pages import Visitor

OWN = """\
flow: serve
app: guide
knowledge_bases: [other]  # what it answers from
prompt: towers.yaml
"""
STATE = "/build/state?file=build.yaml"


@pytest.fixture
def other(towers: Towers) -> Iterator[App]:
    """It answers from another knowledge base than the one that is live."""
    (towers.folder / "build.yaml").write_text(
        f"flow: index\nknowledge_base: {BASE}\nsources: [{{name: files, path: docs}}]\n"
    )
    (towers.folder / "app.yaml").write_text(OWN)
    with application(towers, knowledge_bases=["other"]) as found:
        yield found


@pytest.fixture
def visitor(other: App) -> Visitor:
    found = Visitor(other)
    found.sign_in()
    return found


def seen(shown: str) -> str:
    (digest,) = re.findall(r'name="seen" value="([0-9a-f]+)"', shown)
    return str(digest)


def test_the_change_is_shown_and_made(visitor: Visitor, other: App) -> None:
    shown = visitor.get(STATE).text
    assert (
        "-knowledge_bases: [other]  # what it answers from\n+knowledge_bases: [other, towers]"
        in (shown)
    )
    assert "prompt" not in shown[shown.index("offer-title") :]
    fields = {"file": "build.yaml", "seen": seen(shown)}
    told = visitor.post("/build/offer", fields, hx_request="true").text
    assert "once it has started again" in told
    file = other.towers.folder / "app.yaml"
    assert file.read_text() == OWN.replace("[other] ", "[other, towers]")
    assert read(file, ServeConfig).knowledge_bases == ("other", "towers")
    assert visitor.post("/build/offer", fields).status_code == 409


def test_what_somebody_has_changed_since_is_not_written_over(visitor: Visitor, other: App) -> None:
    fields = {"file": "build.yaml", "seen": seen(visitor.get(STATE).text)}
    changed = OWN + "port: 9000\n"
    (other.towers.folder / "app.yaml").write_text(changed)
    assert visitor.post("/build/offer", fields).status_code == 409
    assert (other.towers.folder / "app.yaml").read_text() == changed


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("app.yaml", OWN.replace("guide", "another")),  # somebody else's application
        ("second.yaml", OWN),  # nobody knows which of both is read
        ("app.yaml", OWN + "port: none\n"),
        ("build.yaml", "flow: index\nknowledge_base: unbuilt\nsources: [topics]\n"),
    ],
)
def test_nothing_is_offered_that_would_not_serve(
    visitor: Visitor, other: App, name: str, text: str
) -> None:
    (other.towers.folder / name).write_text(text)
    assert "offer-title" not in visitor.get(STATE).text


def test_what_the_application_would_refuse_is_not_offered(towers: Towers, other: App) -> None:
    config = {"knowledge_bases": ["other"], "retrieve": {"where": "colour >= 2024"}}
    with application(towers, **config) as app:  # the knowledge base has no such field
        visitor = Visitor(app)
        visitor.sign_in()
        assert "offer-title" not in visitor.get(STATE).text
