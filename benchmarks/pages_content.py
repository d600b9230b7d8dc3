"""What `benchmarks.pages` photographs: documents, golden set, cases, a prompt, exchanges of an
application, the configs, and the runs of all of them.
"""

import contextlib
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from llmops.tasks.yaml_files import write_yaml

VERSIONS = 10
TOPICS = (
    *("anchor", "beacon", "compass", "dinghy", "ensign", "fender", "galley", "halyard", "inlet"),
    *("jib", "keel", "lantern", "mooring", "nautilus", "oar", "pontoon", "quay", "rudder"),
    *("sextant", "tiller"),
)
Row = dict[str, Any]


def text_of(topic: str, told: bool) -> str:
    """A document; before it is `told`, it does not say what its question asks for."""
    about = (
        f"Page {TOPICS.index(topic) + 1} of the notes. The crew meets at dawn, says {topic[:3]}."
    )
    fact = f" The {topic} is kept in store room {TOPICS.index(topic) + 10}, behind the blue door."
    return f"# Notes\n\n{about}{fact if told else ' More will be written here.'}\n"


def prepared(folder: Path) -> None:
    """Documents, golden set, cases, a prompt and the two configs."""
    (folder / "docs").mkdir(parents=True)
    wanted = "".join(
        json.dumps({"id": t, "question": question(t), "relevant": [{"uri": f"{t}.md"}]}) + "\n"
        for t in TOPICS
    )
    (folder / "golden.jsonl").write_text(wanted)
    (folder / "docs" / "broken.pdf").write_bytes(b"%PDF-1.4 cut off")
    cases = [
        {
            "id": t,
            "inputs": {"question": question(t)},
            "expected": {"answer": f"The {t} is kept in store room {TOPICS.index(t) + 10}."},
        }
        for t in TOPICS
    ]
    (folder / "cases.jsonl").write_text("".join(f"{json.dumps(case)}\n" for case in cases))
    message = "Answer from these passages.\n{{passages}}\n\nQuestion: {{question}}"
    prompt = {"name": "harbour", "messages": [{"role": "user", "content": message}]}
    write(folder / "prompt.yaml", prompt)
    (folder / "exchanges.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in asked()))
    for name, config in configs().items():
        write(folder / f"{name}.yaml", config)


def question(topic: str) -> str:
    return f"In which store room is the {topic} kept?"


def configs() -> dict[str, Row]:
    """By the names of their flows."""
    arm = {"prompt": "prompt.yaml", "llm": "extractive"}
    index = {
        "flow": "index",
        "knowledge_base": "harbour",
        "sources": [{"name": "files", "path": "docs", "include": ["*.md", "*.pdf"]}],
        "embed": "hash",
        "chunk": {"name": "sentence", "size": 60, "overlap": 0},
        "gate": {"golden": "golden.jsonl", "k": 5, "metrics": {"ndcg": {"margin": 0.2}}},
        "limits": {"failure_budget": 0.5},
    }
    evaluate = {
        "flow": "evaluate",
        "name": "harbour",
        "cases": "cases.jsonl",
        "scorers": ["token_f1", "grounded"],
        "decide": {"metric": "token_f1", "not_worse": {"grounded": 0.2}},
        "promote": {"prompt": "harbour", "alias": "production"},
        "arms": {
            "baseline": {**arm, "retrieve": {"knowledge_base": "harbour", "version": 3}},
            "candidate": {**arm, "retrieve": {"knowledge_base": "harbour"}},
        },
    }
    monitor = {
        "flow": "monitor",
        "app": "harbour",
        "knowledge_bases": ["harbour"],
        "days": 7,
        "reference": 4,
        "embed": "hash",
        "traffic": "exchanges.jsonl",
    }
    return {"index": index, "evaluate": evaluate, "monitor": monitor}


def asked() -> list[Row]:
    """Five weeks of an application: in the last one people ask of something new, often in vain."""
    began = datetime.now(UTC) - timedelta(days=35)
    rows = []
    for number in range(1000):
        at, topic = began + timedelta(hours=0.839 * number), TOPICS[number % len(TOPICS)]
        new = number > 800 and number % 2 == 0
        about = f"How do I pay the harbour fee of the {topic} week?" if new else question(topic)
        answer = "I don't know." if new else f"The {topic} is kept behind the blue door."
        rating = {"rating": "down" if new else "up"} if number % 3 == 0 else {}
        passage = {"uri": f"{topic}.md", "text": text_of(topic, told=True), "cited": not new}
        rows.append(
            {
                "id": str(number),
                "at": at.isoformat(),
                "question": about,
                "answer": answer,
                "latency_ms": 400 + number % 90,
                "tokens": 180,
                "passages": [passage],
                **rating,
            }
        )
    return rows


def write(path: Path, content: Row) -> None:
    path.write_text(write_yaml(content))


def built(folder: Path, home: Path) -> dict[str, Row]:
    """Ten versions, each with two more documents that say something; then one that the gate
    rejects, and the evaluation. Returns their outcomes by name.
    """
    from llmops.flows import server

    server.connect(home)
    from llmops.configs.evaluate import EvaluateConfig
    from llmops.configs.index import IndexConfig
    from llmops.configs.monitor import MonitorConfig
    from llmops.configs.reading import read
    from llmops.flows.evaluate import evaluate
    from llmops.flows.index import index
    from llmops.flows.monitor import monitor
    from llmops.tasks.errors import Blocked

    config = read(folder / "index.yaml", IndexConfig)
    published: Row = {}
    for version in range(1, VERSIONS + 1):
        for place, topic in enumerate(TOPICS):
            (folder / "docs" / f"{topic}.md").write_text(text_of(topic, place < 2 * version))
        published = index(config, home=home).public()
        say(f"version {published['version']}: {published['gate']['verdict']}")
    for topic in TOPICS[:8]:
        (folder / "docs" / f"{topic}.md").write_text(text_of(topic, told=False))
    with contextlib.suppress(Blocked):  # the gate is there for this
        index(config, home=home)
    decision = evaluate(read(folder / "evaluate.yaml", EvaluateConfig), home=home)
    say(f"evaluation: {decision.verdict}")
    looked = monitor(read(folder / "monitor.yaml", MonitorConfig), home=home)
    say(f"monitor: {looked.headline}")
    return {
        "published": published,
        "rejected": blocked(home, "harbour"),
        "evaluation": decision.content(),
        "monitor": dict(looked.public()),
    }


def blocked(home: Path, kb: str) -> Row:
    """The newest run of a knowledge base that its gate has stopped."""
    from sqlalchemy import select

    from llmops.tasks.ledger import open_ledger
    from llmops.tasks.ledger.tables import runs

    newest = select(runs.c.outcome).where(runs.c.kb == kb).order_by(runs.c.finished_at.desc())
    with open_ledger(home).read() as connection:
        outcomes = connection.scalars(newest).all()
    found = (each for each in outcomes if each.get("status") == "blocked")
    return dict(next(found))


def say(text: str) -> None:
    """At once, whoever reads it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
