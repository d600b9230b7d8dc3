"""The row of a training data set, by the names that this room uses."""

from llmops.tasks.rows import FunctionCall, Role, Row
from llmops.tasks.rows import FunctionToolCall as ToolCall
from llmops.tasks.rows import RowMessage as Message

__all__ = ["FunctionCall", "Message", "Role", "Row", "ToolCall"]
