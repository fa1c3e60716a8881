"""A sentence in free English -> a complete figure, with what was understood, guessed and missed.

Five passes: ``tokenise`` -> ``find_mentions`` -> ``scope_negations`` -> ``attach`` -> ``build``. The words live in
``lexicon.py``; nothing here knows a garment or an occupation by name.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, Literal, TypeAlias

import simplemma
from rapidfuzz import fuzz, process

from bozzetto.figure import people
from bozzetto.figure.colours import (
    EYES,
    HAIR,
    HAIR_SPELLINGS,
    MODIFIERS,
    SKIN,
    SKIN_SPELLINGS,
    TINTS,
    eye_colour,
    find_colour,
    hair_colour,
    skin_colour,
)
from bozzetto.figure.colours import colour as cloth_colour
from bozzetto.figure.people import EYEWEAR, HEADWEAR, SLOT_OF, SLOTS, GarmentWish, Wishes, complete
from bozzetto.figure.spec import Colour, FigureSpec
from bozzetto.subject import lexicon
from bozzetto.subject.lexicon import Effect
from bozzetto.types import UserError

LONGEST = 2000
"""Characters a prompt may have."""


@dataclass(frozen=True)
class Reading:
    """What a sentence came to."""

    spec: FigureSpec
    understood: tuple[str, ...]
    """Short phrases: "hair: short, red"."""
    guessed: tuple[str, ...]
    """What followed from an occupation or a respelling rather than from the words themselves."""
    not_understood: tuple[str, ...]
    """Words that had no effect."""


def read_words(prompt: str, seed: int = 0) -> Reading:
    """The figure that a sentence describes; what the words leave open is filled from the seed.

    Raises:
        UserError: The prompt is blank, longer than 2,000 characters, or no word of it is understood.
    """
    if not prompt.strip():
        raise UserError('The prompt is empty. Say who you want to see, e.g. "a tall woman with short red hair".')
    if len(prompt) > LONGEST:
        raise UserError(
            f"The prompt has {len(prompt):,} characters; bozzetto reads at most {LONGEST:,}. "
            "Describe one person: body, face, hair, clothes, pose."
        )
    draft = _read(prompt)
    if not draft.understood:
        words = ", ".join(repr(word) for word in draft.missed[:8]) or repr(prompt.strip()[:40])
        raise UserError(
            f"None of these words describes a person to bozzetto: {words}. Words for age, build, skin, eyes, hair, "
            "clothes, colours, occupations and poses work, in English; for example: "
            '"an old man with a long white beard, a green coat and brown boots".'
        )
    return Reading(complete(draft.wishes, seed), draft.understood, draft.guessed, draft.missed)


# ---------------------------------------------------------------------------------------------------- the lexicon

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


def _split(words: str) -> list[str]:
    return [word.strip() for word in words.split(",")]


@cache
def vocabulary() -> dict[tuple[str, ...], Sense]:
    """Every phrase of the lexicon but the colours; where two tables claim a phrase, the later one wins."""
    senses: dict[tuple[str, ...], Sense] = {}

    def add(phrases: Iterable[str], sense: Sense) -> None:
        for phrase in phrases:
            senses[tuple(phrase.replace("'s", " 's").split())] = sense

    words: dict[str, dict[str, tuple[Effect, ...]]] = {}

    def add_word(phrase: str, target: str, effects: tuple[Effect, ...]) -> None:
        words.setdefault(phrase, {}).setdefault(target, effects)

    for phrases, targets in lexicon.MODIFIERS.items():
        for phrase in _split(phrases):
            for target, effects in targets.items():
                add_word(phrase, target, effects)
    for attribute, target, table in (
        ("hair.length", "hair", lexicon.HAIR_LENGTHS),
        ("hair.texture", "hair", lexicon.HAIR_TEXTURES),
        ("shape", "face", lexicon.FACE_SHAPES),
        ("brows", "brows", lexicon.THICKNESS),
        ("lips", "lips", lexicon.THICKNESS),
        ("beard", "beard", lexicon.BEARD_FORMS),
    ):
        for value, phrases in table.items():
            for phrase in _split(phrases):
                add_word(phrase, target, ((attribute, value),))
    for phrase in _split(lexicon.TONES):
        for target, attribute in (("person", "skin"), ("skin", "skin"), ("hair", "hair.colour"), ("eyes", "eyes"),
                                  ("face", "skin")):  # fmt: skip
            add_word(phrase, target, ((attribute, phrase),))
    for phrase, targets in words.items():
        add([phrase], Sense("word", targets))
    for pattern, phrases in lexicon.PATTERNS.items():
        add(_split(phrases), Sense("pattern", pattern))
    for part, phrases in lexicon.PARTS.items():
        add(_split(phrases), Sense("head", Head(part)))
    for style, phrases in lexicon.HAIR_STYLES.items():
        add(_split(phrases), Sense("head", Head("hair", (("hair.style", style),))))
    for style, phrases in lexicon.BEARDS.items():
        add(_split(phrases), Sense("head", Head("beard", (("beard", style),))))
    for attribute, table in (("expression", lexicon.EXPRESSIONS), ("pose", lexicon.POSES)):
        for value, phrases in table.items():
            add(_split(phrases), Sense("fact", ((attribute, value),)))
    for look, phrases in lexicon.LOOKS.items():
        role = Sense("head", Head("look", (("look", look),))) if look in lexicon.LOOK_PEOPLE else None
        add(_split(phrases), role or Sense("fact", (("look", look),)))
    for phrases, effects in lexicon.FACTS.items():
        add(_split(phrases), Sense("fact", effects))
    for kinds, phrases in lexicon.GARMENTS.items():
        add(_split(phrases), Sense("head", Head("garment", kinds=tuple(kinds.split("|")))))
    for word, (kinds, _) in lexicon.OUTFITS.items():
        add([word], Sense("head", Head("outfit", kinds=kinds)))
    for phrases in lexicon.ARCHETYPES:
        names = _split(phrases)
        for name in names:
            ending = lexicon.MAN if name in MEN else lexicon.WOMAN if name in WOMEN else None
            add([name], Sense("head", Head("person", (ending,) if ending else (), archetype=names[0])))
    for table, target in ((lexicon.PEOPLE, "person"), (lexicon.CHILDREN, "child")):
        for phrases, effects in table.items():
            add(_split(phrases), Sense("head", Head(target, effects)))
    add(_split(lexicon.NEGATIONS), Sense("not"))
    for role, phrases in LINKS.items():
        add(phrases.split(), Sense(role))
    for pronoun, effect in lexicon.PRONOUNS.items():
        possessive = pronoun in ("his", "her", "their", "hers")
        add([pronoun], Sense("det" if possessive else "pronoun", effect))
    return senses


MEN = frozenset(
    """
    fireman policeman barman workman mailman postman spaceman seaman fisherman clergyman nobleman sportsman
    strongman caveman huntsman infantryman duke
    """.split()
)
WOMEN = frozenset(
    """
    firewoman policewoman waitress barmaid stewardess sorceress enchantress superheroine sportswoman cavewoman
    duchess countess empress noblewoman
    """.split()
)
LENGTHS = {
    ("dress", "mini"): "mini dress", ("dress", "knee"): "knee dress", ("dress", "long"): "long dress",
    ("skirt", "mini"): "mini skirt", ("skirt", "knee"): "knee skirt", ("skirt", "long"): "long skirt",
    ("trousers", "short"): "shorts",
}  # fmt: skip
OPPOSITES = {
    ("hair.length", "short"): ("hair.length", "long"), ("hair.length", "long"): ("hair.length", "short"),
    ("hair.texture", "curly"): ("hair.texture", "straight"), ("hair.texture", "straight"): ("hair.texture", "wavy"),
}  # fmt: skip
WITHOUT_EFFECT: dict[str, Any] = {
    "expression": "neutral", "stature": (-0.5, 0.5), "weight": (0.42, 0.56), "muscle": (0.35, 0.5), "freckles": 0.0,
    "blush": 0.0, "beard": "none",
}  # fmt: skip
LAYERING = {
    kind: rank
    for kinds in (
        ("tank top", "t-shirt", "shirt", "blouse", "turtleneck", "sweater", "hoodie"),
        ("vest", "cardigan", "suit jacket", "jacket", "robe", "coat"),
        ("leggings", "shorts", "jeans", "trousers", "knee skirt", "long skirt", "mini skirt"),
    )
    for rank, kind in enumerate(kinds)
}
"""Of two in one slot, the one that shows."""


# ---------------------------------------------------------------------------------------------------- tokens


@dataclass(frozen=True)
class Token:
    text: str
    effects: tuple[Effect, ...] = ()
    """Of a measure ("1.80 m", "in her forties"), found before words are."""
    respelt: str = ""
    """What was written, where the spelling was repaired."""


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


def tokenise(prompt: str) -> list[Token]:
    """Lower-case words, punctuation and measures; hyphens open, spelling repaired, "-less" turned into "without"."""
    text = re.sub(r"[\x00-\x1f]+", " ", prompt).lower().translate(str.maketrans("’‘“”`´ʹ′″", "''\"\"''''\""))
    text = re.sub(r"(?<=\w)[-‐‑_]+(?=\w)", " ", text)
    text = re.sub(r"\s+", " ", _numerals(text)).strip()
    found: list[tuple[Effect, ...]] = []
    for pattern, effects_of in MEASURES:
        text = re.sub(pattern, partial(_mark, found, effects_of), text)
    words = {str(value): word for word, value in NUMBERS.items()}
    text = re.sub(r"(?<![\x00\d.])\b\d{1,2}\b(?!\x01)", lambda m: words.get(m[0], m[0]), text)  # "two-tone"
    text = re.sub(r"\b(\w{3,}) free\b", lambda m: f"without {m[1]} ," if (m[1],) in vocabulary() else m[0], text)
    text = re.sub(r"\b(\w+)n't\b", r"\1 not", text).replace(" can not ", " not ")
    tokens: list[Token] = []
    for match in re.finditer(r"\x00(\d+)\x01|[^\W\d_]+(?:'(?!s\b|re\b)[^\W\d_]+)?|'s\b|'re\b|\d+|[^\w\s]", text):
        if match[1]:
            tokens.append(Token(match[0], effects=found[int(match[1])]))
        else:
            tokens.extend(_respell(match[0]))
    return tokens


@cache
def _known_words() -> frozenset[str]:
    words = {word for phrase in vocabulary() for word in phrase} | set(lexicon.STOP) | set(MODIFIERS) | set(TINTS)
    for table in (people.ACCENTS, HAIR, EYES, SKIN, SKIN_SPELLINGS, HAIR_SPELLINGS):
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


def _lemma(word: str) -> str:
    return simplemma.lemmatize(word, lang="en") if word.isalpha() and word not in lexicon.STOP else word


@cache
def _respell(word: str) -> tuple[Token, ...]:
    known = _known_words()
    if word in SHORT_REPAIRS:
        return (Token(SHORT_REPAIRS[word], respelt=word),)
    if word in known or not word.isalpha() or _lemma(word) in known or find_colour(word):
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


# ---------------------------------------------------------------------------------------------------- mentions


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


@cache
def _longest() -> int:
    return max(map(len, vocabulary()))


@cache
def _colour_words(words: tuple[str, ...]) -> str | None:
    """The words as a colour name, of cloth or of hair, eyes or skin."""
    name = " ".join(words)
    if (
        name in BARE_NOUNS
        or words[-1] in ("redhead", "brunette")
        or words[-1] in MODIFIERS
        or (words[-1] in TINTS and len(words) == 1)
    ):
        return None
    if len(words) == 1 and words[0] in _tones():
        return None
    if name in HAIR or name in HAIR_SPELLINGS or name in EYES:
        return name
    if find_colour(name):
        return name
    if len(words) > 1 and words[0] in MODIFIERS and _colour_words(words[1:]):
        return name if _resolves(hair_colour, name) else " ".join(words[1:])
    return None


@cache
def _tones() -> frozenset[str]:
    return frozenset(_split(lexicon.TONES))


def _resolves(of: Callable[[str], Colour], name: str) -> bool:
    try:
        of(name)
    except UserError:
        return False
    return True


def _match(tokens: Sequence[Token], start: int) -> tuple[Sense, int] | None:
    """The longest phrase of the lexicon at a token, surface forms before lemmas, and where it ends."""
    vocab = vocabulary()
    window: list[tuple[str, int]] = []
    for index in range(start, len(tokens)):
        text = tokens[index].text
        if tokens[index].effects or len(window) == _longest():
            break
        window.append((text, index + 1))
    for kept in (
        window,
        [(text, end) for place, (text, end) in enumerate(window) if place == 0 or text not in SKIPPED],
    ):
        for length in range(len(kept), 0, -1):
            phrase = tuple(text for text, _ in kept[:length])
            sense = vocab.get(phrase) or vocab.get((*phrase[:-1], _lemma(phrase[-1])))
            if sense is None and length == 1 and phrase[0].endswith("s"):
                sense = vocab.get((phrase[0][:-1],))
            if sense is not None and (length > 1 or kept is window):
                best = (sense, kept[length - 1][1])
                if kept is window and length == 1:  # a longer phrase may skip a determiner
                    break
                return best
        else:
            continue
    phrase = window[0][0] if window else ""
    sense = vocab.get((phrase,)) or vocab.get((_lemma(phrase),)) or (
        vocab.get((phrase[:-1],)) if phrase.endswith("s") else None
    )  # fmt: skip
    return (sense, start + 1) if sense else None


def find_mentions(tokens: Sequence[Token]) -> list[Mention]:
    """The tokens as phrases with meanings; of colours and other words the longer wins."""
    mentions: list[Mention] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.effects:
            mentions.append(Mention("fact", "", token.effects))
            index += 1
            continue
        found = _match(tokens, index)
        end = found[1] if found else index
        shade: tuple[str, int] | None = None
        for stop in range(min(index + 4, len(tokens)), index, -1):
            words = tuple(item.text for item in tokens[index:stop])
            name = _colour_words(words) if all(word.isalpha() for word in words) else None
            if name:
                shade = (name, stop)
                break
        text = " ".join(item.text for item in tokens[index : max(end, index + 1)])
        if shade and shade[1] >= end and not (found and shade[1] == end and found[0].role in ("head", "fact", "word")):
            mentions.append(Mention("colour", shade[0], shade[0]))
            index = shade[1]
        elif found:
            mentions.append(Mention(found[0].role, text, found[0].value))
            index = end
        elif token.text in lexicon.STOP or _lemma(token.text) in lexicon.STOP or not token.text[0].isalpha():
            mentions.append(Mention("filler", token.text))
            index += 1
        else:
            mentions.append(Mention("unknown", token.respelt or token.text))
            index += 1
    return mentions


# ---------------------------------------------------------------------------------------------------- negation


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


# ---------------------------------------------------------------------------------------------------- attachment


@dataclass
class Item:
    """A noun of the prompt with what was said of it."""

    head: Head
    text: str
    negated: bool = False
    determined: bool = False
    colours: list[str] = field(default_factory=list)
    pattern: str | None = None
    late_second: bool = False
    """The colour before the pattern word is the pattern's: "white-striped blue shirt"."""
    effects: list[Effect] = field(default_factory=list)
    like: "Item | None" = None
    """Shares its colours where it has none: "black boots and gloves"."""

    @property
    def kinds(self) -> tuple[str, ...]:
        return self.head.kinds

    @property
    def targets(self) -> tuple[str, ...]:
        """The names under which adjectives know this noun, nearest first."""
        if self.head.target in ("garment", "outfit"):
            kind = self.kinds[0]
            slot = SLOT_OF[kind]
            near = "skirt" if kind.endswith("skirt") else "trousers" if slot == "bottom" else slot
            return near, "garment"
        if self.head.target == "child":
            return "child", "person"
        if self.head.target == "look":
            return ("person",)
        return (self.head.target,)

    @property
    def is_worn(self) -> bool:
        return self.head.target in ("garment", "outfit")

    @property
    def is_person(self) -> bool:
        return self.head.target in ("person", "child", "look")

    def effects_of(self, mention: Mention) -> tuple[Effect, ...] | None:
        for target in self.targets:
            if target in mention.value:
                return mention.value[target]
        return None


