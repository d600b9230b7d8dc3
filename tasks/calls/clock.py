"""Time and chance, as clients see them: a simulation brings its own."""

import asyncio
import random
import time


class Clock:
    """The real ones."""

    def now(self) -> float:
        """Seconds; never backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def jitter(self, most: float) -> float:
        """Between 0 and `most`, so that requests that failed together do not come back together
        (full jitter).
        """
        return random.uniform(0, most)
