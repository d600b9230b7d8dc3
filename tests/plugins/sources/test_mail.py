"""The source `mail`: every mail and attachment once, from every kind of box, and nothing lost by a
broken one.
"""

import gc
import json
import logging
import os
import tracemalloc
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path
from typing import Literal

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import Blocked, DocumentError, TransientDocumentError, UsageError
from llmops.tasks.plugins.parsers import parse
from llmops.tasks.plugins.sources import Raw, walk
from llmops.tasks.plugins.sources.mail import MailSource
from tests.plugins.sources.mails import mail, maildir, mbox

ONE, TWO = mail("1@x", "First", "Text of one."), mail("2@x", "Second", "Text of two.", date=2)


def texts(source: MailSource) -> dict[str, str]:
    """uri -> the text that the parser makes of it."""
    return {
        item.uri: parse(raw.data, item.uri, raw.media_type).text
        for item, raw in walk(source)
        if isinstance(raw, Raw)
    }


def test_the_same_mails_from_every_kind_of_box(tmp_path: Path) -> None:
    (tmp_path / "eml" / "sub").mkdir(parents=True)
    (tmp_path / "eml" / "a.eml").write_bytes(ONE)
    (tmp_path / "eml" / "sub" / "b.eml").write_bytes(TWO.replace(b"\n", b"\r\n"))
    (tmp_path / "eml" / "readme.txt").write_text("no mail")
    mbox(tmp_path / "box", ONE, TWO)
    box = maildir(tmp_path / "md", one__S=ONE)
    maildir(box / ".Sent", two__=TWO, gone__ST=mail("3@x"), draft__D=mail("4@x"))
    (box / "tmp" / "half").write_bytes(ONE[:50])
    for path in ("eml", "box", "md"):
        source = MailSource(path=path).at(tmp_path)
        source.check()
        listing, found = source.list(), texts(source)
        assert (listing.complete, [item.uri for item in listing.items], listing.problems) == (
            True,
            ["1@x", "2@x"],
            [],
        )
        assert found["1@x"].startswith(
            "From: Ann Müller <ann@example.org>\nTo: Bob <bob@example.org>\nDate: "
        )
        assert found["1@x"].endswith("\n\nText of one.")
        assert all(item.size > 100 for item in listing.items)
        raw = source.read(listing.items[0])
        assert (raw.title, dict(raw.metadata)) == (
            "First",
            {
                "from": "Ann Müller <ann@example.org>",
                "to": ["Bob <bob@example.org>"],
                "date": "2024-01-01T09:00:00+00:00",
                "subject": "First",
                "thread": "1@x",
            },
        )
    assert list(texts(MailSource(path="eml/a.eml").at(tmp_path))) == ["1@x"]
    assert list(texts(MailSource(path="md", include=["cur/*"]).at(tmp_path))) == ["1@x"]


def test_lines_that_begin_with_from_do_not_tear_an_mbox(tmp_path: Path) -> None:
    body = (
        "Dear all,\n\nFrom here on it is 10:30.\nNote: more\n\nFrom what I hear\n\n>From "
        "quoted\n\nFrom Mon to Sun 10:00\n\nend"
    )
    mbox(tmp_path / "box", mail("1@x", body=body), TWO)
    source = MailSource(path="box", quotes="keep").at(tmp_path)
    assert texts(source)["1@x"].endswith(body)
    raw = (
        (tmp_path / "box")
        .read_bytes()
        .replace(b">From here", b"From here")
        .replace(b">From what", b"From what")
    )
    (tmp_path / "box").write_bytes(raw)
    assert texts(source)["1@x"].endswith(body)
    assert len(source.list().items) == 2


def test_revisions_follow_the_words_and_not_the_flags(tmp_path: Path) -> None:
    before = {
        item.uri: item
        for item in MailSource(path=str(mbox(tmp_path / "box", ONE, TWO))).list().items
    }
    read = ONE.replace(b"From: ", b"Status: RO\nX-Mozilla-Status: 0001\nFrom: ", 1)
    after = {
        item.uri: item
        for item in MailSource(
            path=str(mbox(tmp_path / "box", read, TWO.replace(b"of two", b"of 2")))
        )
        .list()
        .items
    }
    assert after["1@x"].revision == before["1@x"].revision
    assert after["2@x"].revision != before["2@x"].revision
    with pytest.raises(TransientDocumentError, match=r"changed since it was listed"):
        MailSource(path=str(tmp_path / "box")).read(before["2@x"])
    (tmp_path / "box").unlink()
    with pytest.raises(TransientDocumentError, match="gone now"):
        MailSource(path=str(tmp_path)).read(after["1@x"])