@dataclass
class Attached:
    """Everything the prompt says, before it is weighed."""

    items: list[Item] = field(default_factory=list)
    effects: list[tuple[Effect, bool]] = field(default_factory=list)
    """Said of the person as a whole, and whether negated."""
    wardrobe: list[str] = field(default_factory=list)
    """Colours of all clothes: "dressed in black"."""
    wholly: bool = False
    missed: list[str] = field(default_factory=list)


BLONDE = ("blonde", "blond")
COLOURED = ("hair", "eyes", "skin", "lips", "lipstick", "eyeshadow", "beard", "brows", "face")


class _Attacher:
    """The state of ``attach``: adjectives that wait for a noun, and what they would fall back to."""

    def __init__(self) -> None:
        self.out = Attached()
        self.person = Item(Head("person"), "person")
        self.pending: list[Mention] = []
        self.subjects: list[Item] = []
        """What a copula, an "in" or a "with" speaks of; empty without one."""
        self.link: Role | None = None
        self.group: list[Item] = []
        """The nouns just joined by "and" or commas."""
        self.joined: Role | None = None
        self.determined = False
        self.adjacent = False
        """Whether nothing stands between the last noun and the waiting adjectives."""
        self.post = False
        self.list_colours: list[str] = []
        self.worn_next = False
        self.wholly = False

    @property
    def last(self) -> Item:
        return self.group[-1] if self.group else self.person

    # -- giving adjectives to nouns

    def give(self, item: Item, mentions: Sequence[Mention], predicate: bool = False) -> list[Mention]:
        """Attach what fits the noun; returns what does not."""
        left: list[Mention] = []
        for mention in mentions:
            if mention.role in ("and", "comma", "or"):
                continue
            if mention.role == "same":
                self.match(item)
            elif mention.role == "colour" and not self.give_colour(item, mention, predicate):
                left.append(mention)
            elif mention.role == "pattern":
                if not item.is_worn:
                    left.append(mention)
                elif not mention.negated:
                    item.late_second = bool(item.colours) and not predicate and len(item.colours) == 1
                    item.pattern = mention.value
                    if mention.text in lexicon.PATTERN_COLOURS:
                        item.effects.append(("fallback", lexicon.PATTERN_COLOURS[mention.text]))
            elif mention.role == "word":
                effects = item.effects_of(mention)
                if effects is None:
                    left.append(mention)
                elif item.head.target == "beard" and item.head.effects:
                    continue  # a thick moustache is a moustache
                elif item.is_worn:
                    item.effects.extend(() if mention.negated else effects)
                else:
                    self.out.effects.extend((effect, mention.negated or item.negated) for effect in effects)
            elif mention.role == "unknown":
                left.append(mention)
        return left

    def give_colour(self, item: Item, mention: Mention, predicate: bool) -> bool:
        name = mention.value
        if mention.negated and not item.negated:
            return True
        if item.is_worn:
            if not find_colour(name):
                return False
            if predicate and item.colours and item.pattern is None:
                item.colours.clear()
            item.colours.append(name)
            return True
        if item.is_person:
            return self.colour_person(item, name)
        if item.head.target not in COLOURED:
            return False
        item.colours.append(name)
        return True

    def colour_person(self, item: Item, name: str) -> bool:
        """A colour before a person: skin, or hair where only hair has that colour, or an occupation's clothes."""
        effect: Effect | None = None
        if name == "bronze" and item.head.target != "look":
            effect = ("look", "bronze")
        elif item.head.target == "look":
            effect = ("skin", name) if find_colour(name) else None
        elif item.head.archetype and name not in ("black", "white", "brown", "blonde", "blond", "tan", "olive"):
            if find_colour(name):
                item.colours.append(name)
                return True
        elif name in BLONDE or (not find_colour(name) and (name in HAIR or name in HAIR_SPELLINGS)):
            effect = ("hair.colour", name)
        elif find_colour(name) or name in SKIN:
            effect = ("skin", name)
        if effect is None:
            return False
        self.out.effects.append((effect, False))
        return True

    def match(self, item: Item) -> None:
        for other in reversed(self.out.items):
            if other is not item and other.is_worn and not other.negated and (other.colours or other.like):
                item.like = other
                return
        for other in reversed(self.out.items):
            if other is not item and other.is_worn and not other.negated:
                item.like = other
                return

    def miss(self, mentions: Iterable[Mention]) -> None:
        self.out.missed.extend(m.text for m in mentions if m.role in ("unknown", "colour", "pattern", "word"))

    def default(self, mentions: Sequence[Mention]) -> None:
        """Adjectives that stand alone: "tall, curly, blonde"."""
        for mention in mentions:
            if mention.role == "word":
                targets = mention.value
                target = "person" if "person" in targets else next(iter(targets))
                if target not in ("person", "hair", "skin", "beard"):
                    self.miss([mention])
                else:
                    self.out.effects.extend((effect, mention.negated) for effect in targets[target])
            elif mention.role == "colour" and (mention.value in BLONDE or not find_colour(mention.value)):
                self.out.effects.append((("hair.colour", mention.value), mention.negated))
            else:
                self.miss([mention])

    # -- boundaries

    def flush(self) -> None:
        """The waiting adjectives meet no noun of their own: give them to what the sentence is about."""
        pending, self.pending = self.pending, []
        plain = [m for m in pending if m.role not in ("and", "comma", "or")]
        if not plain:
            return
        subjects = self.subjects if self.link else ([self.last] if self.post and self.group else [])
        self.post = False
        if self.wholly and not (self.link == "be" and subjects and subjects[-1].is_worn):
            subjects, self.link = [self.person], "in"
        if self.link == "in" and subjects and not (subjects[-1].is_worn or subjects[-1].head.target == "hair"):
            shades = [m for m in plain if m.role == "colour" and find_colour(m.value) and not m.negated]
            if shades:
                self.out.wardrobe.extend(m.value for m in shades)
                self.out.wholly |= self.wholly
                self.miss(m for m in plain if m.role == "unknown")
                self.wholly = False
                return
        self.wholly = False
        if not subjects:
            if any(m.role == "unknown" for m in plain):  # an unknown noun took them: "gold hoop earrings"
                last = max(i for i, m in enumerate(plain) if m.role == "unknown")
                self.miss(plain[: last + 1])
                plain = plain[last + 1 :]
            self.default(plain)
            return
        if self.link == "with" or (self.link is None and not subjects[-1].is_worn):
            unknown = [i for i, m in enumerate(plain) if m.role == "unknown"]
            if unknown:
                self.miss(plain[: unknown[-1] + 1])
                plain = plain[unknown[-1] + 1 :]
        if self.link == "with":
            shown = [m for m in plain if m.role == "pattern"]
            if shown and subjects[-1].is_worn and not shown[0].negated:
                base = subjects[-1]
                first = list(base.colours)
                base.pattern = shown[0].value
                base.colours = first + [m.value for m in plain if m.role == "colour" and find_colour(m.value)]
                base.late_second = False
                if not first and base.colours:
                    base.effects.append(("second only", True))
                self.miss(m for m in plain if m.role == "unknown")
                return
            self.default(plain)
            return
        shared = subjects if len(subjects) > 1 else subjects[-1:]
        left: list[Mention] = list(plain)
        for item in reversed(shared):
            if item is shared[-1] or not item.colours:
                rest = self.give(item, plain, predicate=True)
                left = rest if item is shared[-1] else left
        if left and not subjects[-1].is_person:
            words = [m for m in left if m.role == "word" and "person" in m.value]
            if words and self.link == "be":
                left = [m for m in left if m not in words]
                self.default(words)
        if subjects[-1].is_person:
            self.default(left)
        else:
            self.miss(left)

    def boundary(self) -> None:
        self.flush()
        self.link, self.subjects, self.joined = None, [], None
        self.determined = self.adjacent = False

    # -- nouns

    def noun(self, mention: Mention) -> None:
        head: Head = mention.value
        item = Item(head, mention.text, mention.negated, self.determined)
        before, own = self.split_pending()
        if before:
            self.pending = before
            self.flush()
        self.pending, self.post = [], False
        joins = bool(self.group) and self.joined is not None
        if joins and self.joined and item.is_worn == self.group[-1].is_worn:
            # "black boots and gloves", but not "a black shirt and jeans"
            previous = self.group[-1]
            named = any(m.role in ("colour", "same") for m in own)
            chain = self.joined == "and" or not self.group[0].determined
            worn = item.is_worn and "jeans" not in item.kinds
            parts = {item.head.target, previous.head.target} == {"hair", "eyes"} and self.joined == "and"
            if not named and not item.determined and chain and (worn or parts):
                item.like = previous
        left = self.give(item, own)
        words = mention.text.split()
        commas = [i for i, m in enumerate(own) if m.role == "comma"]
        apart = [m for m in left if m.role == "word" and "person" in m.value and commas and m in own[: commas[-1]]]
        self.default(apart)  # "fat, big moustache"
        left = [m for m in left if m not in apart]
        if left:
            if words[-1] in lexicon.ADJECTIVAL or (item.head.target in ("hair", "beard") and head.effects):
                carried = [m for m in left if m.role == "word"]
                self.miss(m for m in left if m.role == "unknown")
                self.pending = carried
            elif item.is_person:
                self.miss(m for m in left if m.role == "unknown")
                self.default([m for m in left if m.role != "unknown"])
            else:
                self.miss(left)
        if self.list_colours and item.is_worn and not item.colours:
            item.colours = list(self.list_colours)
        if head.target in ("beard", "hair", "person", "child", "look") or head.effects:
            self.out.effects[0:0] = [] if mention.negated else [
                (effect, False) for effect in head.effects if head.target not in ("hair", "beard")
            ]  # fmt: skip
        self.out.items.append(item)
        self.group = [*self.group, item] if joins else [item]
        if item.is_person and not item.negated:
            self.person = item if not self.person.head.archetype or item.head.archetype else self.person
        self.link, self.subjects, self.joined = None, [], None
        self.determined, self.adjacent = False, not self.pending
        self.wholly = False

    def split_pending(self) -> tuple[list[Mention], list[Mention]]:
        """The waiting adjectives as those of the sentence so far and those of the noun that comes now."""
        pending = self.pending
        separators = [i for i, m in enumerate(pending) if m.role in ("and", "comma", "or")]
        while pending and separators and separators[-1] == len(pending) - 1:  # "…is yellow and shoes…"
            return pending, []
        if not separators:
            return [], pending
        cut = separators[-1]
        if self.link is None and self.post is False:
            first = pending[: separators[0]]
            if any(m.role == "unknown" for m in first) and pending[cut].role == "comma":
                return pending[:cut], pending[cut + 1 :]
            return [], pending
        commas = [i for i in separators if pending[i].role == "comma"]
        patterned = any(m.role == "pattern" for m in pending[: (commas or [0])[-1]])
        if commas and (self.link != "with" or patterned):
            cut = commas[-1]
            return pending[:cut], pending[cut + 1 :]
        shown = self.link == "with" and any(m.role == "pattern" for m in pending[:cut])  # "with stripes and red boots"
        if self.link == "be" or self.post or shown:
            return pending[:cut], pending[cut + 1 :]
        return [], pending

    # -- the walk

    def step(self, mention: Mention, following: Mention | None) -> None:
        role = mention.role
        if role in ("word", "colour", "pattern", "unknown", "same"):
            if role == "unknown" and not self.pending:
                self.out.missed.append(mention.text)
                self.adjacent = False
                return
            if not self.pending:
                self.post = self.adjacent and self.link is None and role != "same"
            self.pending.append(mention)
            self.adjacent = False
        elif role == "head":
            self.noun(mention)
        elif role == "fact":
            for effect in mention.value:
                self.out.effects.append((effect, mention.negated))
        elif role in ("and", "or"):
            if self.pending:
                self.pending.append(mention)
            else:
                self.joined = self.joined or "and"
                self.adjacent = False
        elif role == "comma":
            if self.pending and self.pending[-1].role == "unknown" and self.link is None:
                self.flush()
            if self.pending:
                self.pending.append(mention)
            else:
                self.joined = self.joined or "comma"
                self.adjacent = False
        elif role in ("end", "but"):
            link, subjects = self.link, self.subjects
            self.boundary()
            self.list_colours = self.list_colours if role == "but" else []
            if role == "but":
                self.link, self.subjects = link, subjects
        elif role == "colon":
            shades = [m.value for m in self.pending if m.role == "colour"]
            if shades and not self.link and not self.post:
                self.list_colours, self.pending = shades, []
            else:
                group = self.group
                self.boundary()
                self.link, self.subjects = "be", group[-1:] or [self.person]
        elif role == "det":
            joined = self.joined if not self.pending else None
            self.boundary()
            self.joined = joined
            self.determined = True
            if mention.value:
                self.out.effects.append((("pronoun", mention.value), False))
        elif role == "pronoun":
            self.boundary()
            if mention.value:
                self.out.effects.append((("pronoun", mention.value), False))
            self.group = [self.person]
        elif role == "who":
            self.boundary()
            self.group = [self.person]
        elif role == "be":
            group = self.group
            self.flush_before_be()
            self.link = "be"
            self.subjects = self.subjects_of(group, mention.text)
        elif role == "in":
            group, worn = self.group, self.worn_next
            self.boundary()
            wanted = mention.text != "of" or (bool(group) and group[-1].is_worn)  # not "eyes made of copper"
            if wanted and not (following and following.role == "det"):
                self.link = "in"
                self.subjects = [self.person] if worn or not group else group[-1:]
        elif role == "with":
            group = self.group
            self.boundary()
            self.link, self.subjects = "with", group[-1:] or [self.person]
        elif role == "also":
            group = self.group
            self.flush()
            if group and following and following.role in ("colour", "pattern", "in"):
                self.link, self.subjects = "be", group if mention.text == "both" else group[-1:]
        elif role == "all":
            if following and following.role in ("in", "colour"):
                self.flush()
                self.wholly = True
        elif role in ("wear", "apart"):
            self.boundary()
            if role == "wear":
                self.link, self.subjects = "in", [self.person]
        self.worn_next = role == "wear" or (self.worn_next and role in ("all", "filler"))

    def flush_before_be(self) -> None:
        pending = self.pending
        if pending and self.link is None:  # "the shoes too are white"
            self.flush()
        else:
            self.flush()
        self.joined = None
        self.determined = self.adjacent = False

    def subjects_of(self, group: list[Item], verb: str) -> list[Item]:
        if not group:
            return [self.person]
        return list(group) if verb in ("are", "were") and not group[-1].is_person else group[-1:]


