"""What Prometheus is told. Routes are labels, never what they were asked."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """Of one application: a registry of its own, so that several live in one process."""

    def __init__(self) -> None:
        own = self.registry = CollectorRegistry()
        by_route = ["route", "method", "status"]
        self._requests = Counter("llmops_requests", "Requests.", by_route, registry=own)
        self._seconds = Histogram(
            "llmops_request_seconds", "Time to the end.", ["route"], buckets=BUCKETS, registry=own
        )
        self._answers = Counter("llmops_answers", "Answers.", ["finish", "cached"], registry=own)
        self._tokens = Counter("llmops_tokens", "Tokens.", ["direction"], registry=own)
        self._cost = Counter("llmops_cost_usd", "US dollars paid.", registry=own)
        self._version = Gauge(
            "llmops_knowledge_version", "Live version.", ["knowledge_base"], registry=own
        )
        self._beat = Gauge(
            "llmops_alerter_last_beat_seconds",
            "When the alerter of the home last looked, in seconds since 1970; 0: never.",
            registry=own,
        )
        self._traces = Gauge("llmops_traces", "Traces by state.", ["state"], registry=own)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        known = method if method in METHODS else "other"
        self._requests.labels(route, known, str(status or 499)).inc()
        self._seconds.labels(route).observe(seconds)

    def answer(
        self, finish: str, cached: str, tokens_in: int, tokens_out: int, cost_usd: float
    ) -> None:
        self._answers.labels(finish, cached).inc()
        self._tokens.labels("in").inc(tokens_in)
        self._tokens.labels("out").inc(tokens_out)
        self._cost.inc(cost_usd)

    def text(
        self, versions: dict[str, int], traces: dict[str, int], beat: datetime | None
    ) -> bytes:
        """The page that Prometheus fetches, with how things stand now. `beat`: the last of the
        alerter.
        """
        self._beat.set(beat.timestamp() if beat else 0)
        for name, version in versions.items():
            self._version.labels(name).set(version)
        for state, count in traces.items():
            self._traces.labels(state).set(count)
        return generate_latest(self.registry)
