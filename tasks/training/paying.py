"""What a training may cost, and what it has cost: budgets before, payments once."""

from pathlib import Path

from sqlalchemy import select

from llmops.tasks.calls.costs import CostEntry, Payer, book, paid_since
from llmops.tasks.errors import ConfigError, Mistake
from llmops.tasks.ledger import now, open_ledger, upsert
from llmops.tasks.ledger.tables import calls
from llmops.tasks.plugins.trainers import Payment, TrainingCost
from llmops.tasks.schemas import sha256
from llmops.tasks.training.spec import TrainSpec


def too_much(home: Path, spec: TrainSpec, forecast: TrainingCost | None) -> str:
    """Why a budget does not allow it; empty where all do. Raises ConfigError where one is to be
    kept and nobody knows the price.
    """
    if forecast is None or (spec.budget_usd is None and spec.month_usd is None):
        return ""
    cost = forecast.cost_usd
    if cost is None:
        where = "budget.usd" if spec.budget_usd is not None else "LLMOPS_MONTHLY_BUDGET_USD"
        said = f"the price of the training is not known, so {where} cannot be kept"
        hint = "give price_per_million: US dollars per million tokens that are trained on"
        raise ConfigError([Mistake(said, "train.price_per_million", hint)])
    told = f"the training may cost ${cost:.4f} ({forecast.tokens:,} tokens), and"
    if spec.budget_usd is not None and cost > spec.budget_usd:
        return f"{told} the budget is ${spec.budget_usd:g}"
    if spec.month_usd is not None and cost > 0:
        paid = paid_this_month(home)
        if paid + cost > spec.month_usd:
            return f"{told} of the ${spec.month_usd:g} of this month ${paid:.4f} are paid"
    return ""


def paid_this_month(home: Path) -> float:
    """US dollars since the month began, in UTC."""
    return paid_since(open_ledger(home), now().date().replace(day=1))[0]


def write_payment(home: Path, payment: Payment, name: str, model: str) -> bool:
    """Among the paid calls of the ledger, once, however often it is told; `name`: of the config.
    Returns whether it is new.
    """
    key = sha256(f"training/{payment.key}")
    row = {
        "key": key,
        "owner": "",
        "reply": "",
        "tokens": payment.tokens,
        "cost_usd": payment.cost_usd,
        "created_at": now(),
        "detail": {},
    }
    with open_ledger(home).write() as connection:
        if connection.execute(select(calls.c.key).where(calls.c.key == key)).first():
            return False
        upsert(connection, calls, [row])
        entry = CostEntry(Payer("train", name), model, *payment[1:])
        book(connection, [entry])
    return True
