"""What a role may do, and how the scopes of a key narrow it."""

from collections.abc import Collection
from typing import Literal, get_args

Scope = Literal["ask", "search", "feedback", "admin"]
Role = Literal["viewer", "reviewer", "editor", "operator"]
Act = Literal[
    "ask",
    "search",
    "feedback",
    "review",
    "curate",
    "prompts",
    "knowledge",
    "keys",
    "audit",
    "delete",
]
SCOPES: tuple[Scope, ...] = get_args(Scope)
ROLES: tuple[Role, ...] = get_args(Role)
ACTS: tuple[Act, ...] = get_args(Act)
NEEDS: dict[Act, tuple[Role, Scope]] = {
    "ask": ("viewer", "ask"),
    "search": ("viewer", "search"),
    "feedback": ("viewer", "feedback"),
    "review": ("reviewer", "feedback"),
    "curate": ("editor", "admin"),
    "prompts": ("editor", "admin"),
    "knowledge": ("operator", "admin"),
    "keys": ("operator", "admin"),
    "audit": ("operator", "admin"),
    "delete": ("operator", "admin"),
}
"""The least role that may do it, each role all that those before it may; and the scope that a key
must have beside it."""


def may(role: Role, act: Act) -> bool:
    """Whether a role may do something, whatever the scopes of a key say."""
    return ROLES.index(role) >= ROLES.index(NEEDS[act][0])


def allowed(role: Role, scopes: Collection[Scope], act: Act) -> bool:
    """Whether a key of this role and these scopes may do something: scopes narrow a role, they give
    nothing that it has not.
    """
    return may(role, act) and NEEDS[act][1] in scopes