def attach(mentions: Sequence[Mention]) -> Attached:
    """Nouns with their adjectives: before them, after "is", "in", "with" and colons, or shared over "and"."""
    attacher = _Attacher()
    for index, mention in enumerate(mentions):
        following = next((m for m in mentions[index + 1 :] if m.role != "filler"), None)
        if mention.role == "filler":
            continue
        attacher.step(mention, following)
    attacher.boundary()
    return attacher.out


# ---------------------------------------------------------------------------------------------------- building


@dataclass(frozen=True)
class Draft:
    """A prompt as wishes, before anything is filled in."""

    wishes: Wishes
    understood: tuple[str, ...]
    guessed: tuple[str, ...]
    missed: tuple[str, ...]


@cache
def _archetype(name: str) -> Wishes:
    for phrases, description in lexicon.ARCHETYPES.items():
        if _split(phrases)[0] == name:
            return _read(description).wishes
    raise KeyError(name)


@cache
def _read(text: str) -> Draft:
    tokens = tokenise(text)
    attached = attach(scope_negations(find_mentions(tokens)))
    draft = build(attached)
    respelt = tuple(f'read "{token.respelt}" as "{token.text}"' for token in tokens if token.respelt)
    return replace(draft, guessed=(*draft.guessed, *respelt))


