"""`llmops alerts …`: what is wrong now, who was told of it, and whether telling works."""

import sys
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import home
from llmops.flows.console import Answer, answer, command, line

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.alerts.listing import Undelivered
    from llmops.tasks.alerts.looking import LookResult
    from llmops.tasks.alerts.record import AlertRecord

app = typer.Typer(
    name="alerts",
    no_args_is_help=True,
    help="What is wrong now, who was told of it, and whether telling works.",
)
Project = Annotated[
    Path | None,
    typer.Argument(
        metavar="CONFIG",
        help="A config with `flow: alerts`, or the folder of a project; default: this folder.",
    ),
]
Given = Annotated[Path, typer.Argument(metavar="CONFIG", help="A config with `flow: alerts`.")]
SHOWN = ["status", "severity", "key", "since", "why"]


@command(app, "list")
def list_(
    history: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
) -> Answer:
    """List alerts, the firing ones first, and the notices that did not arrive."""
    from llmops.tasks.alerts.listing import listed, undelivered
    from llmops.tasks.ledger import now

    data = {
        "alerts": [_facts(each) for each in listed(home(), history=history)],
        "undelivered": [_missed(each) for each in undelivered(home(), now())],
    }
    return answer(data, _listed)


@command(app, "check")
def check(config: Project = None) -> Answer:
    """Look once, and send what is due: exit 0 where nothing is wrong, 1 where an alert fires."""
    from llmops.deployments.alerting.watching import alerter_of
    from llmops.tasks.alerts.listing import listed

    looked = alerter_of(home(), *_project(config)).look(once=True)
    firing = [each for each in listed(home()) if each.status in ("firing", "clearing")]
    data = {
        "firing": [_facts(each) for each in firing],
        **_changes(looked),
        "problems": list(looked.problems),
    }
    return answer(data, _checked, 1 if firing else 0)


@command(app, "test")
def test(config: Given) -> Answer:
    """Send a test by each sender, and say whether it arrived: exit 1 where one fails."""
    from llmops.deployments.alerter import alert_plan
    from llmops.tasks.alerts.direct import send_all
    from llmops.tasks.ledger import now
    from llmops.tasks.plugins import digest
    from llmops.tasks.plugins.senders import Notice

    plan, _ = alert_plan(home(), config)
    at = now()
    notice = Notice(
        id=digest("test", at.isoformat()),
        kind="test",
        key="test/senders",
        rule="test",
        subject="this is a test",
        severity="info",
        message="Nothing is wrong: somebody tries whether alerts arrive here.",
        began_at=at,
        at=at,
        project=plan.policy.project,
    )
    said = send_all(plan.senders, notice)
    rows = [{"sender": name, "sent": not problem, "why": problem} for name, problem in said.items()]
    shown = draw.table("senders", ["sender", "sent", "why"], empty="There is no sender.")
    return answer({"senders": rows}, shown, 1 if any(said.values()) else 0)


@command(app, "mute")
def mute(
    name: Annotated[
        str,
        typer.Argument(
            metavar="KEY|RULE", help="A key of `llmops alerts list`, or a rule: all that it finds."
        ),
    ],
    span: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 1d; 0s ends it.")],
) -> Answer:
    """Tell nobody of an alert or a rule for a while; it goes on being watched and listed."""
    from llmops.configs.spans import span_of
    from llmops.deployments.alerter import rule_names
    from llmops.tasks.alerts.muting import mute as muted
    from llmops.tasks.errors import UsageError
    from llmops.tasks.ledger import now

    try:
        at = now()
        until = at + span_of(span)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"got --for {span!r}", hint=str(error)) from error
    silent = muted(home(), name, until, at, rule_names(home()))
    data = {
        "name": name,
        "muted_until": until.isoformat(),
        "alerts": [_facts(each) for each in silent.alerts],
    }
    return answer(data, line(f"nobody is told of {name} until {_time(until)}"))


@command(app, "watch")
def watch(config: Project = None) -> Answer:
    """Look again and again, until Ctrl-C; `llmops up` does the same for its project."""
    from llmops.deployments.alerting.watching import alerter_of, watch

    alerter = alerter_of(home(), *_project(config))
    try:
        watch(alerter, threading.Event(), _say if "--quiet" not in sys.argv else _nothing)
    except KeyboardInterrupt:
        alerter.end()  # in order: nobody misses it
    raise typer.Exit(0)


def _project(config: Path | None) -> tuple[Path, Path | None]:
    """The folder of the project that is looked at, and the config, where one was named."""
    given = (config or Path()).absolute()
    return (given, None) if given.is_dir() else (given.parent, given)


def _nothing(_looked: "LookResult") -> None:
    return


def _say(looked: "LookResult") -> None:
    """What a look changed, and what went wrong with it: a line each."""
    changed = [("fired", each) for each in looked.taken.fired]
    changed += [("over", each) for each in looked.taken.resolved]
    told = [f"{verb:<8} {each.severity:<8} {each.key}: {each.message}" for verb, each in changed]
    for each in (*told, *(f"problem  {each}" for each in looked.problems)):
        sys.stdout.write(f"{_time(_now())}  {draw.printable(each)}\n")
    sys.stdout.flush()


def _now() -> datetime:
    from llmops.tasks.ledger import now

    return now()


def _facts(alert: "AlertRecord") -> dict[str, object]:
    hidden = {"id", "lasted_seconds", "looked_at"}
    muted = alert.resolved_at is None and alert.muted(_now())
    return {"status": alert.status, "muted": muted, **alert.model_dump(mode="json", exclude=hidden)}


def _missed(each: "Undelivered") -> dict[str, object]:
    return each.model_dump(mode="json")


def _changes(looked: "LookResult") -> dict[str, object]:
    return {
        "fired": [each.key for each in looked.taken.fired],
        "resolved": [each.key for each in looked.taken.resolved],
        "sent": looked.delivered.sent,
        "failed": looked.delivered.failed + looked.delivered.dead,
    }


def _listed(console: "Console", data: "Mapping[str, object]") -> None:
    _alerts(console, data["alerts"], "Nothing is wrong.")
    missed = data["undelivered"]
    for each in missed if isinstance(missed, list) else ():
        end = "never arrived" if each["dead"] else f"is tried again {_time(each['due_at'])}"
        told = f"! {each['sender']}: {each['kind']} {each['key']} {end}: {each['error']}"
        console.print(draw.printable(told), markup=False, style="red")


def _checked(console: "Console", data: "Mapping[str, object]") -> None:
    _alerts(console, data["firing"], "Nothing is wrong.")
    problems = data["problems"]
    for each in problems if isinstance(problems, list) else ():
        console.print(draw.printable(f"  note        {each}"), markup=False)
    if data["sent"] or data["failed"]:
        console.print(f"  notices     {data['sent']} sent, {data['failed']} failed", markup=False)


def _alerts(console: "Console", alerts: object, empty: str) -> None:
    rows = [
        {
            **each,
            "status": f"{each['status']}{', muted' if each['muted'] else ''}",
            "since": _time(each["began_at"]),
            "why": each["message"],
        }
        for each in (alerts if isinstance(alerts, list) else ())
    ]
    draw.rows(console, rows, SHOWN, empty=empty)


def _time(moment: object) -> str:
    """In the time zone of this machine."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return f"{at.astimezone():%Y-%m-%d %H:%M}" if isinstance(at, datetime) else ""
