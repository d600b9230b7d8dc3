"""Tables of which every cell is known: the test set of `benchmarks.tables`."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple


class Cell(NamedTuple):
    """A cell as it is written down: it may span columns and rows, and hold a table."""

    text: str
    wide: int = 1
    high: int = 1
    inner: "Case | None" = None


class Case(NamedTuple):
    """A table. The first `head` rows name the columns, the first `keys` columns the rows; `title`
    rows before the head stand over the whole width. `rtl`: it reads from right to left.
    """

    name: str
    rows: Sequence[Sequence[Cell]]
    head: int = 1
    keys: int = 1
    title: int = 0
    rtl: bool = False


class Fact(NamedTuple):
    """A value, with what names its row and its column."""

    value: str
    keys: tuple[str, ...]
    headers: tuple[str, ...]


def grid(case: Case) -> list[list[Cell]]:
    """The cells by row and column, each in every place that it spans."""
    width = sum(cell.wide for cell in case.rows[0])
    places: list[list[Cell | None]] = [[None] * width for _ in case.rows]
    for y, row in enumerate(case.rows):
        for cell in row:
            x = places[y].index(None)
            for line in places[y : y + cell.high]:
                line[x : x + cell.wide] = [cell] * cell.wide
    return [[cell or Cell("") for cell in row] for row in places]


def facts(case: Case) -> Iterator[Fact]:
    """What a table says, and what the tables in its cells say."""
    rows = grid(case)
    start = case.title + case.head
    for row in rows[start:]:
        keys = tuple(dict.fromkeys(cell.text for cell in row[: case.keys] if cell.text))
        for x, cell in enumerate(row):
            names = [line[x].text for line in rows[case.title : start]]
            headers = tuple(dict.fromkeys(name for name in names if name))
            if x >= case.keys and cell.inner is not None:
                yield from facts(cell.inner)
            elif x >= case.keys and cell.text:
                yield Fact(cell.text, keys, headers)


def said(case: Case) -> set[str]:
    """The texts of titles, headers and keys: in an output they are no values."""
    rows = grid(case)
    start = case.title + case.head
    texts = {cell.text for row in rows[:start] for cell in row}
    texts |= {cell.text for row in rows for cell in row[: case.keys]}
    inner = [cell.inner for row in rows for cell in row if cell.inner is not None]
    return texts.union(*map(said, inner)) if inner else texts


def plain(*rows: str) -> list[list[Cell]]:
    """Rows whose cells are divided by semicolons."""
    return [[Cell(text.strip()) for text in row.split(";")] for row in rows]


CITIES: Final = (
    "Rome",
    "Oslo",
    "Lima",
    "Cairo",
    "Kyoto",
    "Quito",
    "Perth",
    "Riga",
    "Dakar",
    "Bern",
)


def _long(columns: int, rows: int) -> list[list[Cell]]:
    return [
        [
            Cell(f"{CITIES[n % 10]} {n // 10 + 1}"),
            *(Cell(f"{n * 37 % 900 + c / 10:.1f}") for c in range(columns)),
        ]
        for n in range(rows)
    ]


CASES: Final[Sequence[Case]] = (
    Case(
        "values",
        plain(
            "Product; Price; Share; Since; Change",
            "Bread; €1,234.50; 12 %; 2026-11-30; -3.5",
            "Milk; $0.99; 7.5 %; 30 Nov 2026; +0.4",
            "Salt; 1 299 kr; 0 %; 1999; 0",
        ),
    ),
    Case(
        "merged rows",
        [
            *plain("Group; Item; Energy"),
            [Cell("Plants", high=2), Cell("Leaves"), Cell("50 kcal")],
            [Cell("Seeds"), Cell("590 kcal")],
            [Cell("Animals", high=2), Cell("Fish"), Cell("130 kcal")],
            [Cell("Snails"), Cell("90 kcal")],
        ],
        keys=2,
    ),
    Case(
        "merged columns",
        [
            *plain("City; Spring; Summer; Autumn"),
            [Cell("Rome"), Cell("open", wide=2), Cell("closed")],
            [Cell("Oslo"), Cell("closed"), Cell("on request", wide=2)],
            *plain("Lima; open; closed; open"),
        ],
    ),
    Case(
        "two rows of headings",
        [
            [Cell("City", high=2), Cell("2025", wide=2), Cell("2026", wide=2)],
            *plain("May; June; May; June"),
            *plain("Rome; 19 °C; 23 °C; 20 °C; 25 °C", "Oslo; 11 °C; 16 °C; 12 °C; 15 °C"),
        ],
        head=2,
    ),
    Case(
        "title above",
        [
            [Cell("Energy of food in 2026", wide=3)],
            *plain("Food; Energy; Water", "Leaves; 50 kcal; 91 g", "Seeds; 590 kcal; 5 g"),
        ],
        title=1,
    ),
    Case(
        "empty cells",
        plain(
            "Name; Phone; Room; Desk",
            "Ada; ; 12;",
            "Bob; 555-0101; ; 4",
            "Cleo; ; ; 9",
            "Dan; 555-0104; 14;",
        ),
    ),
    Case("long", [*plain("City; Rain; Sun; Wind"), *_long(3, 60)]),
    Case(
        "long, two rows of headings",
        [
            [Cell("City", high=2), Cell("North side", wide=2), Cell("South side", wide=2)],
            *plain("Rain; Sun; Rain; Sun"),
            *_long(4, 40),
        ],
        head=2,
    ),
    Case(
        "wide",
        [
            [Cell("Site"), *(Cell(f"Week {n}") for n in range(1, 15))],
            *(
                [Cell(city), *(Cell(f"{n}{place}.5") for n in range(14))]
                for place, city in enumerate(CITIES[:6], 1)
            ),
        ],
    ),
    Case(
        "names and values",
        plain("Height; 330 m", "Opened; 31 March 1889", "Architect; Stephen Sauvestre"),
        head=0,
    ),
    Case(
        "marks in cells",
        plain("Command; Effect", "a | b; both run", "x_1 * y_2; a product", "[link](x); no link"),
    ),
    Case(
        "nested",
        [
            *plain("Kind; Contents; Number"),
            [
                Cell("Box"),
                Cell("", inner=Case("", plain("Part; Weight", "Screw; 3 g", "Nut; 2 g"))),
                Cell("14"),
            ],
            *plain("Bag; sand; 3"),
        ],
    ),
    Case(
        "right to left",
        plain(
            "המדינה; הבירה; האוכלוסייה",
            "צרפת; פריז; 68,000,000",
            "יפן; טוקיו; 124,000,000",
            "مصر; القاهرة; 114,000,000",
        ),
        rtl=True,
    ),
)
