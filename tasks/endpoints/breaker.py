"""Whether an endpoint is worth asking: one request first, then all; none while it is down, but one
now and then to see.
"""

from llmops.tasks.errors import Unavailable

ALONE = 5.0
"""Seconds that others wait for the first request: a wrong key is refused sooner, and a slow model
should not hold up a run.
"""
FAILURES = 5
"""So many different requests failing with no success between them, and the endpoint counts as
down.
"""
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0)
"""Seconds before each probe; after the last one has failed nobody waits any longer. Only the first
three where nothing ever succeeded: that is rather a wrong address than a service that starts again.
"""
POLL = 0.02


class Breaker:
    """Not for several threads at once: `Quota` holds the lock."""

    def __init__(self) -> None:
        self.proven, self.open = False, False
        self.succeeded_at: float | None = None
        self._doom: tuple[str, str] | None = None
        self._first: float | None = None
        self._failing: set[int] = (
            set()
        )  # requests, and negative numbers for failures that are nobody's
        self._probes, self._next_probe, self._probing = 0, 0.0, False

    def wait(self, now: float) -> float:
        """Seconds until it makes sense to ask again whether one may start; 0: now. Raises
        Unavailable when nobody may any more.
        """
        if self._doom:
            raise Unavailable(self._doom[0], hint=self._doom[1])
        if self.open:
            return (
                max(POLL, self._next_probe - now)
                if self._probing or now < self._next_probe
                else 0.0
            )
        if not self.proven and self._first is not None:
            self.proven = now - self._first >= ALONE
            return 0.0 if self.proven else POLL
        return 0.0

    def start(self, now: float) -> bool:
        """After `wait` has said 0. Whether the request is a probe: `ended` must then be called,
        whatever happens.
        """
        if self.open:
            self._probing = True
        elif not self.proven:
            self._first = now
        return self.open

    def answered(self, now: float, *, success: bool) -> None:
        """By anything but trouble: also a refusal of this request, or 429, shows that the endpoint
        lives and knows the key.
        """
        self.proven, self.open, self._probing, self._probes = True, False, False, 0
        self._failing.clear()
        if success:
            self.succeeded_at = now

    def failed(self, who: int | None, now: float, said: str, *, probe: bool) -> None:
        """`who`: the request, so that one which always fails is not taken for a dead endpoint;
        None: it is surely no fault of it.
        """
        self._first = None
        self._failing.add(-len(self._failing) - 1 if who is None else who)
        if probe:
            self._probed(now, said)
        elif len(self._failing) >= FAILURES and not self.open:
            self.open, self._probes, self._next_probe = True, 0, now + PAUSES[0]

    def _probed(self, now: float, said: str) -> None:
        pauses = PAUSES if self.succeeded_at is not None else PAUSES[:3]
        self._probes, self._probing = self._probes + 1, False
        if self._probes < len(pauses):
            self._next_probe = now + pauses[self._probes]
        else:
            self._doom = (
                f"{said}; {len(pauses)} probes in {sum(pauses):g} s found it no better",
                "check the service, and run again: what was paid for is kept",
            )

    def doom(self, error: Unavailable) -> None:
        """No request will succeed: those that wait need not be sent."""
        self._doom = (error.message, error.hint)

    def gone(self, *, probe: bool) -> None:
        """A request was given up by its caller."""
        self._first = None if not self.proven else self._first
        self._probing = self._probing and not probe

    def renew(self) -> None:
        """Somebody begins anew: what was wrong may have been mended."""
        if self._doom:
            self.__init__()  # type: ignore[misc]  # as if it were new