def test_one_mail_in_two_folders_is_one_document_and_two_of_one_id_are_two(tmp_path: Path) -> None:
    listed = ONE.replace(b"From: ", b"Received: by list\nFrom: ", 1)
    another = mail("1@x", body="Another.", files={"a.txt": b"attached"})
    source = MailSource(path=str(maildir(tmp_path / "md", a=ONE, b=listed, c=another)))
    listing = source.list()
    (first, attachment, second) = [item.uri for item in listing.items][:1] + sorted(
        item.uri for item in listing.items[1:]
    )[::-1]
    assert (first, len(second), attachment) == ("1@x", len("1@x#") + 8, f"{second}/a.txt")
    assert (
        source.read(next(item for item in listing.items if item.uri == attachment)).metadata[
            "attached_to"
        ]
        == second
    )
    assert (listing.complete, listing.problems) == (True, [])


def test_attachments_are_documents_of_their_own(tmp_path: Path) -> None:
    inner = mail("inner@x", "Inner", "Inner text.", files={"deep.txt": b"deep content"})
    outer = mail(
        "1@x",
        files={
            "table.csv": b"a,b\n1,2\n",
            "ünicode.txt": "äöü".encode(),
            "table.csv ": b"a,b\n3,4\n",
            "empty.txt": b"",
        },
    )
    forwarded = (
        mail("2@x", body="See below.")
        .rstrip()
        .replace(b'Content-Type: text/plain; charset="utf-8"\n', b"")
    )
    forwarded = (
        forwarded.replace(b"\n\n", b"\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\n", 1)
        + b"\n--B\nContent-Type: message/rfc822\n\n"
        + inner
        + b"\n--B\nContent-Type: application/pgp-signature; name=s.asc\n\nx\n--B--\n"
    )
    source = MailSource(path=str(mbox(tmp_path / "box", outer, forwarded)))
    found = texts(source)
    assert {uri for uri in found if "/" in uri} == {
        "1@x/table.csv",
        "1@x/table (2).csv",
        "1@x/ünicode.txt",
        "2@x/attachment-2.eml",
    }
    assert found["1@x"].endswith("\n\nText.")
    assert found["1@x/ünicode.txt"] == "äöü"
    assert "Inner text." in found["2@x/attachment-2.eml"]
    assert "deep content" in found["2@x/attachment-2.eml"]
    items = {item.uri: item for item in source.list().items}
    assert source.read(items["1@x/table.csv"]).metadata["attached_to"] == "1@x"
    with pytest.raises(DocumentError, match="empty"):
        source.read(items["1@x/empty.txt"])
    assert set(texts(source.model_copy(update={"attachments": False}))) == {"1@x", "2@x"}


def test_threads_are_one_document_with_one_name(tmp_path: Path) -> None:
    answer = mail(
        "2@x", "Re: Plan", "Monday.\n\nOn 1 Jan 2024 Ann wrote:\n> When?", answers="1@x", date=2
    )
    html = "<p>Fine <b>with</b> me</p><blockquote type='cite'>Monday</blockquote>"
    root, late = (
        mail("1@x", "Plan", "When?"),
        mail("3@x", "AW: Plan", "", html=html, answers="1@x 2@x", date=3),
    )
    nameless = mail("4@x", "Re: Plan", "By subject.", date=4)
    other = mail("5@x", "Other", "Alone.", date=5)
    box = tmp_path / "box"
    first = MailSource(path=str(mbox(box, answer, other)), by="thread").list()
    assert [item.uri for item in first.items] == [
        "1@x",
        "5@x",
    ]  # the first mail of the thread is not there, but its name is known
    source = MailSource(path=str(mbox(box, nameless, late, answer, root, other)), by="thread")
    listing = source.list()
    assert [item.uri for item in listing.items] == ["1@x", "5@x"]
    raw = source.read(listing.items[0])
    wanted = [(1, "When?"), (2, "Monday."), (3, "Fine with me"), (4, "By subject.")]
    assert raw.data.decode() == "\n\n".join(
        f"## Ann Müller <ann@example.org> · 2024-01-0{day} 09:00\n\n{text}" for day, text in wanted
    )
    assert (raw.title, raw.metadata["messages"], raw.metadata["last_date"][:10]) == (
        "Plan",
        4,
        "2024-01-04",
    )
    again = MailSource(path=str(mbox(box, nameless, late, answer, root)), by="thread").list()
    assert again.items[0].revision == listing.items[0].revision


