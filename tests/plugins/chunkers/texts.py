"""Texts to cut: real English that every machine has, and paragraphs in other scripts."""

import random
from functools import cache

CHINESE = (
    "向量数据库把文本变成数字，然后寻找最近的邻居。检索的质量取决于切分的方法！如果一个段落被切成两半，答案就会丢失。"
    "“为什么会这样？”他问道。因为模型只能看到它得到的内容，而看不到被切掉的部分。版本控制可以让读者始终看到一致的索引；"
    "新的版本在旁边建立，检查之后才切换。"
)
JAPANESE = (
    "文書を小さな塊に分けてから、埋め込みを計算します。編集があっても、その周りの塊だけが変わります。「それは本当ですか？」"
    "はい、境界は内容によって選ばれるからです。カタカナの長い単語、例えばインターネットプロトコルも正しく扱われます。"
)
PERSIAN = (
    "پایگاه دانش از سندهای بسیاری ساخته می‌شود. هر سند به تکه‌های کوچک بریده می‌شود؛ سپس "
    "هر تکه به یک بردار تبدیل می‌گردد. "
    "آیا این کار دشوار است؟ نه، اگر مرزها از روی محتوا انتخاب شوند، ویرایش یک واژه تنها "
    "تکه‌های نزدیک را تغییر می‌دهد. "
)
HINDI = (
    "दस्तावेज़ को छोटे टुकड़ों में बाँटा जाता है। हर टुकड़े का एक सदिश बनता है। क्या यह कठिन "
    "है? नहीं, सीमाएँ सामग्री से चुनी जाती हैं। "
)
ODD = (
    "e\u0301a\u0300o\u0308 👩‍👩‍👧‍👦🏽 🇩🇪 \u202eabc\u202c \u200b zero\u200dwidth \ud800 \x00\x07 "
    "﷽ 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 ffi½ "
)


@cache
def english(characters: int) -> str:
    """The Python language's help topics, as many characters as asked for."""
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))[:characters]


def varied(paragraph: str, count: int) -> str:
    """Paragraphs made of a paragraph's sentences, each with its words (or characters) in another
    order.
    """
    chance = random.Random(len(paragraph))
    stop = "。" if "。" in paragraph else "।" if "।" in paragraph else ". "
    sentences = [
        list(part) if stop == "。" else part.split()
        for part in paragraph.split(stop)
        if part.strip()
    ]
    space = "" if stop == "。" else " "
    shuffled = [
        [chance.sample(words, len(words)) for words in chance.sample(sentences, len(sentences))]
        for _ in range(count)
    ]
    return "\n\n".join(space.join(space.join(words) + stop for words in row) for row in shuffled)


MARKDOWN = """# Install

Preface of the chapter.

## Linux

```sh
# this is no heading
apt install thing
```

Setext heading
--------------

Text under it.

### Deep ###

More text.

# Use {#use}

| a | b |
|---|---|
| 1 | 2 |
"""
