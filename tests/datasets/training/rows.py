"""Rows for tests, in a line each."""

import random
from typing import Any

from llmops.tasks.datasets.training.row import FunctionCall, Message, Role, Row, ToolCall

WORDS = [
    "river",
    "stone",
    "market",
    "garden",
    "window",
    "letter",
    "winter",
    "summer",
    "bridge",
    "castle",
    "doctor",
    "teacher",
    "captain",
    "engine",
    "signal",
    "travel",
    "invoice",
    "refund",
    "parcel",
    "account",
    "password",
    "printer",
    "keyboard",
    "monitor",
    "library",
    "museum",
    "theatre",
    "station",
    "airport",
    "harbour",
    "village",
    "country",
    "mountain",
    "forest",
    "desert",
    "island",
    "weather",
    "thunder",
    "shadow",
    "silver",
    "copper",
    "golden",
    "purple",
    "orange",
    "yellow",
    "simple",
    "gentle",
    "bitter",
    "hollow",
    "narrow",
    "ancient",
    "modern",
    "public",
    "private",
    "secret",
    "honest",
    "clever",
    "careful",
    "quickly",
    "slowly",
    "always",
    "never",
    "between",
    "against",
    "without",
    "towards",
    "because",
    "although",
    "perhaps",
    "however",
    "therefore",
    "meanwhile",
    "forward",
    "backward",
    "answer",
    "question",
    "problem",
    "reason",
    "picture",
    "promise",
    "journey",
]


def message(role: Role, content: str | None, **more: Any) -> Message:
    return Message(role=role, content=content, **more)


def chat(*said: str, id: str = "r", group: str = "g", **more: Any) -> Row:
    """User and assistant in turns."""
    roles: tuple[Role, Role] = ("user", "assistant")
    spoken = tuple(message(roles[place % 2], text) for place, text in enumerate(said))
    return Row(id=id, group=group, messages=spoken, **more)


def pair(asked: str, better: str, worse: str, id: str = "p", group: str = "g", **more: Any) -> Row:
    chosen, rejected = ((message("assistant", text),) for text in (better, worse))
    asked_so = (message("user", asked),)
    return Row(id=id, group=group, messages=asked_so, chosen=chosen, rejected=rejected, **more)


def call(arguments: str, id: str = "c1", name: str = "search") -> ToolCall:
    return ToolCall(id=id, function=FunctionCall(name=name, arguments=arguments))


def sentence(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words)).capitalize() + "."


def many(count: int, seed: int = 1, groups: int = 0) -> list[Row]:
    """Rows that have nothing in common but words: each of a group of its own, or of one of so
    many.
    """
    chance = random.Random(seed)
    return [
        chat(
            sentence(chance, 12),
            f"{sentence(chance, 20)} {sentence(chance, 20)}",
            id=f"row-{number}",
            group=f"group-{chance.randrange(groups) if groups else number}",
        )
        for number in range(count)
    ]
