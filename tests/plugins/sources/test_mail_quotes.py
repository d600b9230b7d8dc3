"""What a person wrote in a mail: in several languages, between quotes, above and below them."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from llmops.tasks.plugins.sources.mail.words import own_html, own_words, plain_text

INTRODUCTIONS = [
    "On Mon, 1 Jan 2024 at 10:00, Ann Author <ann@example.org> wrote:",
    "On Mon, 1 Jan 2024 at 10:00, Ann Author\n<ann@example.org> wrote:",
    "Am 01.01.24 um 10:00 schrieb Ann Author:",
    "Am Mo., 1. Jan. 2024 um 10:00 Uhr schrieb Ann Author <\nann@example.org>:",
    "Le lun. 1 janv. 2024 à 10:00, Ann Author <ann@example.org> a écrit :",
    "El lun, 1 ene 2024 a las 10:00, Ann Author (<ann@example.org>) escribió:",
    "Il giorno lun 1 gen 2024 alle ore 10:00 Ann Author <ann@example.org> ha scritto:",
    "Op ma 1 jan. 2024 om 10:00 schreef Ann Author <ann@example.org>:",
    "Em seg., 1 de jan. de 2024 às 10:00, Ann Author <ann@example.org> escreveu:",
    "Den mån 1 jan. 2024 kl 10:00 skrev Ann Author <ann@example.org>:",
    "W dniu 1.01.2024 o 10:00, Ann Author pisze:",
    "пн, 1 янв. 2024 г. в 10:00, Ann Author <ann@example.org> написал(а):",
    "2024年1月1日(月) 10:00 Ann Author <ann@example.org> のメッセージ:",
]


@pytest.mark.parametrize("introduction", INTRODUCTIONS)
def test_an_answer_above_its_quote(introduction: str) -> None:
    assert (
        own_words(f"Yes, on Friday.\n\n{introduction}\n\n> When do we\n> meet?\n>\n>> Before.\n")
        == "Yes, on Friday."
    )


@pytest.mark.parametrize("introduction", INTRODUCTIONS)
def test_an_answer_below_its_quote(introduction: str) -> None:
    assert (
        own_words(f"{introduction}\n> When do we\n> meet?\n\nYes, on Friday.\nSee you: there.\n")
        == "Yes, on Friday.\nSee you: there."
    )


def test_answers_point_by_point_keep_the_point() -> None:
    text = (
        "Hello Bob,\n\nOn 1 Jan 2024 Ann wrote:\n> One.\n> Two.\n> Three.\n> Which "
        "room?\n\nThe blue one.\n\n> > older\n> And when?\n"
        "\nAt ten.\n\n> Kind regards\n> Ann\n"
    )
    assert (
        own_words(text)
        == "Hello Bob,\n\n> Two.\n> Three.\n> Which room?\n\nThe blue one.\n\n> And "
        "when?\n\nAt ten."
    )


@pytest.mark.parametrize(
    "rest",
    [
        "-----Original Message-----\nFrom: Ann\nSent: Monday\nSubject: Plan\n\nWhen?",
        "-----Ursprüngliche Nachricht-----\nVon: Ann\n\nWann?",
        "________________________________\nFrom: Ann Author <ann@example.org>\nSent: "
        "Monday, January 1, 2024 10:00\nTo: B\nSubject: C\n\nWhen?",
        "Von: Ann Author\nGesendet: Montag, 1. Januar 2024 10:00\nAn: Bob\nBetreff: Plan\n\nWann?",
        "De : Ann Author\nEnvoyé : lundi 1 janvier 2024\nÀ : Bob\nObjet : Plan\n\nQuand ?",
        "-- \nBob Builder\n+49 30 1234\n",
        "-- \nBob Builder\n\nOn 1 Jan 2024 Ann wrote:\n> When?\n",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet\n\n> Am 01.01.2024 um 10:00 schrieb Ann:\n> \n> Wann?",
        "_______________________________________________\nUsers mailing list\nhttps://lists.example.org/listinfo/users\n",
    ],
)
def test_unmarked_copies_signatures_and_footers(rest: str) -> None:
    assert own_words(f"Yes, on Friday.\n\n{rest}", "Re: Plan") == "Yes, on Friday."


def test_what_is_forwarded_is_the_message() -> None:
    block = "From: Ann\nSent: Monday, January 1\nTo: Bob\nSubject: Plan\n\nWhen?"
    assert "When?" in own_words(f"FYI\n\n{block}", "FW: Plan")
    assert "When?" in own_words(f"FYI\n\n---------- Forwarded message ---------\n{block}", "Plan")
    assert "When?" not in own_words(f"FYI\n\n{block}", "RE: Plan")


@pytest.mark.parametrize(
    "text",
    [
        "> only\n> quoted",
        "-- \nonly a signature",
        "Sent from my iPhone",
        "a > b and c\n\nx <- y",
        "He wrote:\n\nmore",
        "From: here\nto there",
        "a\n--\n" + "long\n" * 30,
        "",
    ],
)
def test_nothing_is_lost_where_nothing_was_quoted(text: str) -> None:
    assert own_words(text) == text.strip()


@given(
    some.lists(
        some.sampled_from(
            [
                "> q",
                ">> qq",
                "own text",
                "",
                "-- ",
                "On 1 Jan 2024 x wrote:",
                "From: a",
                "Sent: b",
                "Subject: c",
                "Sent from my x",
                "-----Original Message-----",
            ]
        ),
        max_size=14,
    )
)
def test_never_empty_never_longer_and_steady(lines: list[str]) -> None:
    text = "\n".join(lines)
    words = own_words(text)
    assert bool(words.strip()) == bool(text.strip())
    assert set(words.split("\n")) <= {*text.split("\n"), "", *(line.strip() for line in lines)}


@pytest.mark.parametrize(
    "quote",
    [
        '<div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Monday Ann '
        "wrote:<br></div><blockquote>When?</blockquote></div>",
        '<div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> '
        "Ann</div><div>When?</div>",
        '<div class="moz-cite-prefix">Am 1.1. schrieb Ann:</div><blockquote '
        'type="cite">When?</blockquote>',
        '<div class="gmail_signature">When? Ann</div>',
    ],
)
def test_html_quotes_that_mail_programs_mark(quote: str) -> None:
    html = f"<html><body><p>Yes,&nbsp;on <b>Friday</b>.</p>{quote}</body></html>"
    assert plain_text(own_html(html)) == "Yes, on Friday."
    assert plain_text(own_html(f"<body>{quote}</body>")) != ""


def test_html_as_text() -> None:
    html = (
        "<?xml version='1.0' encoding='utf-8'?><html><head><title>t</title><style>p "
        "{}</style></head><body>one<br>two<p>three\n"
        "four<script>x</script> five</p><ul><li>a</li><li>b</li></ul><!-- c --></body></html>"
    )
    assert plain_text(html) == "one\ntwo\nthree four five\n\na\n\nb"
    assert plain_text("") == ""
    assert own_html("") == ""
