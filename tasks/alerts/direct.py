"""A notice by every sender at once, past the outbox: to try them, and where there is no ledger."""

import threading
import time
from collections.abc import Mapping

from llmops.tasks.alerts.outbox import SECONDS, hidden
from llmops.tasks.errors import LlmopsError
from llmops.tasks.plugins.senders import Notice, Sender


def send_all(
    senders: Mapping[str, Sender], notice: Notice, seconds: float = SECONDS
) -> dict[str, str]:
    """By sender, what went wrong; "" where nothing did. One that hangs is cut."""
    said = dict.fromkeys(senders, f"it took longer than {seconds:g} s and was cut")

    def send(name: str, sender: Sender) -> None:
        try:
            sender.send(notice)
        except LlmopsError as error:
            said[name] = hidden(sender, error)
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; it may hold secrets
            said[name] = f"{type(error).__name__} in the sender"
        else:
            said[name] = ""

    threads = [
        threading.Thread(target=send, args=each, name=f"sender {each[0]}", daemon=True)
        for each in senders.items()
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(said)
