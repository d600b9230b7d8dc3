"""The way into `llmops`: Ctrl-C ends it without a word also while its parts are still being
imported.
"""

import os
import signal

INTERRUPTED = 130


def main() -> None:
    """Entry point of the console script."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # of nohup it is ignored
        signal.signal(signal.SIGINT, lambda _signal, _frame: os._exit(INTERRUPTED))
    from llmops.flows.cli import main as command

    command()


if __name__ == "__main__":
    main()
