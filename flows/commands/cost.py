"""`llmops cost`: what was paid, by flow, config, model and day."""

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import home
from llmops.flows.console import Answer, command

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.calls.costs import DayCost

app = typer.Typer()
SHARES = ("day", "month", "flow", "name", "model")
DAYS = 30
ADD = (
    "to count them from now on: price_in and price_out of the llm (USD per million tokens), a "
    "table of `prices`, or price_per_million of an embedder or a trainer"
)


@command(app, "cost")
def cost(
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by",
            help="A row for each: day, month, flow, name, model; several with commas, or by more "
            "options.  [default: flow,name,model]",
        ),
    ] = None,
    since: Annotated[
        str, typer.Option("--since", help="From this day on (UTC); default: the last 30 days.")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Until this day, which is included.")] = "",
) -> Answer:
    """Show what was paid to models and embedders, by all flows: from the ledger, which notes every
    request that was paid, also one whose reply could not be used.
    """
    from datetime import timedelta

    from llmops.tasks.calls.costs import booked
    from llmops.tasks.ledger import existing_ledger, now

    shares = _shares(",".join(["flow,name,model"] if by is None else by))
    end = _day("--until", until) if until else now().date()
    begin = _day("--since", since) if since else end - timedelta(days=DAYS - 1)
    told = {
        "since": f"{begin}",
        "until": f"{end}",
        "by": list(shares),
        **_told(booked(existing_ledger(home()), begin, end), shares),
    }
    columns = [*shares, "calls", "tokens", "cost_usd", *(["unpriced"] if told["unpriced"] else [])]
    return Answer(told, lambda console: _drawn(console, told, columns))


def _told(rows: "list[DayCost]", shares: tuple[str, ...]) -> draw.Facts:
    """Rows, sums, and the models whose price nobody knew."""
    from llmops.tasks.calls.costs import summed

    if "month" in shares:
        rows = [row._replace(day=row.day[:7]) for row in rows]
    keys = {"day" if share == "month" else share for share in shares}
    table = [
        {share: getattr(row, "day" if share == "month" else share) for share in shares}
        | {"calls": row.calls, "tokens": row.tokens, "cost_usd": round(row.cost_usd, 6)}
        | {"unpriced": row.unpriced}
        for row in summed(rows, keys)
    ]
    return {
        "rows": table,
        "calls": sum(row.calls for row in rows),
        "tokens": sum(row.tokens for row in rows),
        "cost_usd": round(sum(row.cost_usd for row in rows), 6),
        "unpriced": [
            {"model": row.model, "calls": row.unpriced, "tokens": row.unpriced_tokens}
            for row in summed(rows, ("model",))
            if row.unpriced
        ],
    }


def _shares(by: str) -> tuple[str, ...]:
    from llmops.tasks.errors import UsageError

    shares = tuple(dict.fromkeys(each.strip() for each in by.split(",") if each.strip()))
    wrong = [each for each in shares if each not in SHARES]
    if wrong or not shares or {"day", "month"} <= set(shares):
        raise UsageError(
            f"got --by {by!r}", hint=f"some of {', '.join(SHARES)}; day or month, not both"
        )
    return shares


def _day(option: str, text: str) -> date:
    from llmops.tasks.errors import UsageError

    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"got {option} {text!r}", hint="a day is wanted, such as 2026-11-29"
        ) from error


def _drawn(console: "Console", told: draw.Facts, columns: list[str]) -> None:
    draw.table("rows", columns, empty="Nothing was paid.")(console, told)
    if told["rows"]:
        console.print(
            f"${told['cost_usd']:.4f} from {told['since']} to {told['until']} (UTC), "
            f"{told['calls']:,} requests, {told['tokens']:,} tokens",
            markup=False,
        )
    for each in told["unpriced"]:
        console.print(
            f"  unpriced    {draw.printable(each['model'] or 'a model without a name')}: "
            f"{each['calls']:,} requests, {each['tokens']:,} tokens are not in the sum: nobody "
            "knew their price",
            markup=False,
        )
    if told["unpriced"]:
        console.print(f"  {ADD}", markup=False, soft_wrap=True)