def test_broken_boxes_are_told_and_retire_nothing(tmp_path: Path) -> None:
    maildir(tmp_path / "md", a=ONE, b=b"no header at all\n\ntext", c=mail("2@x", body="x" * 9000))
    listing = MailSource(path=str(tmp_path / "md"), max_bytes=5000).list()
    problems = {problem.uri: problem.reason for problem in listing.problems}
    assert set(problems) == {"cur/b", "2@x"}  # too large, but its head says which it is
    assert "max_bytes" in problems["2@x"]
    assert listing.why_incomplete == "cur/b: there is no header field where a mail should begin"
    (tmp_path / "box.mbox").write_bytes(b"\nSubject: x\n\nno mbox\n")
    broken = MailSource(path=str(tmp_path / "box.mbox")).list()
    assert not broken.complete
    assert "line 2 does not begin a mail" in broken.problems[0].reason
    deep = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(5000)
    )
    (tmp_path / "deep.eml").write_bytes(b"Subject: deep\n" + deep)
    listing = MailSource(path=str(tmp_path / "deep.eml")).list()
    assert len(listing.items) + len(listing.problems) == 1


@pytest.mark.parametrize(
    ("charset", "data"),
    [
        ("utf-8", "Grüße".encode()),
        ("latin-1", "Grüße".encode("latin-1")),
        ("x-unknown", "Grüße".encode()),
        ("utf-8", "Grüße, schöne Straße".encode("cp1252")),
        ("us-ascii", "Grüße".encode()),
    ],
)
def test_character_sets_that_are_wrong_or_unknown(
    tmp_path: Path, charset: str, data: bytes
) -> None:
    head = (
        f"Message-ID: <1@x>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nContent-Type: text/plain; "
        f"charset={charset}\n"
    )
    (tmp_path / "a.eml").write_bytes(
        head.encode() + b"Content-Transfer-Encoding: 8bit\n\n" + data + b"\n"
    )
    source = MailSource(path=str(tmp_path))
    (item,) = source.list().items
    assert "Grüße" in texts(source)["1@x"]
    assert source.read(item).title == "Grüße"


def test_mails_without_an_id_are_named_by_their_content(tmp_path: Path) -> None:
    box = mbox(tmp_path / "box", mail("", body="nameless"), ONE)
    (first, second) = MailSource(path=str(box)).list().items
    assert (first.uri, second.uri[:5], len(second.uri)) == ("1@x", "mail-", 21)
    assert (
        MailSource(path=str(mbox(tmp_path / "box", ONE, mail("", body="nameless"))))
        .list()
        .items[1]
        .uri
        == second.uri
    )