def _colours(item: Item, seen: tuple[int, ...] = ()) -> list[str]:
    """An item's colours: its own, or of the item it shares with."""
    if item.colours or item.like is None or id(item) in seen:
        return item.colours
    return _colours(item.like, (*seen, id(item)))


def _garment_wish(item: Item, kinds: tuple[str, ...]) -> GarmentWish:
    near = item.targets[0]
    said = dict(item.effects)
    if "becomes" in said and said["becomes"] in SLOT_OF:
        kinds = (said["becomes"],)
    if "length" in said:
        kinds = (LENGTHS.get((near, said["length"]), kinds[0]),)
    names = _colours(item)
    pattern, second, late = item.pattern, None, item.late_second
    noun = item.text.replace(" 's", "'s")
    implied = lexicon.IMPLIED.get(noun) or lexicon.IMPLIED.get(_lemma(noun))
    if implied:
        words = implied.split()
        if words[-1] in PATTERN_NAMES:
            pattern = pattern or PATTERN_NAMES[words.pop()]
        if words and not names:
            names = [" ".join(words)]
    pattern = pattern or said.get("pattern")
    if not names and "fallback" in said:
        names = [said["fallback"]]
    if len(names) > 1:
        first, other = (names[1], names[0]) if late and pattern else (names[0], names[1])
        names, second = [first], cloth_colour(other)
        if pattern in (None, "plain"):
            pattern = "two-tone"
    if "second only" in said:
        return GarmentWish(kinds, None, pattern, cloth_colour(names[0]))  # type: ignore[arg-type]
    return GarmentWish(kinds, cloth_colour(names[0]) if names else None, pattern, second)  # type: ignore[arg-type]


