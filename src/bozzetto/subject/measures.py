"""Ages, heights and weights in figures or words: "in her forties", "6'2\"", "eighty kilos"."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from bozzetto.subject.lexicon import Effect

_SMALL = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen
"""
_ROUND = """
    twenty thirty forty fifty sixty seventy eighty ninety
"""
NUMBERS = {word: value for value, word in enumerate(_SMALL.split())}
NUMBERS |= {word: 10 * value for value, word in enumerate(_ROUND.split(), 2)}
NUMBERS["fourty"] = 40
_TENS = "twenty|thirty|forty|fourty|fifty|sixty|seventy|eighty|ninety"
_UNITS = "one|two|three|four|five|six|seven|eight|nine"
_DECADES = {
    "teens": 13, "twenties": 20, "thirties": 30, "forties": 40, "fourties": 40, "fifties": 50, "sixties": 60,
    "seventies": 70, "eighties": 80, "nineties": 90,
}  # fmt: skip


def _numerals(text: str) -> str:
    """Number words as digits: "twenty five" -> "25", "one hundred and eighty" -> "180", "one point eight" -> "1.8"."""
    text = re.sub(rf"\b({_TENS}) ({_UNITS})\b", lambda m: str(NUMBERS[m[1]] + NUMBERS[m[2]]), text)
    text = re.sub(rf"\b({'|'.join(NUMBERS)})\b", lambda m: str(NUMBERS[m[1]]), text)
    text = re.sub(
        r"\b(?:(\d) |a )hundred(?: (?:and )?(\d{1,2}))?\b", lambda m: str(100 * int(m[1] or 1) + int(m[2] or 0)), text
    )
    text = re.sub(r"\b(\d) point (\d)( \d)?\b", lambda m: f"{m[1]}.{m[2]}{(m[3] or '').strip()}", text)
    return re.sub(r"\b(\d) and a half\b", r"\1.5", text)


def _years(low: float, high: float | None = None) -> tuple[Effect, ...]:
    low, high = (low - 0.4, low + 0.4) if high is None else (min(low, high), max(low, high))
    return (("exact age", (min(max(low, 4.0), 95.0), min(max(high, 4.0), 95.0))),)


def _decade(match: re.Match[str]) -> tuple[Effect, ...]:
    start = float(_DECADES.get(match[2]) or re.sub(r"\D", "", match[2]))
    part = match[1] or ""
    if start == 13:
        return _years(13.0, 17.9) if "late" not in part else _years(16.5, 19.5)
    first, last = {"early": (0.0, 3.4), "mid": (3.6, 6.4), "late": (6.6, 9.9)}.get(part.strip(), (0.2, 9.8))
    return _years(start + first, start + last)


def _metres(value: float) -> tuple[Effect, ...] | None:
    return (("height", value),) if 0.8 <= value <= 2.6 else None


def _feet(match: re.Match[str]) -> tuple[Effect, ...] | None:
    return _metres(0.3048 * float(match[1]) + 0.0254 * float(match[2] or 0))


