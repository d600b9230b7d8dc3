"""Pictures for MLflow, as PNG: one look, and equal bytes for equal figures."""

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, GREY, RED, BLACK = "#0b63b5", "#7a8ca5", "#b5432f", "#444444"


def figure(width: float, height: float) -> "Figure":
    """An empty one, in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def plain(axes: "Axes") -> None:
    """Without a frame at the top and to the right."""
    axes.spines[["top", "right"]].set_visible(False)


def png(made: "Figure", dpi: int = 130) -> bytes:
    """The picture, without its date and the library's version."""
    target = BytesIO()
    made.savefig(target, format="png", dpi=dpi, metadata={"Software": None})
    return target.getvalue()