PATTERN_NAMES = {"plaid": "plaid", "print": "print"}


def _worn(items: Sequence[Item]) -> tuple[list[GarmentWish], list[GarmentWish], set[str]]:
    """What is named, what outfit words add as a guess, and the kinds that must not be worn."""
    named: list[GarmentWish] = []
    guessed: list[GarmentWish] = []
    without: set[str] = set()
    for item in items:
        if not item.is_worn:
            continue
        if item.negated:
            without |= _refused(item)
            continue
        if item.head.target == "garment":
            named.append(_garment_wish(item, item.kinds))
            continue
        usual = (
            _read(lexicon.OUTFITS[item.text][1]).wishes.garments if lexicon.OUTFITS.get(item.text, ("", ""))[1] else ()
        )
        plain = replace(item, effects=[effect for effect in item.effects if effect[0] in ("fallback", "pattern")])
        for kind in item.kinds:
            wish = _garment_wish(plain, (kind,))
            default = next((other for other in usual if kind in other.kinds), None)
            if default is not None:
                wish = replace(wish, colour=wish.colour or default.colour, pattern=wish.pattern or default.pattern)
            if wish.colour is None and SLOT_OF[kind] != SLOT_OF[item.kinds[0]]:
                wish = replace(wish, colour=next((w.colour for w in named if w.slot == SLOT_OF[item.kinds[0]]), None))
            named.append(wish)
        guessed += [wish for wish in usual if wish.kinds[0] not in item.kinds]
    return named, guessed, without