_TALL = r"(?: ?(?:tall|high|in height))?"
_PRONOUN = r"(?:(?:his|her|their|the) )?"
_ABOUT = r"(?:about |around |roughly |approximately |nearly |almost |only |just |maybe )?"
MEASURES: tuple[tuple[str, Callable[[re.Match[str]], tuple[Effect, ...] | None]], ...] = (
    (rf"\b(\d{{2,3}}(?:\.\d)?) ?(?:cms?|centimet(?:er|re)s?)\b{_TALL}", lambda m: _metres(float(m[1]) / 100)),
    (rf"\b([12])[.,](\d{{1,2}}) ?(?:m|met(?:er|re)s?)\b{_TALL}", lambda m: _metres(float(f"{m[1]}.{m[2]}"))),
    (rf"\b([12]) ?m(?:et(?:er|re)s?)? ?(\d{{2}})\b{_TALL}", lambda m: _metres(float(f"{m[1]}.{m[2]}"))),
    (rf"\b([12]) ?(?:m|met(?:er|re)s?)\b{_TALL}", lambda m: _metres(float(m[1]))),
    (
        r"\b([2-8](?:\.\d)?) ?(?:'|ft\b\.?|feet\b|foot\b) ?(?:and )?(\d{1,2}(?:\.\d)?)"
        rf"(?: ?(?:''|\"|inch(?:es)?\b|in\b(?! [a-z])))?{_TALL}",
        _feet,
    ),
    (rf"\b([2-8](?:\.\d)?)()(?: ?(?:ft\b\.?|feet\b|foot\b)|'(?![a-z])){_TALL}", _feet),
    (r"\b(\d{2}) ?inch(?:es)?(?: tall| in height)", lambda m: _metres(0.0254 * float(m[1]))),
    (r"\b(\d{2,3}) ?(?:kgs?|kilos?|kilograms?)\b", lambda m: (("mass", float(m[1])),)),
    (r"\b(\d{2,3}) ?(?:lbs?|pounds?)\b", lambda m: (("mass", 0.4536 * float(m[1])),)),
    (r"\b(?:aged |age )?(?:between )?(\d{1,2}) (?:to|and|or) (\d{1,2}) ?(?:years?|yrs?)(?: of age| old)?\b",
     lambda m: _years(float(m[1]), float(m[2]))),
    (r"\b(?:aged?|ages) (?:between )?(\d{1,2}) (?:to|and) (\d{1,2})\b", lambda m: _years(float(m[1]), float(m[2]))),
    (rf"\b{_ABOUT}(\d{{1,3}}) ?(?:years?|yrs?|yr) ?(?:old|of age|olds)\b", lambda m: _years(float(m[1]))),
    (r"\b(\d{1,3}) ?(?:y/o|yo|y\.o\.)(?!\w)", lambda m: _years(float(m[1]))),
    (r"\bage group (\d{1,2}) (\d{1,2})\b", lambda m: _years(float(m[1]), float(m[2]))),
    (rf"\b(?:aged?|age of|age is|age:) ?{_ABOUT}(\d{{1,3}})\b(?! ?(?:%|cm))", lambda m: _years(float(m[1]))),
    (
        rf"\b(?:in |around |about )?{_PRONOUN}(?:(early|mid|late) )?(?:to late )?(\d0'?s|{'|'.join(_DECADES)})\b",
        _decade,
    ),
    (r"\b(\d0) ?something\b", lambda m: _years(float(m[1]), float(m[1]) + 9.8)),
    (r"\b(\d{2}) ?ish\b", lambda m: _years(float(m[1]) - 2, float(m[1]) + 2)),
    (r"\bover (\d{2})\b", lambda m: _years(float(m[1]), float(m[1]) + 12)),
    (r"\bunder (\d{2})\b", lambda m: _years(float(m[1]) - 6, float(m[1]) - 0.1)),
    (r"(?<= of )(\d{1,2})\b(?=[,.;]| (?:in|with|wearing|who|and|dressed)|$)", lambda m: _years(float(m[1]))),
    (rf"(?:(?<=\bis )|(?<=\bhe's )|(?<=\bshe's )|(?<=^he )|(?<=turned )){_ABOUT}(\d{{1,2}})\b"
     r"(?! ?[a-z]* ?(?:tall|m\b))(?=[ ,.;]|$)",
     lambda m: _years(float(m[1]))),
    (rf"(?:(?<=,)|(?<=, )|^)\(?{_ABOUT}(\d{{1,2}})\)?(?= ?(?:,|\.|;|$))", lambda m: _years(float(m[1]))),
)  # fmt: skip


def _mark(found: list[tuple[Effect, ...]], effects_of: Callable[..., Any], match: re.Match[str]) -> str:
    """A placeholder for a measure, whose effects join ``found``; the text itself where it is none."""
    effects = effects_of(match)
    if effects is None:
        return match[0]
    found.append(effects)
    return f" \x00{len(found) - 1}\x01 "


def mark_measures(text: str) -> tuple[str, list[tuple[Effect, ...]]]:
    """The text with each measure a numbered placeholder, other small numbers as words, and what the measures say."""
    text = re.sub(r"\s+", " ", _numerals(text)).strip()
    found: list[tuple[Effect, ...]] = []
    for pattern, effects_of in MEASURES:
        text = re.sub(pattern, partial(_mark, found, effects_of), text)
    words = {str(value): word for word, value in NUMBERS.items()}
    text = re.sub(r"(?<![\x00\d.])\b\d{1,2}\b(?!\x01)", lambda m: words.get(m[0], m[0]), text)  # "two-tone"
    return text, found