def test_what_never_was_what_has_gone_and_bad_options(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        MailSource(path=str(tmp_path / "no")).check()
    with pytest.raises(Blocked, match="is gone"):
        MailSource(path=str(tmp_path / "no")).list()
    (tmp_path / "x.txt").write_text("no mail")
    with pytest.raises(UsageError, match="no mail in"):
        MailSource(path=str(tmp_path)).check()
    with pytest.raises(ValidationError, match="'message' or 'thread'"):
        MailSource(path="x", by="person")


def test_a_long_mbox_is_read_one_mail_at_a_time(tmp_path: Path) -> None:
    """A hundred mails of 50 kB each. Their lines are long, because lines are what takes time."""
    body = "word " * 10 + f"\n{'line ' * 200}" * 50
    box = mbox(tmp_path / "box", *(mail(f"{n}@x", body=body) for n in range(100)))
    usual = gc.get_threshold()
    gc.set_threshold(700, 10, 10)  # Python's own: the tests let more garbage lie
    tracemalloc.start()
    assert len(MailSource(path=str(box)).list().items) == 100
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    gc.set_threshold(*usual)
    assert box.stat().st_size > 4_750_000
    assert peak < 2_000_000


def test_people_stay_out_of_logs_and_messages(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        maildir(
            tmp_path / "md",
            a=mail("1@x", "Salary of Bob"),
            b=mail("1@x", "Salary", body="Other"),
            c=b"ann@example.org Salary\n\n",
        )
        listing = MailSource(path=str(tmp_path / "md")).list()
    said = (
        caplog.text
        + json.dumps([problem.model_dump() for problem in listing.problems])
        + listing.why_incomplete
    )
    assert "ann" not in said
    assert "Salary" not in said


def test_real_mails_of_every_kind_of_trouble() -> None:
    if not os.environ.get("LLMOPS_BENCH_DATA"):
        pytest.skip("LLMOPS_BENCH_DATA is not set: no real mails to read")
    folder = Path(os.environ["LLMOPS_BENCH_DATA"]) / "eml-mail"
    source = MailSource(path=str(folder))
    listing, raws = source.list(), list(walk(source))
    mails = [raw for _, raw in raws if isinstance(raw, Raw) and "attached_to" not in raw.metadata]
    attached = [raw for _, raw in raws if isinstance(raw, Raw) and "attached_to" in raw.metadata]
    broken = [item.uri for item, raw in raws if not isinstance(raw, Raw)]
    assert len(list(folder.rglob("*.eml"))) == 103
    assert (len(mails), [problem.uri.rsplit("/", 1)[1] for problem in listing.problems]) == (
        85,
        ["example13.eml"],
    )
    assert (len(attached), len(broken)) == (19, 1)  # one is cut off
    threads = MailSource(path=str(folder), by="thread", attachments=False)
    assert sum(raw.metadata["messages"] for _, raw in walk(threads) if isinstance(raw, Raw)) == len(
        mails
    )


def parts(name: str, subtype: str, *texts: tuple[str, str]) -> bytes:
    """A mail of several parts, each a text and its kind."""
    made = MIMEMultipart(subtype)
    made["From"], made["Subject"], made["Message-ID"] = "ann@example.org", "Hello", f"<{name}>"
    made["Date"] = "01 Jan 2024 10:00:00 +0100"
    for text, kind in texts:
        made.attach(MIMEText(text, kind))
    return made.as_bytes()


@pytest.mark.parametrize("by", ["message", "thread"])
def test_every_part_of_a_mail_is_read(tmp_path: Path, by: Literal["message", "thread"]) -> None:
    footer = "_" * 40 + "\nTeam mailing list\nhttps://e.org/listinfo/team"
    stub = "Your mail client does not support HTML."
    offer = "<p>The real offer is 42 euros until Friday.</p>"
    mbox(
        tmp_path / "box",
        parts("1@x", "mixed", ("One.", "plain"), ("<p>Two.</p>", "html"), (footer, "plain")),
        parts("2@x", "alternative", (stub, "plain"), (offer, "html")),
        parts("3@x", "mixed", ("Three.", "plain"), ("id,name\n1,Ann", "csv")),
    )
    found = texts(MailSource(path="box", by=by).at(tmp_path))
    assert found["1@x"].endswith("\n\nOne.\n\nTwo.")
    assert found["2@x"].endswith("\n\nThe real offer is 42 euros until Friday.")
    assert "Three.\n\nid" in found["3@x"]
    assert footer in texts(MailSource(path="box", by=by, quotes="keep").at(tmp_path))["1@x"]


def test_an_encrypted_mail_says_so(tmp_path: Path) -> None:
    pgp = "-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----"
    mbox(tmp_path / "box", mail("1@x", body=pgp), mail("2@x", "Re: Hello", "Yes.", answers="1@x"))
    source = MailSource(path="box").at(tmp_path)
    reasons = [str(raw) for _, raw in walk(source) if not isinstance(raw, Raw)]
    assert ["the mail is encrypted" in reason for reason in reasons] == [True]
    thread = texts(MailSource(path="box", by="thread").at(tmp_path))["1@x"]
    assert "Yes." in thread
    assert "PGP" not in thread
