"""Which mails belong together: by what they answer, else by their subject."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from llmops.tasks.plugins.sources.mail.message import Summary, base_subject

LATE = "9999"


def by_thread(mails: Iterable[Summary]) -> Mapping[str, list[Summary]]:
    """root -> its mails, the oldest first. A root is a Message-ID; it stays the same when answers
    are added, also where the first mail of the thread is not there. A mail that answers nothing but
    is called `Re: …` joins the oldest thread of that subject before it."""
    known = {mail.id: mail for mail in sorted(mails, key=lambda mail: (mail.date or LATE, mail.id))}
    above: dict[str, str] = {}
    for mail in known.values():
        chain = [*mail.answers, mail.id]
        for parent, child in pairwise(chain):
            if child not in above and _root(above, parent) != child:
                above[child] = parent
    _by_subject(known, above)
    found: dict[str, list[Summary]] = {}
    for mail in known.values():
        found.setdefault(_root(above, mail.id), []).append(mail)
    return found


def _root(above: Mapping[str, str], one: str) -> str:
    while one in above:
        one = above[one]
    return one


def _by_subject(known: Mapping[str, Summary], above: dict[str, str]) -> None:
    first: dict[str, str] = {}
    for mail in known.values():
        subject, answers = base_subject(mail.subject)
        if (
            answers
            and not mail.answers
            and subject in first
            and _root(above, first[subject]) != mail.id
        ):
            above[mail.id] = first[subject]
        elif subject:
            first.setdefault(subject, mail.id)
