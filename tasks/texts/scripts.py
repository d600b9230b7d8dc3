"""Scripts without spaces between words, as Unicode tells them: for patterns, inside of brackets.

Ranges, and not the properties of `regex` that a test holds them to: `re` finds tokens by them in
little more than half the time. Terms of search, texts made comparable, the embedder `hash` and
borders of chunks have ranges of their own: what they make is stored, or compared with what is
stored, and one character more would make every index, vector and chunk anew.
"""

UNSPACED = (
    r"\u02ea-\u02eb\u0e01-\u0e3a\u0e40-\u0fd4\u0fd9-\u109f\u1780-\u17f9\u19e0-\u19ff"
    r"\u2e80-\u2fd5\u3005\u3007\u3021-\u3029\u3038-\u303b\u3041-\u3096\u309d-\u309f"
    r"\u30a1-\u30fa\u30fd-\u312f\u31a0-\u31bf\u31f0-\u31ff\u32d0-\u32fe\u3300-\u3357"
    r"\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9fe\uaa60-\uaa7f\uf900-\ufad9\uff66-\uff6f"
    r"\uff71-\uff9d\U000116d0-\U000116e3\U00016fe2-\U00016fe3\U00016ff0-\U00016ff6"
    r"\U0001aff0-\U0001b168\U0001f200\u30fc\uff70\U00020000-\U0003ffff"
)
"""Han, Hiragana, Katakana, Bopomofo, Thai, Lao, Khmer, Burmese and Tibetan, and the sign of long
vowels in Kana, which is of no script.
"""

HANGUL = (
    r"\u1100-\u11ff\u302e-\u302f\u3131-\u318e\u3200-\u321e\u3260-\u327e\ua960-\ua97c"
    r"\uac00-\ud7fb\uffa0-\uffdc"
)
"""It has spaces, and endings that no space sets off."""
