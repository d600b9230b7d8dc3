"""A crawl: rounds of addresses, each host in its own thread, equal sites in equal order."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from pydantic import BaseModel, ConfigDict

from llmops.tasks.errors import Unavailable
from llmops.tasks.plugins.sources import Item, Problem, Report
from llmops.tasks.plugins.sources.web.memory import CrawlMemory, PageRecord
from llmops.tasks.plugins.sources.web.urls import CrawlScope, host_of, place_of
from llmops.tasks.plugins.sources.web.visit import Visit

HOSTS_AT_ONCE = 8
HOPS = 10
GAPS_TOLD = 3
FORBIDDEN = "robots.txt does not allow this start; `robots: false` for a site of your own"


class Step(BaseModel):
    """An address to ask for. `depth`: links away from a start; `root`: where a start has led;
    `hops`: redirects before it; `follow`: whether its links are followed."""

    model_config = ConfigDict(frozen=True)
    url: str
    depth: int = 0
    root: bool = False
    hops: int = 0
    follow: bool = True


class Crawl:
    """One listing of a site."""

    def __init__(
        self,
        visit: Callable[[str], Visit],
        memory: CrawlMemory,
        scope: CrawlScope,
        *,
        depth: int,
        max_pages: int,
    ) -> None:
        self._visit, self._memory, self._scope, self._depth, self._most = (
            visit,
            memory,
            scope,
            depth,
            max_pages,
        )
        self._seen: set[str] = set()
        self._pages: dict[str, PageRecord] = {}
        self._problems: dict[str, Problem] = {}
        self._moved: dict[str, str] = {}
        self._gone: list[str] = []
        self.gaps: list[str] = []

    def run(self, starts: Sequence[str], listed: Iterable[str], report: Report) -> str:
        """Report pages and problems; return "" when there can be no others, else why there may.
        Raises Unavailable when nobody answers.
        """
        self._follow(Step(url=url, root=True) for url in starts)
        self._follow(Step(url=url, follow=False) for url in listed if self._scope.takes(url))
        self._circles()
        if (
            self.gaps
            and not self._pages
            and all(problem.retryable for problem in self._problems.values())
        ):
            raise Unavailable(
                f"nothing of the site could be read: {self.gaps[0]}",
                hint="check the network, or try again later",
            )
        for record in _distinct(self._pages):
            report(
                Item(uri=record.url, revision=record.sha256, size=record.size, locator=record.url)
            )
        for problem in self._problems.values():
            report(problem)
        self._memory.forget(
            self._gone
            if self.gaps
            else [url for url in self._memory.urls() if url not in self._pages]
        )
        gaps = list(dict.fromkeys(self.gaps))
        return "; ".join(gaps[:GAPS_TOLD]) + (
            f"; and {len(gaps) - GAPS_TOLD} more" if len(gaps) > GAPS_TOLD else ""
        )

    def _follow(self, steps: Iterable[Step]) -> None:
        """All that some steps lead to. What a start leads to comes before sitemaps, whose pages
        lead nowhere.
        """
        waiting = self._fresh(steps)
        while waiting:
            waiting = self._fresh(self._round(waiting))

    def _fresh(self, steps: Iterable[Step]) -> list[Step]:
        """Steps to addresses that were not asked for, the nearest way to each, at most as many as
        may still be asked.
        """
        nearest: dict[str, Step] = {}
        for step in steps:
            former = nearest.get(step.url)
            if step.url not in self._seen and (
                former is None or (not former.follow, former.depth) > (not step.follow, step.depth)
            ):
                nearest[step.url] = step
        room = self._most - len(self._seen)
        if len(nearest) > room:
            self.gaps.append(
                f"there are more than {self._most:,} pages; raise `max_pages` to see them all"
            )
        chosen = list(nearest.values())[:room]
        self._seen |= {step.url for step in chosen}
        return chosen

    def _round(self, steps: Sequence[Step]) -> list[Step]:
        """Visit all of a round; the steps of the next one, in the order of this one."""
        by_host: dict[str, list[str]] = {}
        for step in steps:
            by_host.setdefault(host_of(step.url), []).append(step.url)
        with ThreadPoolExecutor(max_workers=min(HOSTS_AT_ONCE, len(by_host))) as pool:
            visits = {
                visit.url: visit
                for group in pool.map(lambda urls: [*map(self._visit, urls)], by_host.values())
                for visit in group
            }
        return [further for step in steps for further in self._take(step, visits[step.url])]

    def _take(self, step: Step, visit: Visit) -> list[Step]:
        """What one visit adds to the listing, and the steps that it leads to."""
        if visit.kind == "moved":
            return self._move(step, visit.target)
        if visit.kind == "failed":
            self._fail(step, visit)
        if visit.kind == "gone":
            self._gone.append(step.url)
            if step.root and self._depth:
                self.gaps.append(
                    f"the start {step.url} is gone ({visit.reason}), and with it the way "
                    f"to other pages"
                )
        if visit.kind == "page" and visit.record:
            shown = visit.record.shown and self._scope.takes(step.url)
            self._pages[step.url] = visit.record.model_copy(update={"links": (), "shown": shown})
        if visit.kind == "forbidden" and step.root:
            self._problems[step.url] = Problem(uri=step.url, reason=FORBIDDEN)
        return (
            self._further(step, visit.record)
            if visit.record and visit.kind in ("page", "failed")
            else []
        )

    def _further(self, step: Step, record: PageRecord) -> list[Step]:
        """What a page calls itself, and where its links lead."""
        steps = (
            [step.model_copy(update={"url": record.canonical, "root": False})]
            if record.canonical
            else []
        )
        if step.follow and step.depth < self._depth:
            steps += [Step(url=url, depth=step.depth + 1) for url in record.links]
        return [one for one in steps if self._scope.takes(one.url)]

    def _move(self, step: Step, target: str) -> list[Step]:
        self._moved[step.url] = target
        if step.hops >= HOPS:
            self._problems[step.url] = Problem(
                uri=step.url, reason=f"more than {HOPS} redirects, one after another"
            )
            return []
        if step.root:
            self._scope.admit(target)
        allowed = step.root or self._scope.takes(target)
        return [step.model_copy(update={"url": target, "hops": step.hops + 1})] if allowed else []

    def _fail(self, step: Step, visit: Visit) -> None:
        if visit.unproven or step.root:
            self.gaps.append(f"{visit.url}: {visit.reason}" if visit.asked else visit.reason)
        if visit.asked and self._scope.takes(visit.url):
            self._problems[visit.url] = Problem(
                uri=visit.url,
                reason=visit.reason,
                retryable=visit.retryable,
                error="TransientDocumentError" if visit.retryable else "DocumentError",
            )

    def _circles(self) -> None:
        """Redirects that end where they began lead nowhere; the first address of each circle stands
        for it.
        """
        done: set[str] = set()
        for url in self._moved:
            path: list[str] = []
            while url in self._moved and url not in done:
                done.add(url)
                path.append(url)
                url = self._moved[url]
            if url in path:
                first = min(path[path.index(url) :])
                self._problems[first] = Problem(
                    uri=first, reason="its redirects lead back to it, in a circle"
                )


def _distinct(pages: dict[str, PageRecord]) -> list[PageRecord]:
    """The pages that become documents: of those with equal bytes at one place the shortest address,
    and none that says that it is another of them, if that one has the same place or title. A wrong
    hint loses no page."""
    shown = [
        pages[url]
        for url in sorted(pages, key=lambda url: (len(url), url))
        if pages[url].shown and pages[url].sha256
    ]
    kept: dict[str, PageRecord] = {}
    twins: set[tuple[str, str]] = set()
    for record in sorted(shown, key=lambda record: record.canonical not in ("", record.url)):
        twin, target = (place_of(record.url), record.sha256), kept.get(record.canonical)
        if twin not in twins and not (target and _alike(record, target)):
            kept[record.url] = record
            twins.add(twin)
    return list(kept.values())


def _alike(one: PageRecord, other: PageRecord) -> bool:
    titles = bool(one.likeness) and one.likeness == other.likeness
    return titles or place_of(one.url) == place_of(other.url) or one.sha256 == other.sha256
