"""Tokens as phrases with meanings, those that a "no" reaches marked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from bozzetto.figure.colours import EYES, HAIR, HAIR_SPELLINGS, MODIFIERS, TINTS, find_colour, hair_colour
from bozzetto.subject import lexicon
from bozzetto.subject.tokens import Token
from bozzetto.subject.vocabulary import Role, Sense, lemma, named_colour, split_phrases, vocabulary


@dataclass(frozen=True)
class Mention:
    """A phrase of the prompt and what it means."""

    role: Role
    text: str
    value: Any = None
    negated: bool = False


SKIPPED = frozenset(("his", "her", "their", "its", "the", "a", "my"))
"""Determiners that may stand inside a phrase: "hands on her hips"."""
BARE_NOUNS = frozenset(
    """
    marine forest royal hunter corn smoke straw salt melon heather butter strawberry watermelon grape cardinal
    peacock shamrock linen snow stone steel pine fern natural bold soft medium very hot rich cool warm light
    dark bright pale deep shiny electric baby cold saturated flamingo
    """.split()
)
"""Colour words that alone are more often something else."""


def find_mentions(tokens: Sequence[Token]) -> list[Mention]:
    """The tokens as phrases with meanings; of colours and other words the longer wins."""
    mentions: list[Mention] = []
    index = 0
    while index < len(tokens):
        mention, index = _mention_at(tokens, index)
        mentions.append(mention)
    return mentions


def _mention_at(tokens: Sequence[Token], start: int) -> tuple[Mention, int]:
    """The longest phrase at a token, and where it ends."""
    token = tokens[start]
    if token.effects:
        return Mention("fact", "", token.effects), start + 1
    sense, end = _sense_at(tokens, start)
    shade, shade_end = _colour_at(tokens, start)
    if shade and shade_end >= end and not (sense and shade_end == end and sense.role in ("head", "fact", "word")):
        return Mention("colour", shade, shade), shade_end
    if sense:
        return Mention(sense.role, " ".join(item.text for item in tokens[start:end]), sense.value), end
    if token.text in lexicon.STOP or lemma(token.text) in lexicon.STOP or not token.text[0].isalpha():
        return Mention("filler", token.text), start + 1
    return Mention("unknown", token.respelt or token.text), start + 1


def _sense_at(tokens: Sequence[Token], start: int) -> tuple[Sense | None, int]:
    """The longest phrase of the lexicon at a token, and where it ends; a determiner inside it may be skipped."""
    window: list[tuple[str, int]] = []
    for end, token in enumerate(tokens[start : start + _longest()], start + 1):
        if token.effects:
            break
        window.append((token.text, end))
    for kept in (window, [window[0], *(item for item in window[1:] if item[0] not in SKIPPED)]):
        for length in range(len(kept), 1, -1):
            sense = _sense(tuple(text for text, _ in kept[:length]))
            if sense:
                return sense, kept[length - 1][1]
    word = tokens[start].text
    sense = _sense((word,)) or (vocabulary().get((word[:-1],)) if word.endswith("s") else None)
    return sense, start + 1 if sense else start


def _sense(phrase: tuple[str, ...]) -> Sense | None:
    """What a phrase means as it stands, or else with its last word in the singular."""
    sense = vocabulary().get(phrase)
    if sense or phrase[:-1] not in _beginnings():
        return sense
    return vocabulary().get((*phrase[:-1], lemma(phrase[-1])))


@cache
def _beginnings() -> frozenset[tuple[str, ...]]:
    """Every phrase of the lexicon without its last word."""
    return frozenset(phrase[:-1] for phrase in vocabulary())


@cache
def _longest() -> int:
    return max(map(len, vocabulary()))


def _colour_at(tokens: Sequence[Token], start: int) -> tuple[str | None, int]:
    """The longest colour name at a token, and where it ends."""
    for end in range(min(start + 4, len(tokens)), start, -1):
        words = tuple(token.text for token in tokens[start:end])
        name = _colour_words(words) if all(word.isalpha() for word in words) else None
        if name:
            return name, end
    return None, start


@cache
def _colour_words(words: tuple[str, ...]) -> str | None:
    """The words as a colour name, of cloth or of hair, eyes or skin."""
    name = " ".join(words)
    if name in BARE_NOUNS or words[-1] in ("redhead", "brunette") or words[-1] in MODIFIERS:
        return None
    if len(words) == 1 and (words[0] in TINTS or words[0] in _tones()):
        return None
    if name in HAIR or name in HAIR_SPELLINGS or name in EYES or find_colour(name):
        return name
    if len(words) > 1 and words[0] in MODIFIERS and _colour_words(words[1:]):
        return name if named_colour(hair_colour, name) else " ".join(words[1:])
    return None


@cache
def _tones() -> frozenset[str]:
    return frozenset(split_phrases(lexicon.TONES))


def scope_negations(mentions: Sequence[Mention]) -> list[Mention]:
    """The mentions with those in the reach of a "no" marked, and the negations gone.

    A negation reaches its noun and no further; "or" and "nor" carry it on, through a list with commas too.
    """
    scoped: list[Mention] = []
    reaching = False
    for index, mention in enumerate(mentions):
        if mention.role == "not":
            reaching = True
            continue
        if mention.role in ("end", "but", "with", "and", "who", "pronoun", "colon") or (
            mention.role == "in" and scoped and scoped[-1].negated
        ):
            reaching = False
        elif mention.role == "comma":
            reaching = reaching and mention.text == "," and _list_goes_on(mentions[index + 1 :])
        elif mention.role == "filler" and mention.text in ("only", "just", "instead"):
            reaching = False
        if reaching and mention.role in ("head", "fact", "word", "colour", "pattern"):
            mention = replace(mention, negated=True)
        scoped.append(mention)
    return scoped


def _list_goes_on(mentions: Sequence[Mention]) -> bool:
    """Whether bare nouns up to an "or" follow: "no hat, gloves or scarf"."""
    for mention in mentions:
        if mention.role == "or":
            return True
        if mention.role not in ("head", "word", "colour", "comma", "filler", "det", "pattern"):
            return False
    return False
