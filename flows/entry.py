"""The way into `llmops`: Ctrl-C ends it without a word also while its parts are still being
imported. Also, garbage is looked for less often than Python does by itself: what libraries make as
they are imported comes to stay, and looking at it is a tenth of what an import costs.
"""

import gc
import os
import signal

INTERRUPTED = 130
NEW_OBJECTS = 50_000
"""That may lie about, at some hundred bytes each, before those that hold each other are looked for.
"""


def main() -> None:
    """Entry point of the console script."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # of nohup it is ignored
        signal.signal(signal.SIGINT, lambda _signal, _frame: os._exit(INTERRUPTED))
    gc.set_threshold(NEW_OBJECTS)
    from llmops.flows.cli import main as command

    command()


if __name__ == "__main__":
    main()
