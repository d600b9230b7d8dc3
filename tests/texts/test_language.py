"""Languages by script and by model; never a guess about a short question."""

import json
import os
from pathlib import Path

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from llmops.tasks.texts.language import detect, letter_sequences


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("What is the capital of France?", "en"),
        ("Wie kann ich mein Passwort ändern?", "de"),
        ("Comment réinitialiser mon mot de passe ?", "fr"),
        ("¿Dónde está la factura del mes pasado?", "es"),
        ("黑豹队的防守丢了多少分？", "zh"),
        ("NFL 的 Super Bowl 50 在哪里举行？", "zh"),
        ("日本で梅雨がないのは", "ja"),
        ("パスワード", "ja"),
        ("비밀번호를 바꾸는 방법", "ko"),
        ("نام رسمی بازی‌های المپیک چیست؟", "fa"),
        ("ما هو اسم العاصمة", "ar"),
        ("میرا پاس ورڈ کیسے بدلیں", "ur"),
        ("Как сбросить пароль?", "ru"),
        ("Як змінити пароль?", "uk"),
        ("Πώς αλλάζω τον κωδικό;", "el"),
        ("इसे कैसे बदलें", "hi"),
        ("เปลี่ยนรหัสผ่าน", "th"),
        ("איך משנים סיסמה", "he"),
        ("Kako mogu promijeniti lozinku svog korisničkog računa?", "hr"),
        ("Bagaimana cara mengganti kata sandi akun saya?", "id"),
        ("Пошта не працює після зміни пароля", "uk"),
        ("Зачем нужен пароль", "ru"),
        ("Ђак учи љубичасте речи", "sr"),
        ("Не магу ўвайсці", "be"),
        ("", None),
        ("42 + 17", None),
        ("install", None),
        ("kubectl get pods", None),
    ],
)
def test_detect(text: str, code: str | None) -> None:
    assert detect(text) == code


def questions(data: Path) -> list[str]:
    lines = (data / "beir/scifact/queries.jsonl").read_text("utf-8").splitlines()
    found = [json.loads(line)["text"] for line in lines]
    for file in data.glob("feedbackqa/experiments/feedbackQA_data/*/test.json"):
        found += [
            example["question"] for example in json.loads(file.read_text("utf-8"))["examples"]
        ]
    return found


@pytest.mark.slow
def test_english_questions_are_not_taken_for_another_language() -> None:
    if "LLMOPS_BENCH_DATA" not in os.environ:
        pytest.skip("set LLMOPS_BENCH_DATA to the folder with beir/ and feedbackqa/")
    asked = questions(Path(os.environ["LLMOPS_BENCH_DATA"]))
    wrong = [text for text in asked if detect(text) not in {"en", None}]
    assert len(asked) > 3_000
    assert len(wrong) < 0.002 * len(asked), wrong


@pytest.mark.parametrize(
    "text",
    ["", "?", "OK", "HALLO WELT", "\ud800 x", "Straße", "a" * 5000, "Dober dan, kako ste? " * 40]
    + [f"{word} Reykjavík, høst, ağaç, čaj, naïve, l’été {word}." for word in ("Tere", "Bok")],
)
def test_the_model_says_what_its_library_says(text: str) -> None:
    known = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True).rank(text)
    shares = letter_sequences().shares(text)
    assert shares == pytest.approx(dict(known), abs=1e-4)
