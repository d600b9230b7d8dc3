"""What a monitor finds, as plain values: its outcome, its report and alerts are made of these."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Interval = tuple[float, float]
PassageState = Literal["live", "changed", "gone", "unknown"]
"""Whether the live version has a passage still; its document may be there and say something else,
or the base may not be of this home.
"""


class Kpi(BaseModel):
    """A measure over the window. `n`: exchanges (or documents) that it is of; `interval`: 95 %, by
    conversations; `before`: the same over the reference windows; `curve`: (day, value), oldest
    first; `better`: which way is good, None where neither is.
    """

    model_config = ConfigDict(frozen=True)
    name: str
    label: str
    unit: str = ""
    value: float | None = None
    interval: Interval | None = None
    n: int = 0
    before: float | None = None
    better: Literal["more", "less"] | None = None
    curve: tuple[tuple[str, float | None], ...] = ()
    note: str = ""


class Drift(BaseModel):
    """Whether this window's texts are like those of the windows before. `distance`: between the
    two, 0 for the same distribution; `usual`: what distances of windows that differ by chance alone
    reach in 95 of 100 cases; `p`: of the test; `level`: below which p is a drift, so that there are
    at most `false_alarms_per_year` by chance; `status`: `unknown` where there is too little.
    """

    model_config = ConfigDict(frozen=True)
    what: Literal["questions", "answers"]
    status: Literal["same", "drifted", "unknown"]
    n: int
    n_before: int
    distance: float | None = None
    usual: float | None = None
    p: float | None = None
    level: float | None = None
    false_alarms_per_year: float | None = None
    weeks: tuple[tuple[str, float | None], ...] = ()
    reason: str = ""


class NewTopic(BaseModel):
    """Questions that are unlike those of the windows before. `covered`: the share that the
    knowledge base answered; `words`: what they are about.
    """

    model_config = ConfigDict(frozen=True)
    words: tuple[str, ...]
    questions: int
    conversations: int
    covered: float | None
    examples: tuple[str, ...]
    trace_ids: tuple[str, ...] = ()


class UnansweredQuestion(BaseModel):
    """A question that the documents do not answer, with those that ask the same. `why`: what says
    so; `nearest`: the uri that came closest.
    """

    model_config = ConfigDict(frozen=True)
    question: str
    asked: int
    conversations: int
    why: str
    nearest: str = ""
    trace_ids: tuple[str, ...] = ()


class UnusedDocument(BaseModel):
    """A document that no question of the window found, though it was there all the time."""

    model_config = ConfigDict(frozen=True)
    knowledge_base: str
    doc_id: str
    uri: str
    title: str = ""
    chunks: int = 0
    since: datetime | None = None


class BadPassage(BaseModel):
    """A passage that is found, and whose answers are marked bad. `rated`: people (conversations,
    where nobody is named) who rated an answer that cites it, `down` of them down; `p`: that it is
    by chance alone, mended for how many passages were looked at.
    """

    model_config = ConfigDict(frozen=True)
    knowledge_base: str
    chunk_id: str
    doc_id: str
    uri: str
    excerpt: str
    found: int
    rated: int
    down: int
    p: float
    trace_ids: tuple[str, ...] = ()
    state: PassageState = "live"


LISTS = ("unanswered", "bad_passages", "unused")
"""Of what people should do."""


class Recommendations(BaseModel):
    """What is to be done, by people. `unused_count`: by knowledge base, also those not listed;
    `notes`: what the lists rest on, or why they are empty; `notes_of`: the same by the list that it
    is of, such as `unused`; `not_looked`: why nobody looked for what a list is of.
    """

    model_config = ConfigDict(frozen=True)
    unanswered: tuple[UnansweredQuestion, ...] = ()
    unused: tuple[UnusedDocument, ...] = ()
    unused_count: Mapping[str, int] = Field(default_factory=dict)
    bad_passages: tuple[BadPassage, ...] = ()
    notes: tuple[str, ...] = ()
    notes_of: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    not_looked: Mapping[str, str] = Field(default_factory=dict)


class Monitored(BaseModel):
    """All of it, of one application and one window. `reference_windows`: those before it that had
    exchanges.
    """

    model_config = ConfigDict(frozen=True)
    app: str
    since: datetime
    until: datetime
    days: float
    reference_windows: int
    kpis: tuple[Kpi, ...] = ()
    drifts: tuple[Drift, ...] = ()
    new_topics: tuple[NewTopic, ...] = ()
    recommendations: Recommendations = Recommendations()
