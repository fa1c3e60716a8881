"""A prompt as words, punctuation and measures, its spelling repaired."""

import re
from dataclasses import dataclass
from functools import cache

import simplemma
from rapidfuzz import fuzz, process

from bozzetto.figure.colours import EYES, HAIR, HAIR_SPELLINGS, MODIFIERS, SKIN, SKIN_SPELLINGS, TINTS, find_colour
from bozzetto.figure.people import ACCENTS
from bozzetto.subject import lexicon
from bozzetto.subject.lexicon import Effect
from bozzetto.subject.measures import mark_measures
from bozzetto.subject.vocabulary import lemma, vocabulary


@dataclass(frozen=True)
class Token:
    text: str
    effects: tuple[Effect, ...] = ()
    """Of a measure ("1.80 m", "in her forties"), found before words are."""
    respelt: str = ""
    """What was written, where the spelling was repaired."""


def tokenise(prompt: str) -> list[Token]:
    """Lower-case words, punctuation and measures; hyphens open, spelling repaired, "-less" turned into "without"."""
    text = re.sub(r"[\x00-\x1f]+", " ", prompt).lower().translate(str.maketrans("’‘“”`´ʹ′″", "''\"\"''''\""))
    text = re.sub(r"(?<=\w)[-‐‑_]+(?=\w)", " ", text)
    text, measures = mark_measures(text)
    text = re.sub(r"\b(\w{3,}) free\b", lambda m: f"without {m[1]} ," if (m[1],) in vocabulary() else m[0], text)
    text = re.sub(r"\b(\w+)n't\b", r"\1 not", text).replace(" can not ", " not ")
    tokens: list[Token] = []
    for match in re.finditer(r"\x00(\d+)\x01|[^\W\d_]+(?:'(?!s\b|re\b)[^\W\d_]+)?|'s\b|'re\b|\d+|[^\w\s]", text):
        if match[1]:
            tokens.append(Token(match[0], effects=measures[int(match[1])]))
        else:
            tokens.extend(_respell(match[0]))
    return tokens


@cache
def _known_words() -> frozenset[str]:
    words = {word for phrase in vocabulary() for word in phrase} | set(lexicon.STOP) | set(MODIFIERS) | set(TINTS)
    for table in (ACCENTS, HAIR, EYES, SKIN, SKIN_SPELLINGS, HAIR_SPELLINGS):
        words |= {word for name in table for word in name.split()}
    return frozenset(words)


@cache
def _repairable() -> tuple[str, ...]:
    return tuple(sorted(word for word in _known_words() if len(word) >= 4 and word.isalpha()))


SHORT_REPAIRS = {
    "blu": "blue", "grn": "green", "yelow": "yellow", "blak": "black", "blck": "black", "wht": "white", "pnk": "pink",
    "purpel": "purple", "wite": "white", "gren": "green", "bege": "beige", "shrt": "shirt", "beerd": "beard",
    "hare": "hair", "brwn": "brown", "orang": "orange", "glases": "glasses", "wimen": "woman", "gry": "grey",
    "weering": "wearing", "tal": "tall", "shoos": "shoes", "hatt": "hat", "coatt": "coat", "drees": "dress",
}  # fmt: skip
"""Slips too short or too near another word for the general repair."""


@cache
def _respell(word: str) -> tuple[Token, ...]:
    known = _known_words()
    if word in SHORT_REPAIRS:
        return (Token(SHORT_REPAIRS[word], respelt=word),)
    if word in known or not word.isalpha() or find_colour(word) or lemma(word) in known:
        return (Token(word),)
    if word.endswith("less") and len(word) > 6 and ((word[:-4],) in vocabulary() or (word[:-4] + "s",) in vocabulary()):
        stem = word[:-4] if (word[:-4],) in vocabulary() else word[:-4] + "s"
        return Token("without"), Token(stem), Token("|")
    if word.endswith("s") and word[:-1] in known:
        return (Token(word[:-1]),)
    if len(word) >= 5 and not simplemma.is_known(word, lang="en"):
        best = process.extractOne(word, _repairable(), scorer=fuzz.ratio, score_cutoff=82)
        if best and best[0][0] == word[0]:
            return (Token(best[0], respelt=word),)
        for cut in range(3, len(word) - 2):  # "bluehaired"
            if word[:cut] in known and (word[cut:],) in vocabulary() and word[:cut] not in lexicon.STOP:
                return Token(word[:cut], respelt=word), Token(word[cut:])
    return (Token(word),)
