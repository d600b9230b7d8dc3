"""Notices that wait: sent once, tried again while that fails, and never in anybody's way."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from llmops.tasks.alerts import outbox
from llmops.tasks.alerts.condition import Observation
from llmops.tasks.alerts.listing import undelivered
from llmops.tasks.alerts.outbox import deliver
from llmops.tasks.alerts.policy import AlertPolicy, Recipient
from llmops.tasks.alerts.state import take
from llmops.tasks.errors import ConfigError, Mistake, Unavailable
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins.senders import Later, Notice, Sender
from tests.alerts.looks import MINUTE, NOON, House, KeepingSender, wrong

HOUR = timedelta(hours=1)
DOWN = Unavailable("the server does not answer")
NEVER = ConfigError([Mistake("the address is wrong")])


class HangingSender(Sender):
    """Answers when it is let go."""

    def send(self, notice: Notice) -> None:
        LET_GO.wait(30)
        HEARD.append(notice.id)


LET_GO, HEARD = threading.Event(), list[str]()


def tried(house: House, minutes: int) -> list[int]:
    """The minutes after the first at which there was an attempt."""
    attempts: list[int] = []
    before = house.outbox[0].attempts
    for minute in range(1, minutes + 1):
        house.delivered = deliver(house.home, {"me": house.sender}, house.at)
        house.at += MINUTE
        if house.outbox[0].attempts > before:
            attempts, before = [*attempts, minute], house.outbox[0].attempts
    return attempts


def test_a_sender_that_fails_is_tried_again_after_growing_pauses(home: Path) -> None:
    house = House(home)
    house.sender.fail(*[DOWN] * 7)
    house.look(wrong())
    assert house.delivered.problems == ("me: the server does not answer",)
    attempts = tried(house, 200)
    pauses = [later - sooner for sooner, later in zip([0, *attempts], attempts, strict=False)]
    for pause, wanted in zip(pauses, (1, 2, 4, 8, 16, 32, 60), strict=False):
        assert 0.8 * wanted - 1 <= pause <= 1.2 * wanted + 1
    assert house.sender.sent == [("fired", "warning")]
    assert house.outbox[0].status == "sent"
    assert house.outbox[0].error == ""


def test_the_pause_is_as_long_as_the_other_side_wants(home: Path) -> None:
    house = House(home)
    house.sender.fail(Later("too many", after=1800))
    house.look(wrong())
    assert tried(house, 40) == [30]


@pytest.mark.parametrize("after", [1e300, float("inf"), -1e300, float("nan")])
def test_nobody_can_ask_for_a_pause_that_is_none(home: Path, after: float) -> None:
    house = House(home)
    house.sender.fail(Later("too many", after=after))
    house.look(wrong())
    assert house.delivered.failed == 1
    due = house.outbox[0].due_at - NOON
    assert MINUTE * 0.8 <= due <= 24 * HOUR


def test_a_notice_that_never_goes_is_dead_after_two_days_and_others_hear_of_it(home: Path) -> None:
    senders = (Recipient(sender="me"), Recipient(sender="ill"))
    policy = AlertPolicy(recipients=senders)
    well, ill = KeepingSender(), KeepingSender()
    ill.fail(*[DOWN] * 100)
    take(home, Observation(conditions=(wrong(),)), policy, NOON)
    for hours in range(73):
        deliver(home, {"me": well, "ill": ill}, NOON + hours * HOUR)
    [notice] = undelivered(home, NOON + 72 * HOUR)
    assert (notice.sender, notice.dead, notice.error) == ("ill", True, DOWN.message)
    assert 20 <= notice.attempts <= 60
    assert abs((notice.due_at - NOON) - 48 * HOUR) <= 3 * HOUR
    other = Observation(conditions=(wrong(), wrong("store-down")))
    take(home, other, policy, NOON + 73 * HOUR)
    deliver(home, {"me": well}, NOON + 73 * HOUR)
    assert well.notices[-1].note == "never arrived in the last week: 1 by ill"
    assert [each.rule for each in well.notices] == ["flow-failed", "store-down"]


def test_what_can_never_be_sent_is_not_tried_again(home: Path) -> None:
    house = House(home)
    house.sender.fail(NEVER)
    house.look(wrong())
    assert house.delivered.dead == 1
    assert tried(house, 100) == []
    assert undelivered(home, house.at)[0].dead
    house.look(times=3)
    assert house.sender.sent == []


def test_a_recovery_overtakes_what_was_never_sent(home: Path) -> None:
    house = House(home)
    house.sender.fail(*[DOWN] * 4)
    house.look(wrong("disk-low"), wrong("store-down", "critical"))
    house.look(times=4)
    house.look(times=120)
    assert [(each.rule, each.kind) for each in house.sender.notices] == [
        ("store-down", "fired"),
        ("store-down", "resolved"),
    ]
    assert [each.status for each in house.outbox if each.content.rule == "disk-low"] == ["dropped"]


def test_one_sender_delays_no_other(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    LET_GO.clear()
    HEARD.clear()
    policy = AlertPolicy(recipients=(Recipient(sender="hangs"), Recipient(sender="me")))
    me, hangs = KeepingSender(), HangingSender()
    take(home, Observation(conditions=(wrong(),)), policy, NOON)
    delivered = deliver(home, {"hangs": hangs, "me": me}, NOON, seconds=0.2)
    assert me.sent == [("fired", "warning")]
    assert (delivered.sent, delivered.failed) == (1, 1)
    assert any("took longer than 0.2 s" in each for each in delivered.problems)
    again = deliver(home, {"hangs": hangs, "me": me}, NOON + 10 * MINUTE, seconds=0.2)
    assert again.problems == ("hangs: still hangs",)
    LET_GO.set()
    outbox.SENDING[home, "hangs"].join(10)
    third = deliver(home, {"hangs": hangs, "me": me}, NOON + 20 * MINUTE)
    assert third.sent == 0  # it arrived at last, and that was written down
    assert len(HEARD) == 1


def test_a_plugin_that_raises_anything_is_a_sender_that_fails(home: Path) -> None:
    house = House(home)
    house.sender.fail(RuntimeError("token=s3cret"))
    house.look(wrong())
    assert house.delivered.problems == ("me: RuntimeError in the sender",)
    assert "s3cret" not in str(house.outbox)
    house.look(wrong(), times=2)
    assert house.sender.sent == [("fired", "warning")]


def test_no_secret_of_a_sender_gets_into_the_ledger(home: Path) -> None:
    class TellingSender(KeepingSender):
        """Says its password in its errors."""

        password: SecretStr

        def send(self, notice: Notice) -> None:
            raise Unavailable(f"login as me:{self.password.get_secret_value()} failed", hint="hm")

    house = House(home)
    house.sender = TellingSender(password=SecretStr("pa55word"))
    house.look(wrong())
    assert house.delivered.problems == ("me: login as me:… failed (hm)",)
    assert b"pa55word" not in b"".join(each.read_bytes() for each in home.glob("ledger.db*"))


def test_nobody_sends_what_somebody_sends(home: Path) -> None:
    house = House(home)
    take(home, Observation(conditions=(wrong(),)), house.policy, NOON)
    first = outbox.claim(open_ledger(home), "me", NOON)
    assert first is not None
    assert outbox.claim(open_ledger(home), "me", NOON + MINUTE) is None
    # whoever had it is dead: it may have been sent, and is sent once more with the same id
    again = outbox.claim(open_ledger(home), "me", NOON + outbox.LEASE)
    assert again is not None
    assert (again.id, again.content.id) == (first.id, first.id)
    assert again.attempts == 2


def test_what_may_have_been_sent_is_followed_by_its_recovery(home: Path) -> None:
    house = House(home)
    take(home, Observation(conditions=(wrong(),)), house.policy, NOON)
    outbox.claim(open_ledger(home), "me", NOON)  # and its process died
    house.at = NOON + MINUTE
    house.look(times=3)
    assert house.sender.sent == []
    house.look(times=5)
    assert [kind for kind, _ in house.sender.sent] == ["fired", "resolved"]


def test_of_two_who_look_the_one_that_began_sooner_sends_nothing_twice(home: Path) -> None:
    house = House(home)
    take(home, Observation(conditions=(wrong(),)), house.policy, NOON)
    assert outbox.claim(open_ledger(home), "me", NOON + MINUTE) is not None
    assert outbox.claim(open_ledger(home), "me", NOON) is None


@pytest.mark.parametrize("back", [HOUR, 400 * 24 * HOUR])
def test_a_clock_that_is_set_back_holds_no_notice_back(home: Path, back: timedelta) -> None:
    house = House(home)
    house.sender.fail(DOWN)
    house.look(wrong())
    house.at -= back
    house.look(wrong(), times=3)
    assert house.sender.sent == [("fired", "warning")]


def test_a_ledger_that_cannot_be_used_stops_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LLMOPS_LEDGER_URL", raising=False)
    (tmp_path / "ledger.db").write_bytes(b"no database at all, " * 200)
    delivered = deliver(tmp_path, {"me": KeepingSender()}, NOON)
    assert "damaged" in delivered.problems[0]