def _refused(item: Item) -> set[str]:
    kinds = set(item.kinds)
    if item.text in ("hat", "hats", "headwear", "headgear"):
        return {"hat"}
    slot = SLOT_OF[item.kinds[0]]
    if slot in ("shoes", "outer") and item.text.rstrip("s") in ("shoe", "footwear", "jacket", "coat"):
        return {slot}
    if slot == "top" and item.text.rstrip("s") in ("shirt", "top"):
        return {"top"}
    if kinds & set(EYEWEAR) and item.text == "glasses":
        return {"glasses"}
    if slot == "dress":
        return set(SLOTS["dress"])
    if slot == "bottom" and item.text.endswith("skirt"):
        return {kind for kind in SLOTS["bottom"] if kind.endswith("skirt")}
    return kinds


def _part_effects(item: Item) -> list[Effect]:
    """What a part of the body was said to be."""
    target, names = item.head.target, _colours(item)
    name = " ".join(dict.fromkeys(names[:2])) if len(names) > 1 else (names[0] if names else None)
    if item.negated:
        gone: dict[str, list[Effect]] = {
            "hair": [("hair.style", "bald")], "beard": [("beard", "none")], "freckles": [("freckles", 0.0)],
            "makeup": [("without", "makeup")], "lipstick": [("without", "lipstick")], "blush": [("blush", 0.0)],
            "eyeshadow": [("without", "eyeshadow")],
        }  # fmt: skip
        if target == "hair" and item.head.effects:
            return [("without", item.head.effects[0][1])]
        return gone.get(target, [])
    effects = list(item.head.effects) if target in ("hair", "beard") else []
    if name:
        attribute = {"hair": "hair.colour", "eyes": "eyes", "skin": "skin", "face": "skin", "lips": "lipstick",
                     "lipstick": "lipstick", "eyeshadow": "eyeshadow", "beard": "weak hair"}.get(target)  # fmt: skip
        if attribute:
            effects.append((attribute, name))
    usual: dict[str, list[Effect]] = {
        "lipstick": [("lipstick", "red")], "eyeshadow": [("eyeshadow", "brown")], "blush": [("blush", 0.6)],
        "freckles": [("weak freckles", 0.7)], "beard": [("weak beard", "full")],
        "makeup": [("lipstick", "rose"), ("eyeshadow", "brown"), ("blush", 0.4)],
    }  # fmt: skip
    if not name or target in ("beard", "freckles"):
        effects += [effect for effect in usual.get(target, [])]
    return effects


