"""What each role may do, and what scopes leave of it."""

import pytest

from llmops.tasks.access.roles import ACTS, NEEDS, ROLES, SCOPES, Act, Role, Scope, allowed, may

MAY: dict[Role, set[Act]] = {
    "viewer": {"ask", "search", "feedback"},
    "reviewer": {"ask", "search", "feedback", "review"},
    "editor": {"ask", "search", "feedback", "review", "curate", "prompts"},
    "operator": set(ACTS),
}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_the_table_says(role: Role) -> None:
    assert {act for act in ACTS if may(role, act)} == MAY[role]


@pytest.mark.parametrize(
    ("scope", "acts"),
    [
        ("ask", {"ask"}),
        ("search", {"search"}),
        ("feedback", {"feedback", "review"}),
        ("admin", {"curate", "prompts", "knowledge", "keys", "audit", "delete"}),
    ],
)
def test_scopes_narrow_a_role(scope: Scope, acts: set[Act]) -> None:
    assert {act for act in ACTS if allowed("operator", {scope}, act)} == acts
    assert {act for act in ACTS if allowed("viewer", {scope}, act)} == acts & MAY["viewer"]


def test_everything_that_can_be_done_needs_a_role_and_a_scope() -> None:
    assert set(NEEDS) == set(ACTS)
    assert {scope for _, scope in NEEDS.values()} == set(SCOPES)
