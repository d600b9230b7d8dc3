"""Patterns that choose files: `**` crosses folders, `*` and `?` do not, `[ab]` is one of
several.
"""

import re
from collections.abc import Sequence
from functools import cache

TOKENS = re.compile(r"\*\*/|/\*\*$|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)
MEANING = {"**/": "(?:[^/]+/)*", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression of one pattern. Without a `/` it is compared with names in every
    folder, as in git.
    """
    anchored = pattern.removeprefix("./")
    if "/" not in anchored:
        anchored = f"**/{anchored}"
    return re.compile(
        "".join(map(_piece, TOKENS.findall(anchored.removeprefix("/")))) + r"\Z", re.DOTALL
    )


def _piece(token: str) -> str:
    if token in MEANING:
        return MEANING[token]
    if token.startswith("[") and token.endswith("]") and len(token) > 2:
        inner = token[1:-1].replace("\\", "\\\\")
        return f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
    return re.escape(token)


def names_hidden(pattern: str) -> bool:
    """Whether a pattern asks for hidden files: one of its components begins with a dot."""
    return any(
        part.startswith(".") and part not in (".", "..")
        for part in pattern.removeprefix("./").split("/")
    )


def hidden(path: str) -> bool:
    """Whether a component of a relative path begins with a dot."""
    return path.startswith(".") or "/." in path


class Choice:
    """Which relative paths a source takes. An empty `include` means all; hidden ones only if
    `include` names them.
    """

    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._all = not include
        self._given = (tuple(include), tuple(exclude))
        self._include = [compiled(pattern) for pattern in include]
        self._hidden = [compiled(pattern) for pattern in include if names_hidden(pattern)]
        self._exclude = [compiled(pattern) for pattern in exclude]
        self._prune = [compiled(pattern) for pattern in exclude if pattern.endswith("/**")]

    def takes(self, path: str) -> bool:
        """Whether a file is taken."""
        allowed = self._hidden if hidden(path) else self._include
        wanted = (
            any(pattern.match(path) for pattern in allowed)
            if allowed or hidden(path)
            else self._all
        )
        return wanted and not any(pattern.match(path) for pattern in self._exclude)

    def why_not(self, path: str) -> str:
        """Why a file is not taken, by the pattern that says so; "" for one that is."""
        include, exclude = self._given
        if self.takes(path):
            return ""
        out = [each for each in exclude if compiled(each).match(path)]
        if out:
            return f"the pattern {out[0]!r} of exclude leaves it out"
        if hidden(path):
            return "it is hidden, and no pattern of include names hidden files"
        return f"no pattern of include takes it: {', '.join(include)}"

    def enters(self, folder: str) -> bool:
        """Whether a folder can hold a file that is taken."""
        if hidden(folder) and not self._hidden:
            return False
        return not any(pattern.match(f"{folder}/x") for pattern in self._prune)
