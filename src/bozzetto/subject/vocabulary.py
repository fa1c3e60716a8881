"""What each phrase of the lexicon means to the reader, whichever table it stands in."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, Literal, TypeAlias

import simplemma

from bozzetto.figure.colours import MODIFIERS, find_colour
from bozzetto.figure.spec import Colour
from bozzetto.subject import lexicon
from bozzetto.subject.lexicon import Effect
from bozzetto.types import UserError

Role: TypeAlias = Literal[
    "word", "colour", "pattern", "head", "fact", "not", "and", "or", "comma", "end", "but", "colon", "in", "be", "with",
    "who", "pronoun", "det", "wear", "apart", "also", "same", "all", "filler", "unknown",
]  # fmt: skip


@dataclass(frozen=True)
class Sense:
    """What a phrase of the lexicon means."""

    role: Role
    value: Any = None
    """``word``: effects by target. ``head``: a Head. ``fact``: effects. ``colour``, ``pattern``: the name."""


@dataclass(frozen=True)
class Head:
    """A noun that adjectives can attach to."""

    target: str
    """"person", "child", "hair" …, "garment", "outfit"."""
    effects: tuple[Effect, ...] = ()
    kinds: tuple[str, ...] = ()
    """Of a garment: those the noun may mean."""
    archetype: str = ""
    """Of an occupation: its name."""


LINKS: dict[Role, str] = {
    "and": "and &", "or": "or nor", "comma": ", / | – — ( ) [ ]", "end": ". ; ! ? …",
    "but": "but however though although",
    "colon": ": =", "be": "is are was were 's 're be being dyed coloured colored painted tinted died", "in": "in of",
    "with": "with has have having plus", "who": "who",
    "det": "a an the his her their its my this that these those some two three another one",
    "wear": "wearing wears wear wore dressed clad sporting dons donning carrying outfitted attired",
    "apart": "under underneath beneath over on from by at for above beside around behind near below against atop to "
    "into onto through around holding", "also": "also too both", "same": "matching same", "all": "all entirely "
    "completely totally fully head",
}  # fmt: skip


Entries: TypeAlias = Iterator[tuple[Iterable[str], Sense]]


@cache
def vocabulary() -> dict[tuple[str, ...], Sense]:
    """Every phrase of the lexicon but the colours; where two tables claim a phrase, the later one wins."""
    return {
        tuple(phrase.replace("'s", " 's").split()): sense
        for phrases, sense in chain(_adjectives(), _parts(), _facts(), _clothes(), _people(), _grammar())
        for phrase in phrases
    }


def split_phrases(words: str) -> list[str]:
    return [word.strip() for word in words.split(",")]


def lemma(word: str) -> str:
    """The word as a dictionary has it. To open the dictionary costs half a second, so what needs none goes without."""
    if not word.isalpha() or word in lexicon.STOP or word in MODIFIERS or find_colour(word) or (word,) in vocabulary():
        return word
    return simplemma.lemmatize(word, lang="en")


def named_colour(of: Callable[[str], Colour], name: str) -> Colour | None:
    """The colour of a name, or None where ``of`` knows none."""
    try:
        return of(name)
    except UserError:
        return None


def _adjectives() -> Entries:
    """Words by what they say of each noun; of two tables that say it of one noun, the earlier wins."""
    words: dict[str, dict[str, tuple[Effect, ...]]] = {}
    for phrases, targets in lexicon.MODIFIERS.items():
        for phrase in split_phrases(phrases):
            for target, effects in targets.items():
                words.setdefault(phrase, {}).setdefault(target, effects)
    for attribute, target, table in (
        ("hair.length", "hair", lexicon.HAIR_LENGTHS),
        ("hair.texture", "hair", lexicon.HAIR_TEXTURES),
        ("shape", "face", lexicon.FACE_SHAPES),
        ("brows", "brows", lexicon.THICKNESS),
        ("lips", "lips", lexicon.THICKNESS),
        ("beard", "beard", lexicon.BEARD_FORMS),
    ):
        for value, phrases in table.items():
            for phrase in split_phrases(phrases):
                words.setdefault(phrase, {}).setdefault(target, ((attribute, value),))
    toned = {"person": "skin", "skin": "skin", "hair": "hair.colour", "eyes": "eyes", "face": "skin"}
    for phrase in split_phrases(lexicon.TONES):
        for target, attribute in toned.items():
            words.setdefault(phrase, {}).setdefault(target, ((attribute, phrase),))
    for phrase, targets in words.items():
        yield [phrase], Sense("word", targets)
    for pattern, phrases in lexicon.PATTERNS.items():
        yield split_phrases(phrases), Sense("pattern", pattern)


def _parts() -> Entries:
    for part, phrases in lexicon.PARTS.items():
        yield split_phrases(phrases), Sense("head", Head(part))
    for style, phrases in lexicon.HAIR_STYLES.items():
        yield split_phrases(phrases), Sense("head", Head("hair", (("hair.style", style),)))
    for style, phrases in lexicon.BEARDS.items():
        yield split_phrases(phrases), Sense("head", Head("beard", (("beard", style),)))


def _facts() -> Entries:
    for attribute, table in (("expression", lexicon.EXPRESSIONS), ("pose", lexicon.POSES)):
        for value, phrases in table.items():
            yield split_phrases(phrases), Sense("fact", ((attribute, value),))
    for look, phrases in lexicon.LOOKS.items():
        effects: tuple[Effect, ...] = (("look", look),)
        is_person = look in lexicon.LOOK_PEOPLE
        yield split_phrases(phrases), Sense("head", Head("look", effects)) if is_person else Sense("fact", effects)
    for phrases, effects in lexicon.FACTS.items():
        yield split_phrases(phrases), Sense("fact", effects)


def _clothes() -> Entries:
    for kinds, phrases in lexicon.GARMENTS.items():
        yield split_phrases(phrases), Sense("head", Head("garment", kinds=tuple(kinds.split("|"))))
    for word, (kinds, _) in lexicon.OUTFITS.items():
        yield [word], Sense("head", Head("outfit", kinds=kinds))


def _people() -> Entries:
    for phrases in lexicon.ARCHETYPES:
        names = split_phrases(phrases)
        for name in names:
            gender = (lexicon.MAN,) if name in lexicon.MEN else (lexicon.WOMAN,) if name in lexicon.WOMEN else ()
            yield [name], Sense("head", Head("person", gender, archetype=names[0]))
    for table, target in ((lexicon.PEOPLE, "person"), (lexicon.CHILDREN, "child")):
        for phrases, effects in table.items():
            yield split_phrases(phrases), Sense("head", Head(target, effects))


def _grammar() -> Entries:
    yield split_phrases(lexicon.NEGATIONS), Sense("not")
    for role, phrases in LINKS.items():
        yield phrases.split(), Sense(role)
    for pronoun, effect in lexicon.PRONOUNS.items():
        yield [pronoun], Sense("det" if pronoun in ("his", "her", "their", "hers") else "pronoun", effect)
