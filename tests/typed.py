"""What a type checker sees of the names that users import: mypy reads this file, nobody runs it.

The ignored lines are mistakes that it has to find: where it does not, it says that nothing needs to
be ignored.
"""

from typing import TYPE_CHECKING, assert_type

if TYPE_CHECKING:
    from prefect import State

    from llmops import Document, Explanation, KnowledgeBase, Passage, Status, evaluate, index
    from llmops.tasks.decisions.decision import Decision
    from llmops.tasks.knowledge.outcome import Outcome

    async def reading(kb: KnowledgeBase) -> None:
        assert_type(kb.search("q", k=3, where="year > 1", labels={"staff"}), list[Passage])
        assert_type(await kb.asearch("q", mode="text"), list[Passage])
        assert_type(kb.documents(), list[Document])
        assert_type(kb.status(), Status)
        assert_type(kb.explain("id"), Explanation)
        assert_type(kb.version, int)
        kb.search(3)  # type: ignore[arg-type]
        kb.search("q", mode="magic")  # type: ignore[arg-type]
        KnowledgeBase("handbook", version="3")  # type: ignore[arg-type]

    def flows() -> None:
        assert_type(index("kb.yaml", allow_deletes=True), Outcome)
        assert_type(index.with_options(name="ours")({"knowledge_base": "a"}, "home"), Outcome)
        assert_type(index("kb.yaml", return_state=True), State[Outcome])
        assert_type(evaluate("e.yaml", accept_cases=True), Decision)
        index("kb.yaml", nonsense=True)  # type: ignore[call-overload]
        index(7)  # type: ignore[call-overload]
        evaluate("e.yaml", full=True)  # type: ignore[call-overload]
