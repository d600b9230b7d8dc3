"""`llmops keys …`: who may use the served application."""

from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import home
from llmops.flows.console import Answer, answer, command, line

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.access.keys import ApiKey

app = typer.Typer(
    name="keys",
    no_args_is_help=True,
    help="Keys of the served application: who may do what, spend how much, and how fast.",
)
SHOWN = [
    "id",
    "name",
    "state",
    "role",
    "scopes",
    "labels",
    "usd_per_month",
    "spent_usd",
    "requests",
]


@command(app, "create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who will use it.")],
    scopes: Annotated[
        str, typer.Option("--scopes", help="Any of ask, search, feedback, admin; with commas.")
    ] = "ask,search,feedback",
    role: Annotated[
        str, typer.Option("--role", help="viewer, reviewer, editor or operator.")
    ] = "viewer",
    labels: Annotated[
        str,
        typer.Option(
            "--labels", help="Access labels of documents that may be seen beside public ones."
        ),
    ] = "",
    usd_per_month: Annotated[
        float | None,
        typer.Option(
            "--usd-per-month", help="What a calendar month (UTC) may cost. Default: no limit."
        ),
    ] = None,
    requests_per_minute: Annotated[
        int | None,
        typer.Option("--requests-per-minute", help="Default: what the application allows."),
    ] = None,
) -> Answer:
    """Make a key. It is shown once: only a hash of it is kept."""
    from llmops.tasks.access import keys

    key, presented = keys.create(
        home(), name, _listed(scopes), role, _listed(labels), usd_per_month, requests_per_minute
    )
    return answer(
        {"name": key.name, "key": presented, **_facts(key)},
        line(f"{presented}\n  the key {name}: it is shown this once; only a hash of it is kept"),
    )


@command(app, "list")
def list_() -> Answer:
    """List the keys, without their secrets: what each may do, and has spent this month."""
    from llmops.tasks.access import keys, spending
    from llmops.tasks.ledger import now

    at = now()
    used = spending.of_month(home(), spending.month_of(at))
    rows = [
        {
            "name": key.name,
            **_facts(key),
            "spent_usd": (of_key := used.get(key.id, spending.Used())).cost_usd,
            "tokens": of_key.tokens,
            "requests": of_key.requests,
        }
        for key in keys.listed(home())
    ]
    month, resets = spending.month_of(at), spending.resets_at(at).isoformat()
    return Answer(
        {"keys": rows, "month": month, "resets_at": resets}, lambda console: _drawn(console, rows)
    )


@command(app, "revoke")
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The key's name, or its id.")],
) -> Answer:
    """End a key: within a second, nothing accepts it any more."""
    from llmops.tasks.access import keys

    key = keys.revoke(home(), name)
    said = f"{key.name} ({key.id}) is revoked since {key.revoked_at:%Y-%m-%d %H:%M:%S} UTC"
    return answer({"name": key.name, **_facts(key)}, line(said))


def _drawn(console: "Console", keys: "list[dict[str, object]]") -> None:
    rows = [
        {
            name: ", ".join(map(str, value)) if isinstance(value, list) else value
            for name, value in key.items()
        }
        for key in keys
    ]
    draw.rows(console, rows, SHOWN, empty="There are no keys: llmops keys create NAME")


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _facts(key: "ApiKey") -> dict[str, object]:
    return {
        "id": key.id,
        "state": "active" if key.revoked_at is None else "revoked",
        "role": key.role,
        "scopes": sorted(key.scopes),
        "labels": sorted(key.labels),
        "usd_per_month": key.usd_per_month,
        "requests_per_minute": key.requests_per_minute,
        "created_at": key.created_at.isoformat(),
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }
