"""Mails of mbox files, maildirs and folders of .eml files; their attachments are documents of their
own.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field

from llmops.tasks.errors import Blocked, DocumentError, TransientDocumentError, UsageError
from llmops.tasks.plugins.sources import Item, Problem, Raw, Report, Source
from llmops.tasks.plugins.sources import _local as local
from llmops.tasks.plugins.sources._globs import Choice
from llmops.tasks.plugins.sources.mail import boxes
from llmops.tasks.plugins.sources.mail.message import ParsedMail as Message
from llmops.tasks.plugins.sources.mail.message import (
    Summary,
    base_subject,
    by_thread,
    composed,
)
from llmops.tasks.schemas import sha256
from llmops.tasks.texts.mails import content_of

SHOWN = ("Subject", "From", "To", "Cc", "Date")
READING = 2
"""Raised when the same mail begins to give another text: then mails are read again."""
MAILDIRS = ["**", "**/.*/cur/*", "**/.*/new/*"]
"""Subfolders of a maildir begin with a dot."""


class MailSource(Source):
    """One document per mail, or per thread, and one per attachment. The uri is the Message-ID, of a
    thread that of its first mail.

    `path` is an mbox file, a maildir, a .eml file, or a folder of them (`kind: auto` tells them
    apart). `quotes: strip` leaves out what is quoted from other mails, signatures and footers. An
    equal mail in two folders is one document, a different one of the same Message-ID is called
    `ID#` and a part of its hash. Trash and drafts of a maildir are left out. `include` and
    `exclude` are those of `files`. A mail above `max_bytes` is a problem.
    """

    path: str = Field(min_length=1)
    kind: Literal["auto", "mbox", "maildir", "eml"] = "auto"
    by: Literal["message", "thread"] = "message"
    """Whether a document is one mail, or all mails of a thread."""
    quotes: Literal["strip", "keep"] = "strip"
    attachments: bool = True
    """Whether attachments become documents too."""
    include: list[str] = Field(default_factory=list)
    exclude: list[str] = Field(default_factory=list)
    max_bytes: int = Field(default=50_000_000, gt=0)

    def at(self, folder: Path) -> "MailSource":
        return self.model_copy(update={"path": str(folder / Path(self.path).expanduser())})

    def check(self) -> None:
        """Raise UsageError when there is nothing at `path`, or nothing that is mail."""
        where = "sources: mail: path"
        if not Path(self.path).exists():
            raise UsageError(
                f"{self.path} does not exist",
                where=where,
                hint="check the spelling; a relative path starts at the config file's folder",
            )
        if not any(True for _ in self._files(lambda _: None, [])):
            raise UsageError(
                f"there is no mail in {self.path}",
                where=where,
                hint="an mbox file, a maildir or a folder of .eml files is wanted; files of "
                "other names: set `kind`",
            )

    def scan(self, report: Report) -> str:
        """Report every mail or thread and every attachment. Incomplete where a mail cannot be told
        from its neighbours, or not be named.
        """
        if not Path(self.path).exists():
            raise Blocked(f"{self.path} is gone", hint="put it back, or change the source's path")
        gaps: list[str] = []
        mails: dict[str, Summary] = {}
        letters: dict[str, boxes.Letter] = {}
        for summary, letter in self._mails(report, gaps):
            if (
                summary.id in mails and mails[summary.id].content != summary.content
            ):  # not the same mail in another folder
                summary = summary._replace(id=f"{summary.id}#{summary.content[:8]}")
            if summary.id not in mails:
                mails[summary.id], letters[summary.id] = summary, letter._replace(data=b"")
        for item in self._items(list(mails.values()), letters):
            report(item)
        more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
        return "; ".join(gaps[:3]) + more

    def read(self, item: Item) -> Raw:
        """A mail, a thread or an attachment. Raises DocumentError, TransientDocumentError when its
        file has changed.
        """
        what = json.loads(item.locator)
        mails = [self._again(boxes.MailPlace(*place), digest) for place, digest in what["mails"]]
        if "attachment" in what:
            return self._attachment(mails[0], what["attachment"], item.uri)
        if self.by == "thread":
            return self._thread(mails, item.uri)
        texts = mails[0].words(strip=self.quotes == "strip", flat=False)
        subject = mails[0].field("Subject")
        return Raw(
            data=composed({name: mails[0].field(name) for name in SHOWN}, texts),
            media_type="message/rfc822",
            title=subject or None,
            metadata=mails[0].facts(),
        )

    def _items(self, mails: list[Summary], letters: dict[str, boxes.Letter]) -> Iterator[Item]:
        named = {mail.id: [list(letters[mail.id].place), mail.digest] for mail in mails}
        groups = by_thread(mails) if self.by == "thread" else {mail.id: [mail] for mail in mails}
        for root, group in groups.items():
            revision = (
                group[0].digest
                if len(group) == 1
                else sha256(" ".join(mail.digest for mail in group))
            )
            yield Item(
                uri=root,
                revision=f"{revision}-{self.by}-{self.quotes}-{READING}",
                size=sum(letters[mail.id].size for mail in group),
                locator=json.dumps({"mails": [named[mail.id] for mail in group]}),
            )
        for mail in mails if self.attachments else []:
            for number, (name, size) in enumerate(mail.attachments):
                locator = json.dumps({"mails": [named[mail.id]], "attachment": number})
                yield Item(
                    uri=f"{mail.id}/{name}",
                    revision=f"{mail.digest}-{number}",
                    size=size,
                    locator=locator,
                )

    def _mails(self, report: Report, gaps: list[str]) -> Iterator[tuple[Summary, boxes.Letter]]:
        """Every mail that can be read; what cannot is reported, and named among the gaps where
        nobody knows what it was.
        """
        for path, kind in self._files(report, gaps):
            name = local.printable(path)
            try:
                for number, letter in enumerate(
                    boxes.letters(self._root, path, kind, self.max_bytes), 1
                ):
                    summary = self._summary(
                        letter, f"{name}#{number}" if kind == "mbox" else name, report, gaps
                    )
                    if summary is not None:
                        yield summary, letter
            except (OSError, boxes.NoMbox) as error:
                reason = local.why(error) if isinstance(error, OSError) else str(error)
                gaps.append(f"{name}: {reason}")
                report(
                    Problem(
                        uri=name,
                        reason=reason,
                        error="TransientDocumentError",
                        retryable=isinstance(error, OSError),
                    )
                )

    def _summary(
        self, letter: boxes.Letter, name: str, report: Report, gaps: list[str]
    ) -> Summary | None:
        try:
            summary = Message(letter.data).summary()
        except DocumentError as error:
            gaps.append(f"{name}: {error.reason}")
            report(Problem(uri=name, reason=error.reason))
            return None
        if not letter.whole:
            report(
                Problem(
                    uri=summary.id,
                    reason=local.too_large(letter.size, self.max_bytes).replace(
                        "the file", "the mail"
                    ),
                )
            )
            return None
        return summary

    def _files(self, report: Report, gaps: list[str]) -> Iterator[tuple[str, str]]:
        """Path and kind of every file that holds mails, sorted."""
        entries: list[Item] = []

        def sort(entry: Item | Problem) -> None:
            if isinstance(entry, Item):
                entries.append(entry)
            elif boxes.kind_of(entry.uri, self._root / entry.uri, self.kind):
                gaps.append(f"{entry.uri}: {entry.reason}")
                report(entry)

        single = Path(self.path).is_file()
        walk = local.Walk(self._root, Choice(self.include or MAILDIRS, self.exclude), 1 << 62, sort)
        if single:
            walk.one(Path(self.path).name)
        elif gap := walk.run():
            gaps.append(gap)
        for path in sorted(local.located(entry) for entry in entries):
            kind = boxes.kind_of(path, self._root / path, self.kind) or ("eml" if single else "")
            if kind:
                yield path, kind

    @property
    def _root(self) -> Path:
        return Path(self.path).parent if Path(self.path).is_file() else Path(self.path)

    def _again(self, place: boxes.MailPlace, digest: str) -> Message:
        changed = TransientDocumentError("its file has changed since it was listed")
        try:
            mail = Message(boxes.again(self._root, place))
        except TransientDocumentError:
            raise
        except DocumentError as error:  # something else lies there now
            raise changed from error
        if mail.digest != digest:
            raise changed
        return mail

    def _attachment(self, mail: Message, number: int, uri: str) -> Raw:
        name, part = list(mail.attachments())[number]
        data = content_of(part)
        if not data.strip():
            raise DocumentError("the attachment is empty, or its encoding is broken")
        facts = {
            key: value
            for key, value in mail.facts().items()
            if key in ("from", "date", "subject", "thread")
        }
        return Raw(
            data=data,
            media_type="message/rfc822" if part.get_content_type() == "message/rfc822" else "",
            metadata={**facts, "attached_to": uri.removesuffix(f"/{name}"), "file_name": name},
        )

    def _flat(self, mail: Message, *, alone: bool) -> str:
        """The text of a mail of a thread. An encrypted one keeps none of the others back."""
        try:
            texts = mail.words(strip=self.quotes == "strip", flat=True)
        except DocumentError:
            if alone:
                raise
            return ""
        return "\n\n".join(text.strip() for text, _ in texts)

    def _thread(self, mails: list[Message], root: str) -> Raw:
        sections = []
        for mail in mails:
            text = self._flat(mail, alone=len(mails) == 1)
            head = " · ".join(
                part for part in (mail.field("From"), mail.date[:16].replace("T", " ")) if part
            )
            sections.append(f"## {head}\n\n{text.strip()}")
        first = mails[0]
        people = list(dict.fromkeys(who for mail in mails for who in mail.addresses("From")))
        facts = {
            **first.facts(),
            "thread": root,
            "from": people,
            "messages": len(mails),
            "last_date": max(mail.date for mail in mails),
        }
        facts.pop("to", None)
        facts.pop("cc", None)
        subject = first.field("Subject")
        title = (
            subject
            if len(mails) == 1 or not base_subject(subject)[1]
            else subject.split(":", 1)[1].strip()
        )
        return Raw(
            data="\n\n".join(sections).encode("utf-8", "replace"),
            media_type="text/markdown",
            title=title or None,
            metadata=facts,
        )
