"""What was paid in a month, against the budget of the settings."""

from datetime import datetime

from llmops.configs.settings import settings
from llmops.deployments.shown import Spend
from llmops.tasks.calls.costs import paid_since
from llmops.tasks.ledger import Ledger


def month_spend(ledger: Ledger, at: datetime) -> Spend:
    """Since the month of that time began, by all flows."""
    began = at.date().replace(day=1)
    total, count = paid_since(ledger, began)
    return {
        "month": f"{began:%Y-%m}",
        "usd": round(total, 6),
        "calls": count,
        "budget_usd": settings().monthly_budget_usd,
    }


def over_budget(spent: Spend) -> str:
    """What to say of a month that cost too much; "" for any other."""
    budget = spent["budget_usd"]
    if budget is None or spent["usd"] <= budget:
        return ""
    return f"${spent['usd']:.2f} of ${budget:.2f} are spent"
