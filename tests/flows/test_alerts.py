"""`llmops alerts …` as a user types it, with a mail server, a webhook and a chat that are there."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from llmops.tasks import ledger
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.alerting import alerts
from tests.alerts.ledgers import built
from tests.commandline import llmops
from tests.receiver import SECRET, Receiver, receiving
from tests.smtp_server import MailServer, mail_server

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # of apprise
CONFIG = """
flow: alerts
every: 30s
senders:
  - {name: webhook, url: "${HOOK}/T0KEN", secret: "${HOOK_SECRET}"}
  - {name: email, host: 127.0.0.1, port: PORT, security: none, from: a@b.example, to: [c@b.example]}
  - {name: apprise, url: "${CHAT}", severity: critical}
rules:
  - {name: too-small, knowledge_base: handbook, metric: documents, below: BOUND, severity: SEVERITY}
"""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as receiver:
        monkeypatch.setenv("HOOK", receiver.url)
        monkeypatch.setenv("HOOK_SECRET", SECRET)
        monkeypatch.setenv("CHAT", receiver.url.replace("http://", "json://") + "/CH4T")
        yield receiver


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mails: MailServer) -> Iterator[Path]:
    folder = tmp_path / "desk"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LLMOPS_HOME", str(folder / ".llmops"))
    built(folder / ".llmops", "handbook", now(), documents=5)
    write(folder, mails, bound=10)
    yield folder
    ledger.close_ledgers()


def write(folder: Path, mails: MailServer, *, bound: int, severity: str = "critical") -> None:
    text = CONFIG.replace("PORT", str(mails.port)).replace("BOUND", str(bound))
    (folder / "alerts.yaml").write_text(text.replace("SEVERITY", severity))


def test_a_test_goes_by_every_sender(project: Path, hook: Receiver, mails: MailServer) -> None:
    said = llmops("alerts", "test", "alerts.yaml", "--json")
    assert said.code == 0, said.out
    assert [(each["sender"], each["sent"]) for each in said.data["senders"]] == [
        ("webhook", True),
        ("email", True),
        ("apprise", True),
    ]
    by_path = {each.path: each for each in hook.received}
    assert set(by_path) == {"/T0KEN", "/CH4T"}
    assert by_path["/T0KEN"].is_signed_by(SECRET)
    assert by_path["/T0KEN"].content["type"] == "llmops.alert.test"
    assert mails.mails[0]["Subject"] == "[desk] test: this is a test"


def test_a_sender_that_fails_is_named_without_its_secrets(project: Path, hook: Receiver) -> None:
    hook.answers = [(404, {}), (404, {})]
    said = llmops("alerts", "test", project / "alerts.yaml")
    assert said.code == 1
    assert "answered 404" in said.out
    assert "T0KEN" not in said.out + said.err
    assert "CH4T" not in said.out + said.err


def test_an_alert_from_its_first_look_to_its_end(
    project: Path, hook: Receiver, mails: MailServer
) -> None:
    assert llmops("alerts", "list", "--json").data == {"alerts": [], "undelivered": []}
    first = llmops("alerts", "check", "--json")
    assert first.code == 1
    mine = [each for each in first.data["firing"] if each["rule"] == "too-small"]
    assert [each["message"] for each in mine] == ["documents of handbook is 5, below 10"]
    again = llmops("alerts", "check", "alerts.yaml", "--json")
    assert again.code == 1
    assert "too-small/handbook" not in again.data["fired"]
    listed = llmops("alerts", "list")
    assert "firing" in listed.out
    assert "too-small/handbook" in listed.out
    write(project, mails, bound=3)
    _later(project / ".llmops", 40)
    assert llmops("alerts", "check", "--json").data["resolved"] == []
    _later(project / ".llmops", 40)
    last = llmops("alerts", "check", "--json")
    assert "too-small/handbook" in last.data["resolved"]
    told = [each for each in hook.received if each.path == "/T0KEN"]
    mine = [each.content["data"] for each in told if "too-small" in each.content["data"]["key"]]
    assert [each["kind"] for each in mine] == ["fired", "resolved"]
    assert all(each.is_signed_by(SECRET) for each in told)
    about = [each for each in mails.mails if "too-small" in each["Subject"]]
    assert about[1]["In-Reply-To"] == about[0]["Message-ID"]
    history = llmops("alerts", "list", "--all", "--json").data["alerts"]
    assert ("resolved", "too-small/handbook") in [(each["status"], each["key"]) for each in history]
    assert "T0KEN" not in str(history)
    stored = b"".join(each.read_bytes() for each in (project / ".llmops").glob("ledger.db*"))
    for secret in (b"T0KEN", b"CH4T", SECRET.encode()):
        assert secret not in stored


def _later(home: Path, seconds: float) -> None:
    """The last look was so much earlier."""
    with open_ledger(home).write() as connection:
        for row in connection.execute(select(alerts.c.id, alerts.c.looked_at)).all():
            before = row.looked_at - timedelta(seconds=seconds)
            connection.execute(update(alerts).where(alerts.c.id == row.id).values(looked_at=before))


def test_an_alert_is_muted_by_its_key(project: Path, hook: Receiver, mails: MailServer) -> None:
    llmops("alerts", "check")
    said = llmops("alerts", "mute", "too-small/handbook", "--for", "2h")
    assert said.code == 0
    assert "nobody is told of too-small/handbook until" in said.out
    assert "firing, muted" in llmops("alerts", "list").out
    unknown = llmops("alerts", "mute", "too-smal/handbook", "--for", "2h")
    assert unknown.code == 2
    assert "did you mean too-small/handbook?" in unknown.err
    assert llmops("alerts", "mute", "too-small/handbook", "--for", "soon").code == 2


def test_two_configs_of_alerts_are_one_too_many(project: Path, hook: Receiver) -> None:
    (project / "more.yaml").write_text("flow: alerts\n")
    from llmops.deployments.alerter import alerts_file
    from llmops.deployments.project import Project
    from llmops.tasks.errors import ConfigError

    with pytest.raises(ConfigError, match=r"two configs of alerts: alerts.yaml, more.yaml"):
        alerts_file(Project.at(project))
