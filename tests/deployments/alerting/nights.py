"""A project, its nights, and an alerter that looks at it, over days that pass in seconds. Each
night is a process of its own, and what it wrote down is moved to the time that it stands for.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from llmops.deployments.alerting.alerter import AlertSetup, HouseAlerter
from llmops.deployments.alerting.house import HouseWatch
from llmops.deployments.alerting.stores import StoresWatch, readable
from llmops.tasks.alerts.looking import AlertPlan
from llmops.tasks.alerts.policy import AlertPolicy, Recipient
from llmops.tasks.ledger import close_ledgers, open_ledger
from llmops.tasks.ledger.tables import leases, listings, runs
from llmops.tasks.plugins.senders.webhook import WebhookSender
from llmops.tasks.yaml_files import write_yaml
from tests import forks
from tests.commandline import Said, environment, llmops
from tests.laboratory import Laboratory

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TIMES = (
    (runs, runs.c.finished_at),
    (listings, listings.c.completed_at),
    (leases, leases.c.acquired_at),
)
WORDS = ("archive", "borrow", "catalogue", "desk", "evening", "folio", "gallery", "history")


class Nights:
    """`at`: the time, by the wall clock as the alerter reads it; `servers`: those of the nights."""

    def __init__(
        self, lab: Laboratory, webhook: str, model: str, servers: Mapping[str, str]
    ) -> None:
        self.lab, self.webhook, self.model, self.servers = lab, webhook, model, servers
        today = datetime.now(UTC).replace(hour=2, minute=57, second=0, microsecond=0)
        self.at = self.first = today + DAY
        self.up_seconds = 10_000.0
        self._project()
        self.alerter = self.start_alerter()

    def _project(self) -> None:
        folder = self.lab.folder
        for number in range(6):
            self.document(number, 40)
        self.lab.config(embed="hash", limits={"max_delete_fraction": 0.3})
        cases = [
            {"id": str(n), "inputs": {"question": f"question {n}"}, "expected": {"answer": "yes"}}
            for n in range(4)
        ]
        (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
        self.prompt("plain", "{{question}}")
        self.prompt("better", "Be brief. {{question}}")
        llm = {"name": "openai", "model": "local", "base_url": self.model}
        evaluate = {
            "flow": "evaluate",
            "name": "desk",
            "cases": "cases.jsonl",
            "arms": {
                arm: {"prompt": f"{prompt}.yaml", "llm": {**llm, "price_in": 1, "price_out": 2}}
                for arm, prompt in (("baseline", "plain"), ("candidate", "better"))
            },
            "scorers": ["exact_match"],
            "decide": {"metric": "exact_match"},
        }
        (folder / "evaluate.yaml").write_text(write_yaml(evaluate))
        night = {
            "flow": "nightly",
            "name": "night",
            "index": ["lab.yaml"],
            "evaluate": ["evaluate.yaml"],
            "schedule": {"cron": "0 3 * * *", "timezone": "UTC"},
        }
        (folder / "night.yaml").write_text(write_yaml(night))

    def document(self, number: int, sentences: int) -> None:
        text = " ".join(
            f"The {WORDS[(n + number) % 8]} of room {number} opens at {n} in {WORDS[n % 7]}."
            for n in range(sentences)
        )
        self.lab.write(f"room-{number}.md", f"# Room {number}\n\n{text}\n")

    def prompt(self, name: str, text: str) -> None:
        content = {"name": name, "messages": [{"role": "user", "content": text}]}
        (self.lab.folder / f"{name}.yaml").write_text(write_yaml(content))

    def start_alerter(self) -> HouseAlerter:
        """A new process of it: it knows what the ledger says."""
        close_ledgers()
        recipients = (Recipient(sender="hook"),)
        policy = AlertPolicy(owner="alerts", project="lab", recipients=recipients)
        plan = AlertPlan(policy, (), {"hook": WebhookSender(url=self.webhook)})
        house = HouseWatch(
            self.lab.home,
            self.lab.folder,
            uptime=lambda: self.up_seconds,
            stores=StoresWatch(readable),
            memory={"nightly/night": (self.first - DAY).isoformat()},
        )
        return HouseAlerter(house, lambda: AlertSetup(plan))

    def look(self, times: int = 1) -> None:
        """A minute apart."""
        for _ in range(times):
            self.last = self.alerter.look(self.at)
            self.pass_time(MINUTE)

    def pass_time(self, length: timedelta) -> None:
        self.at += length
        self.up_seconds += length.total_seconds()

    def run(self, *words: str) -> Said:
        """A command in a process of its own, moved to the time that it is."""
        given = {**environment(self.lab.home), **self.servers}
        ended = forks.run(*words, environment=given, timeout=180)
        said = Said(ended.returncode, ended.stdout, ended.stderr)
        self._moved()
        return said

    def night(self, *before: str) -> Said:
        """The night of the schedule."""
        command = before or ("-m", "llmops.flows.cli")
        return self.run(*command, "nightly", str(self.lab.folder / "night.yaml"), "--json")

    def again(self, flow: str, file: str) -> Said:
        """A flow that somebody runs once more in the morning."""
        config = str(self.lab.folder / file)
        return self.run("-m", "llmops.flows.cli", flow, config, "--json")

    def _moved(self) -> None:
        """What was written just now was written at the time that it stands for."""
        real = datetime.now(UTC) + HOUR
        with open_ledger(self.lab.home).write() as connection:
            for table, column in TIMES:
                new = (column < real) & (column > real - 3 * HOUR)
                connection.execute(update(table).where(new).values({column.name: self.at}))

    def through(
        self, fault: Callable[[], Any], night: Callable[[], Any], mend: Callable[[], Any]
    ) -> None:
        """One night: three looks before it, the fault, the night at three, looks after it, and in
        the morning somebody mends it; more looks, until the next evening.
        """
        self.look(3)
        fault()
        night()
        self.look(4)
        self.pass_time(5 * HOUR)
        mend()
        self.look(4)
        evening = self.at.replace(hour=2, minute=57) + (DAY if self.at.hour >= 3 else 0 * DAY)
        self.pass_time(evening - self.at)

    def outcomes(self) -> list[str]:
        """flow: status of each run, in the order of their ends."""
        with open_ledger(self.lab.home).read() as connection:
            rows = connection.execute(select(runs).order_by(runs.c.finished_at)).all()
        return [f"{row.outcome['flow']}: {row.outcome.get('status')}" for row in rows]


def alerts_told(home: Path) -> list[dict[str, Any]]:
    """What `llmops alerts list --all --json` says, the oldest first."""
    said = llmops("alerts", "list", "--all", "--json")
    found: list[dict[str, Any]] = said.data["alerts"]
    return sorted(found, key=lambda each: str(each["began_at"]))


def table(history: list[dict[str, Any]]) -> str:
    """As docs/operation.md shows it."""
    rows = [
        f"| {number} | `{each['key']}` | {each['message'][:90]} | "
        f"{str(each['began_at'])[11:16]} | {str(each['resolved_at'])[11:16]} |"
        for number, each in enumerate(history, 1)
    ]
    return "\n".join(rows)
