"""Whether the audit log is whole: nothing altered, removed, inserted or cut off; and whether that
is live which it says.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, RowMapping, select

from llmops.tasks.audit import head
from llmops.tasks.ledger import chain, existing_ledger
from llmops.tasks.ledger.application import audit
from llmops.tasks.ledger.chain import Head
from llmops.tasks.ledger.tables import knowledge_bases

NAMED = 20
MOVES = ("publish", "rollback", "repair", "import", "drop")
KB = "kb/"
AT_ONCE = 1_000
MISSING = (
    "{file} is not there: entries that were cut off together with what the ledger says of the last "
    "one would not be missed. It is written with the next entry; or give --expect"
)


class AuditProblem(BaseModel):
    """An entry, present or missing, and what is wrong with it."""

    model_config = ConfigDict(frozen=True)
    number: int
    what: str


class AuditCheck(BaseModel):
    """`problems`: in the order of the log, the first NAMED; `wrong`: how many there are. `head`: of
    the last entry, as `--expect` takes it later.
    """

    model_config = ConfigDict(frozen=True)
    ok: bool
    entries: int
    head: str
    wrong: int
    problems: list[AuditProblem]
    notes: list[str]


def verify(home: Path, expected: Head | None = None) -> AuditCheck:
    """Compute every hash again. `expected`: the head that somebody noted down earlier."""
    kept = head.remembered(home)  # before the ledger is looked at: it never goes ahead of it
    witnesses = {head.file_of(home).name: kept, "--expect": expected}
    problems: list[AuditProblem] = []
    last, entries, live = Head(0, chain.START), 0, dict[str, tuple[str, int]]()
    wanted = {witness.number: "" for witness in witnesses.values() if witness}
    ledger = existing_ledger(home)
    with ledger.read() as connection:
        said = chain.head_of(connection)
        rows = connection.execute(select(audit).order_by(audit.c.number)).yield_per(AT_ONCE)
        for row in rows.mappings():
            problems += _entry(row, last)
            last, entries = Head(row["number"], row["hash"]), entries + 1
            if last.number in wanted:
                wanted[last.number] = last.hash
            live |= _live_after(row)
        problems += _moved(connection, live)
    if ledger.home is not None:
        problems += _end(said, last)
    for name, witness in witnesses.items():
        problems += _witness(name, witness, wanted)
    ordered = sorted(problems, key=lambda problem: problem.number)
    return AuditCheck(
        ok=not problems,
        entries=entries,
        head=str(last),
        wrong=len(problems),
        problems=ordered[:NAMED],
        notes=[MISSING.format(file=head.file_of(home))] if kept is None and entries > 1 else [],
    )


def _entry(row: RowMapping, last: Head) -> Iterator[AuditProblem]:
    number = int(row["number"])
    if number < 1:
        yield AuditProblem(number=number, what="was inserted: the first entry has number 1")
        return
    if number > last.number + 1:
        yield AuditProblem(number=last.number + 1, what=_removed(last.number + 1, number - 1))
    if chain.seal(row) != row["hash"]:
        yield AuditProblem(number=number, what="was altered: its hash is not that of what it says")
    elif number == last.number + 1 and row["previous"] != last.hash:
        what = f"does not follow entry {last.number}: one of the two was altered or inserted"
        yield AuditProblem(number=number, what=what)


def _live_after(row: RowMapping) -> dict[str, tuple[str, int]]:
    """name of a knowledge base -> the version that an entry makes live, and the entry's number."""
    if row["action"] == chain.BEGUN:
        there = [each.rpartition("@") for each in row["after"].split(", ") if each]
        return {name: (version, row["number"]) for name, _, version in there}
    if row["action"] in MOVES:
        return {row["subject"].removeprefix(KB): (row["after"], row["number"])}
    return {}


def _moved(connection: Connection, live: Mapping[str, tuple[str, int]]) -> Iterator[AuditProblem]:
    """Knowledge bases whose live version no entry has made live."""
    query = select(knowledge_bases.c.name, knowledge_bases.c.live)
    there = {row.name: str(row.live or "") for row in connection.execute(query)}
    for name in sorted({*live, *there}):
        said, number = live.get(name, ("", 0))
        now = there.get(name, "")
        if said != now:
            what = f"{name!r} is live at {now or 'no version'}, and by the log at {said or 'none'}"
            yield AuditProblem(number=number, what=f"is not the last word: {what}")


def _removed(first: int, last: int) -> str:
    return "was removed" if first == last else f"was removed, and all up to {last}"


def _end(said: Head | None, last: Head) -> Iterator[AuditProblem]:
    """What the ledger says of its last entry against the last one that is there."""
    if last.number == 0 and (said is None or said.number == 0):
        yield AuditProblem(number=1, what="was removed: every home has it")
    elif said is None:
        what = "should be the last one: the ledger's own word of that was removed or altered"
        yield AuditProblem(number=last.number, what=what)
    elif said.number > last.number:
        what = _removed(last.number + 1, said.number)
        yield AuditProblem(number=last.number + 1, what=f"{what}: the log was cut off")
    elif said.number < last.number:
        what = f"was inserted: the ledger says that entry {said.number} is the last one"
        yield AuditProblem(number=said.number + 1, what=what)
    elif said.hash != last.hash:
        what = "is not the entry that the ledger says was written last"
        yield AuditProblem(number=last.number, what=what)


def _witness(name: str, witness: Head | None, there: Mapping[int, str]) -> Iterator[AuditProblem]:
    """What a file, or a person, remembers of an entry against what stands there now."""
    if witness is None or there[witness.number] == witness.hash:
        return
    if there[witness.number]:
        yield AuditProblem(number=witness.number, what=f"is another one than {name} remembers")
    else:
        what = f"was removed: {name} remembers it; the log was cut off"
        yield AuditProblem(number=witness.number, what=what)