HAIR_OF = {
    ("short", None): "short", ("short", "straight"): "short", ("short", "wavy"): "short", ("short", "curly"): "curly",
    ("medium", None): "shoulder", ("medium", "straight"): "shoulder", ("medium", "wavy"): "shoulder",
    ("medium", "curly"): "curly", ("long", None): "long straight", ("long", "straight"): "long straight",
    ("long", "wavy"): "long wavy", ("long", "curly"): "curly", (None, "curly"): "curly", (None, "wavy"): "long wavy",
    (None, "straight"): "long straight",
}  # fmt: skip
"""The style of a length and a texture."""


def _ages(ranges: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """The years all ranges share; where they disagree, the narrowest."""
    if not ranges:
        return None
    low, high = max(low for low, _ in ranges), min(high for _, high in ranges)
    return (low, high) if low <= high else min(ranges, key=lambda ends: ends[1] - ends[0])


def _gather(attached: Attached) -> tuple[dict[str, list[Any]], set[str]]:
    """Every value said of every attribute, in order, and what must not be worn."""
    said: dict[str, list[Any]] = {}
    without: set[str] = set()
    effects = [*attached.effects, *((e, False) for item in attached.items for e in _part_effects(item))]
    for (attribute, value), negated in effects:
        if negated:
            opposite = OPPOSITES.get((attribute, value))
            if opposite:
                said.setdefault(*opposite[:1], []).append(opposite[1])  # type: ignore[call-overload]
            elif attribute in WITHOUT_EFFECT:
                said.setdefault(attribute, []).append(WITHOUT_EFFECT[attribute])
            elif attribute == "without":
                continue
            elif attribute == "hair.style":
                without.add(value)
        elif attribute == "without":
            without.add(value)
        else:
            said.setdefault(attribute, []).append(value)
    return said, without


def _explicit(said: Mapping[str, list[Any]], without: set[str]) -> Wishes:
    """The wishes of the attributes, garments apart."""

    def last(attribute: str) -> Any:
        return said[attribute][-1] if said.get(attribute) else None

    def shade(attribute: str, of: Callable[[str], Colour], *weak: str) -> Colour | None:
        for name in (attribute, *weak):
            for value in reversed(said.get(name, [])):
                if _resolves(of, value):
                    return of(value)
        return None

    style = last("hair.style")
    if style is None:
        style = HAIR_OF.get((last("hair.length"), last("hair.texture")))
    elif style == "bald" and len(said["hair.style"]) > 1:
        style = said["hair.style"][-2]
    elif style == "braids" and "dreadlocks" in said["hair.style"]:
        style = "dreadlocks"
    pronouns = [effect[1] for effect in said.get("pronoun", [])]
    beards = [beard for beard in said.get("beard", [])] or said.get("weak beard", [])
    grown = [beard for beard in beards if beard not in ("none", "moustache")]
    freckles = said.get("freckles") or said.get("weak freckles")
    if "bald" in without and style == "bald":
        style = None
    skin = shade("skin", skin_colour)
    return Wishes(
        presentation=last("presentation") or (pronouns[0] if pronouns else None),
        age=_ages(said.get("exact age") or said.get("age", [])),
        height=last("height"),
        stature=last("stature"),
        mass=last("mass"),
        weight=last("weight"),
        muscle=last("muscle"),
        proportions=last("proportions"),
        skin=Colour(f"{skin.name.removesuffix(' skin')} skin", skin.hex) if skin else None,
        eyes=shade("eyes", eye_colour),
        shape=last("shape"),
        brows=last("brows"),
        lips=last("lips"),
        lipstick=None if {"makeup", "lipstick"} & without else shade("lipstick", cloth_colour),
        eyeshadow=None if {"makeup", "eyeshadow"} & without else shade("eyeshadow", cloth_colour),
        blush=last("blush"),
        freckles=freckles[-1] if freckles else None,
        beard=grown[-1] if grown else (beards[-1] if beards else None),
        expression=last("expression"),
        hair_style=style,  # type: ignore[arg-type]
        hair_colour=shade("hair.colour", hair_colour, "weak hair"),
        pose=last("pose"),
        look=next((look for look in said.get("look", []) if look != "realistic"), last("look")),
    )


def _one_each(wishes: Sequence[GarmentWish]) -> tuple[list[GarmentWish], list[GarmentWish]]:
    """One garment a slot, the outermost, and one extra of each kind; then those that do not show."""
    kept: dict[str, GarmentWish] = {}
    hidden: list[GarmentWish] = []
    for wish in wishes:
        key = wish.kinds[0] if wish.slot == "extra" else wish.slot
        other = kept.get(key)
        if other is None:
            kept[key] = wish
            continue
        above = wish.kinds == other.kinds or LAYERING.get(wish.kinds[0], 0) >= LAYERING.get(other.kinds[0], 0)
        if wish.kinds == other.kinds or len(wish.kinds) > 1:  # said twice: the later adds to the earlier
            kept[key] = GarmentWish(other.kinds, wish.colour or other.colour, wish.pattern or other.pattern,
                                    wish.second or other.second)  # fmt: skip
            continue
        kept[key] = wish if above else other
        hidden.append(other if above else wish)
    if "dress" in kept:
        hidden += [kept.pop(slot) for slot in ("top", "bottom") if slot in kept]
    return list(kept.values()), hidden


def _merge_guess(wishes: Wishes, guess: Wishes, without: set[str]) -> tuple[Wishes, list[GarmentWish]]:
    """The wishes with the guess where they are open, and the garments that came from it."""
    merged: dict[str, Any] = {}
    for name in Wishes.__dataclass_fields__:
        if name not in ("garments", "without") and getattr(wishes, name) is None:
            merged[name] = getattr(guess, name)
    if wishes.age and guess.age:
        merged["age"] = wishes.age
    slots = {wish.slot for wish in wishes.garments}
    kinds = {kind for wish in wishes.garments for kind in wish.kinds}
    added: list[GarmentWish] = []
    for wish in guess.garments:
        kind = wish.kinds[0]
        taken = wish.slot != "extra" and wish.slot in slots
        taken |= wish.slot in ("top", "bottom") and "dress" in slots
        taken |= wish.slot == "dress" and bool(slots & {"top", "bottom"})
        taken |= kind in kinds or any(kind in group and kinds & set(group) for group in (HEADWEAR, EYEWEAR))
        taken |= kind in ("tie", "bow tie") and bool(kinds & {"tie", "bow tie", "turtleneck", "t-shirt", "hoodie"})
        if not taken and not {kind, wish.slot} & without:
            added.append(wish)
    refused = wishes.without | guess.without - {slot for slot in slots}
    return replace(wishes, garments=(*wishes.garments, *added), without=refused, **merged), added


def _dye(wishes: Sequence[GarmentWish], shades: Sequence[str], wholly: bool) -> list[GarmentWish]:
    """Garments named without a colour take the wardrobe's; top and bottom come in where none was named."""
    colours = [cloth_colour(name) for name in shades]
    dyed = list(wishes)
    slots = {wish.slot for wish in wishes}
    if "dress" not in slots:
        missing = [slot for slot in ("top", "bottom") if slot not in slots]
        dyed += [GarmentWish(SLOTS[slot]) for slot in missing]  # type: ignore[arg-type]
    if wholly and "shoes" not in slots:
        dyed.append(GarmentWish(("sneakers", "boots", "shoes")))
    for index, wish in enumerate(dyed):
        if wish.colour is None and (wish.slot != "extra" or wholly):
            dyed[index] = replace(wish, colour=colours[-1] if wish.slot == "bottom" else colours[0])
    return dyed


def build(attached: Attached) -> Draft:
    """The wishes of everything attached: named things first, then the guesses of outfits and occupations."""
    said, without = _gather(attached)
    wishes = _explicit(said, without)
    named, usual, refused = _worn(attached.items)
    without |= refused
    positive = {kind for wish in named for kind in wish.kinds}
    if "hat" in without:
        without = (without - {"hat"}) | (set(HEADWEAR) - positive)
    if "glasses" in without:
        without |= set(EYEWEAR) - positive
    without -= {wish.slot for wish in named}
    garments, hidden = _one_each(named)
    missed = attached.missed + [f"{wish.kinds[0]} (does not show)" for wish in hidden]
    kept = frozenset(without - {"makeup", "lipstick", "eyeshadow"})
    archetypes = list(dict.fromkeys(i.head.archetype for i in attached.items if i.head.archetype and not i.negated))
    if attached.wardrobe and not archetypes:
        garments = _dye(garments, attached.wardrobe, attached.wholly)
    wishes = replace(wishes, garments=tuple(garments), without=kept)
    understood = _describe(wishes, without)
    if not understood and any(item.is_person for item in attached.items):
        understood = ["a person"]
    guessed: list[str] = []
    if usual:
        wishes, added = _merge_guess(wishes, Wishes(garments=tuple(usual)), without)
        guessed += [f"with it: {', '.join(_worn_words(wish) for wish in added)}"] if added else []
    for name in archetypes:
        wishes, added = _merge_guess(wishes, _archetype(name), without)
        item = next(item for item in attached.items if item.head.archetype == name)
        shades = item.colours or attached.wardrobe
        if shades:
            cloth = {id(wish) for wish in added if wish.slot in ("top", "outer", "bottom", "dress")}
            shade = cloth_colour(shades[0])
            added = [replace(wish, colour=shade) if id(wish) in cloth else wish for wish in added]
            said_before = wishes.garments[: len(wishes.garments) - len(added)]
            wishes = replace(wishes, garments=(*said_before, *added))
        understood.append(f"a {item.text}")
        if added:
            guessed.append(f"{item.text}: {', '.join(_worn_words(wish) for wish in added)} are a guess")
    missed = [word for word in dict.fromkeys(missed) if word not in lexicon.STOP]
    return Draft(wishes, tuple(dict.fromkeys(understood)), tuple(guessed), tuple(missed))


def _worn_words(wish: GarmentWish) -> str:
    parts = [wish.colour.name if wish.colour else "", wish.pattern if wish.pattern not in (None, "plain") else ""]
    return " ".join(part for part in (*parts, " or ".join(wish.kinds[:3])) if part)


def _describe(wishes: Wishes, without: set[str]) -> list[str]:
    """The wishes as short phrases."""
    lines: list[str] = []
    plain = {
        "presentation": wishes.presentation, "skin": wishes.skin, "eyes": wishes.eyes, "face": wishes.shape,
        "brows": wishes.brows, "lips": wishes.lips, "lipstick": wishes.lipstick, "eyeshadow": wishes.eyeshadow,
        "beard": wishes.beard, "expression": wishes.expression, "pose": wishes.pose, "look": wishes.look,
    }  # fmt: skip
    lines += [f"{label}: {getattr(value, 'name', value)}" for label, value in plain.items() if value]
    if wishes.age:
        low, high = wishes.age
        lines.append(f"age: about {(low + high) / 2:.0f}" if high - low < 1 else f"age: {low:.0f} to {high:.0f}")
    if wishes.height:
        lines.append(f"height: {wishes.height:.2f} m")
    elif wishes.stature:
        lines.append(
            f"height: {'tall' if sum(wishes.stature) > 1 else 'short' if sum(wishes.stature) < -1 else 'average'}"
        )
    for label, value in (("weight", wishes.weight), ("muscle", wishes.muscle), ("proportions", wishes.proportions)):
        if value:
            lines.append(f"{label}: {'high' if sum(value) > 1.1 else 'low' if sum(value) < 0.8 else 'average'}")
    if wishes.mass:
        lines.append(f"weight: {wishes.mass:.0f} kg")
    for label, value in (("freckles", wishes.freckles), ("blush", wishes.blush)):
        if value is not None:
            lines.append(f"{label}: {'none' if value == 0 else 'few' if value < 0.5 else 'many'}")
    hair = [word for word in (wishes.hair_style, wishes.hair_colour and wishes.hair_colour.name) if word]
    if hair:
        lines.append(f"hair: {', '.join(hair)}")
    lines += [_worn_words(wish) for wish in wishes.garments]
    lines += [f"without {kind}" for kind in sorted(without)]
    return lines


_read("a person in blue jeans")  # loads the dictionaries now, so that the first prompt is read as fast as the next
