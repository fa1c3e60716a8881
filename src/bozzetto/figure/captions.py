"""Sentences that are true of a figure: many shapes, partial, in free English.

Training pairs need words that vary as people's do, so a caption picks what to mention, in what order, by which synonym
and in which kind of sentence. ``described`` also says which attributes each caption mentions.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bozzetto.figure.people import height_spread, median_height
from bozzetto.figure.spec import FigureSpec, Garment

SYNONYMS: dict[str, tuple[str, ...]] = {
    "tank top": ("tank top", "singlet", "sleeveless top"), "t-shirt": ("t-shirt", "tee", "T-shirt"),
    "shirt": ("shirt", "button-up shirt"), "blouse": ("blouse",), "sweater": ("sweater", "jumper", "pullover"),
    "turtleneck": ("turtleneck", "roll-neck"), "hoodie": ("hoodie", "hooded sweatshirt"), "vest": ("vest", "waistcoat"),
    "cardigan": ("cardigan",), "jacket": ("jacket",), "suit jacket": ("suit jacket", "blazer"),
    "coat": ("coat", "overcoat"), "robe": ("robe",), "trousers": ("trousers", "pants", "slacks"), "jeans": ("jeans",),
    "shorts": ("shorts",), "leggings": ("leggings",), "mini skirt": ("mini skirt", "miniskirt", "short skirt"),
    "knee skirt": ("knee-length skirt", "skirt"), "long skirt": ("long skirt", "maxi skirt"),
    "mini dress": ("mini dress", "short dress"), "knee dress": ("knee-length dress", "dress"),
    "long dress": ("long dress", "gown", "maxi dress"), "sneakers": ("sneakers", "trainers"), "boots": ("boots",),
    "shoes": ("shoes", "loafers"), "heels": ("heels", "high heels"), "sandals": ("sandals",),
    "glasses": ("glasses", "spectacles"), "sunglasses": ("sunglasses", "shades"), "cap": ("cap", "baseball cap"),
    "beanie": ("beanie", "woolly hat"), "brimmed hat": ("wide-brimmed hat", "hat"), "top hat": ("top hat",),
    "helmet": ("helmet",), "headband": ("headband",), "scarf": ("scarf",), "belt": ("belt",), "tie": ("tie", "necktie"),
    "bow tie": ("bow tie",), "gloves": ("gloves",), "apron": ("apron",),
}  # fmt: skip
PLURAL = frozenset(
    """
    trousers jeans shorts leggings sneakers boots shoes heels sandals glasses sunglasses gloves
    """.split()
)
HAIR: dict[str, tuple[str, ...]] = {
    "buzz": ("{c} buzz cut", "buzzed {c} hair"), "short": ("short {c} hair", "{c} hair cut short"),
    "side part": ("{c} hair with a side part", "side-parted {c} hair"), "slicked back": ("slicked-back {c} hair",),
    "spiky": ("spiky {c} hair",), "pixie": ("{c} pixie cut",), "bob": ("{c} bob",),
    "shoulder": ("shoulder-length {c} hair", "{c} hair down to the shoulders"),
    "long straight": ("long straight {c} hair",), "long wavy": ("long wavy {c} hair", "long, wavy {c} hair"),
    "curly": ("curly {c} hair", "{c} curls"), "afro": ("{c} afro",),
    "ponytail": ("{c} ponytail", "{c} hair in a ponytail"), "bun": ("{c} hair in a bun", "{c} bun"),
    "braids": ("{c} braids", "braided {c} hair"), "pigtails": ("{c} pigtails", "{c} hair in pigtails"),
    "dreadlocks": ("{c} dreadlocks",), "mohawk": ("{c} mohawk",),
}  # fmt: skip
COUNTABLE_HAIR = ("buzz cut", "pixie cut", "bob", "afro", "ponytail", "bun", "mohawk")
BEARDS = {
    "stubble": ("stubble",), "moustache": ("a moustache", "a mustache"), "goatee": ("a goatee",),
    "short": ("a short beard", "a trimmed beard"), "full": ("a full beard", "a bushy beard"), "long": ("a long beard",),
}  # fmt: skip
EXPRESSIONS = {
    "smiling": ("smiling", "grinning"), "laughing": ("laughing",), "sad": ("sad", "unhappy"),
    "angry": ("angry", "furious"), "surprised": ("surprised", "astonished"), "neutral": ("serious",),
}  # fmt: skip
POSES = {
    "a-pose": ("in an A-pose",), "t-pose": ("in a T-pose",), "arms crossed": ("with arms crossed", "arms folded"),
    "hands on hips": ("with hands on hips",), "arms up": ("with arms raised", "arms up"),
    "sitting": ("sitting", "seated"), "lying": ("lying down",), "fighting": ("in a fighting stance", "fighting"),
}  # fmt: skip
LOOKS = {
    "realistic": ("photorealistic", "realistic"), "toon": ("cartoon",), "anime": ("anime",), "chibi": ("chibi",),
    "clay": ("claymation", "clay"), "marble": ("marble",), "bronze": ("bronze statue style",), "wood": ("wooden",),
    "low-poly": ("low-poly",), "skull": ("skull-faced",), "clown": ("clownish",),
    "robot": ("robotic",),
    "snouted": ("snouted",), "horned": ("horned",),
}  # fmt: skip
PATTERNS = {
    "horizontal stripes": ("striped", "horizontally striped"), "vertical stripes": ("vertically striped", "pinstriped"),
    "plaid": ("plaid", "checked", "tartan"), "dots": ("dotted", "polka-dot"), "two-tone": ("two-tone",),
    "print": ("printed", "patterned"),
}  # fmt: skip


@dataclass(frozen=True)
class Caption:
    """One sentence and the attributes it names, as dotted paths ("hair.colour") or extras ("extras.scarf")."""

    text: str
    mentioned: tuple[str, ...]


@dataclass(frozen=True)
class Phrase:
    """One thing to say, bare ("red hair") and what it names."""

    text: str
    names: tuple[str, ...]
    article: bool = False
    """Whether a sentence puts "a" before it."""

    @property
    def with_article(self) -> str:
        return f"{_a(self.text)} {self.text}" if self.article else self.text


def captions(spec: FigureSpec, seed: int, count: int) -> tuple[str, ...]:
    """``count`` true descriptions of a figure, each phrased anew."""
    return tuple(caption.text for caption in described(spec, seed, count))


def described(spec: FigureSpec, seed: int, count: int) -> tuple[Caption, ...]:
    """``captions`` with what each one mentions."""
    return tuple(_caption(spec, random.Random(f"caption/{seed}/{index}")) for index in range(count))


def _a(text: str) -> str:
    return "an" if text[:1].lower() in "aeio" or text.lower().startswith(("ultra", "under", "umber")) else "a"


def hair_words(spec: FigureSpec) -> str:
    """The hair as captions name it."""
    return _hair(spec, random.Random(0)).with_article


def skin_words(spec: FigureSpec) -> str:
    """The skin as captions name it."""
    return f"{spec.face.skin.name.removesuffix(' skin')} skin"


# ---------------------------------------------------------------------------------------------------- phrases


def _person(spec: FigureSpec, rng: random.Random) -> Phrase:
    """The noun, with age and presentation."""
    body, names = spec.body, ["body.presentation"]
    age, years = body.age, int(body.age + 0.5)
    adult = {"woman": ("woman", "lady"), "man": ("man", "guy"), "androgynous": ("androgynous person",)}[
        body.presentation
    ]
    young = {"woman": ("girl",), "man": ("boy",), "androgynous": ("androgynous child",)}[body.presentation]
    noun = rng.choice(adult if age >= 18 else young)
    exact = abs(years - age) < 0.41
    if exact and rng.random() < (0.45 if age >= 18 else 0.7):
        names.append("body.age")
        if rng.random() < 0.7 or age < 18:
            noun = f"{years}-year-old {noun}"
        else:
            noun = f"{noun} aged {years}"
    elif 13 <= age < 18:
        names.append("body.age")
        noun = f"teenage {noun}"
    elif 5 <= age < 13:
        names.append("body.age")
    elif 19 <= age <= 29 and rng.random() < 0.6:
        names.append("body.age")
        noun = f"young {noun}"
    elif 43 <= age <= 57 and rng.random() < 0.6:
        names.append("body.age")
        noun = f"middle-aged {noun}"
    elif age >= 68 and rng.random() < 0.8:
        names.append("body.age")
        noun = f"{rng.choice(('elderly', 'old'))} {noun}"
    return Phrase(noun, tuple(names), article=True)


def _build_words(spec: FigureSpec, rng: random.Random) -> list[Phrase]:
    """Adjectives of stature and build that are clearly true."""
    body, found = spec.body, []
    z = (body.height / median_height(body.presentation, body.age) - 1) / height_spread(body.age)
    if z > 1.1:
        found.append(Phrase("tall", ("tall",)))
    elif z < -1.1:
        found.append(Phrase("short", ("small",)))
    for value, low, high, name in (
        (body.weight, ("slim", "slender", "thin"), ("chubby", "plump", "heavyset"), "weight"),
        (body.muscle, (), ("muscular", "athletic"), "muscle"),
    ):
        if value < 0.3 and low:
            found.append(Phrase(rng.choice(low), (f"low {name}",)))
        elif value > 0.68:
            found.append(Phrase(rng.choice(high), (f"high {name}",)))
    return found


def _garment(garment: Garment, path: str, rng: random.Random, bare: bool = False) -> Phrase:
    noun = rng.choice(SYNONYMS[garment.kind])
    names = [f"{path}.kind"]
    colour = garment.colour.name
    if bare:
        return Phrase(noun, tuple(names), noun.split()[-1] not in PLURAL and garment.kind not in PLURAL)
    names.append(f"{path}.colour")
    if garment.pattern == "plain":
        text = f"{colour} {noun}"
    else:
        names += [f"{path}.pattern", f"{path}.second"]
        word = rng.choice(PATTERNS[garment.pattern])
        text = f"{colour} and {garment.second.name} {word} {noun}"
        if garment.pattern in ("dots", "horizontal stripes", "vertical stripes") and rng.random() < 0.4:
            shown = {"dots": "polka dots", "horizontal stripes": "stripes", "vertical stripes": "vertical stripes"}
            text = f"{colour} {noun} with {garment.second.name} {shown[garment.pattern]}"
    return Phrase(text, tuple(names), garment.kind not in PLURAL)


def _hair(spec: FigureSpec, rng: random.Random) -> Phrase:
    if spec.hair.style == "bald":
        return Phrase("shaved head", ("hair.style",), article=True)
    text = rng.choice(HAIR[spec.hair.style]).format(c=spec.hair.colour.name)
    return Phrase(text, ("hair.style", "hair.colour"), article=text.endswith(COUNTABLE_HAIR) and " in " not in text)


def _features(spec: FigureSpec, rng: random.Random) -> list[Phrase]:
    """Skin, eyes, face, beard: each as something a person has."""
    face = spec.face
    eyes = face.eyes.name
    found = [
        _hair(spec, rng),
        Phrase(skin_words(spec), ("face.skin",)),
        Phrase(f"{eyes} eyes", ("face.eyes",)),
        Phrase(f"{face.shape} face", ("face.shape",), article=True),
    ]
    if face.brows != "medium":
        found.append(Phrase("thin eyebrows" if face.brows == "thin" else "thick eyebrows", ("face.brows",)))
    if face.lips != "medium":
        found.append(Phrase(f"{face.lips} lips", ("face.lips",)))
    if face.lipstick:
        found.append(Phrase(f"{face.lipstick.name} lipstick", ("face.lipstick",)))
    if face.eyeshadow:
        found.append(Phrase(f"{face.eyeshadow.name} eyeshadow", ("face.eyeshadow",)))
    if face.freckles > 0.25:
        found.append(Phrase("freckles" if face.freckles > 0.5 else "a few freckles", ("face.freckles",)))
    if face.beard != "none":
        found.append(Phrase(rng.choice(BEARDS[face.beard]), ("face.beard",)))
    return found


def _clothes(spec: FigureSpec, rng: random.Random) -> list[Phrase]:
    found = [
        _garment(garment, slot, rng)
        for slot in ("top", "outer", "bottom", "dress", "shoes")
        if (garment := getattr(spec, slot)) is not None
    ]
    found += [_garment(extra, f"extras.{extra.kind}", rng, bare=rng.random() < 0.4) for extra in spec.extras]
    return found


# ---------------------------------------------------------------------------------------------------- sentences


def _some(phrases: Sequence[Phrase], rng: random.Random, most: int) -> list[Phrase]:
    count = min(rng.randint(1, most), len(phrases))
    return rng.sample(list(phrases), count)


def _and(phrases: Sequence[Phrase], rng: random.Random) -> str:
    texts = [phrase.with_article for phrase in phrases]
    if len(texts) < 2:
        return "".join(texts)
    if any(not phrase.article for phrase in phrases[1:]) and " and " in " ".join(texts):
        return ", ".join(texts)  # no "and" between a pair of colours and a bare plural
    return ", ".join(texts[:-1]) + rng.choice((" and ", ", and ")) + texts[-1]


def _caption(spec: FigureSpec, rng: random.Random) -> Caption:
    person = _person(spec, rng)
    build = _build_words(spec, rng)
    build = build if build and rng.random() < 0.6 else []
    features = _some(_features(spec, rng), rng, 4)
    clothes = _some(found, rng, 5) if (found := _clothes(spec, rng)) else []
    moods: list[Phrase] = []
    if spec.face.expression != "neutral" and rng.random() < 0.6:
        moods.append(Phrase(rng.choice(EXPRESSIONS[spec.face.expression]), ("face.expression",)))
    if rng.random() < 0.5:
        moods.append(Phrase(rng.choice(POSES.get(spec.pose, (spec.pose,))), ("pose",)))
    looks = []
    if rng.random() < (0.9 if spec.look != "realistic" else 0.1):
        looks.append(Phrase(rng.choice(LOOKS[spec.look]), ("look",)))
    shape = rng.choice(SHAPES)
    text = shape(spec, person, build, features, clothes, moods, looks, rng)
    spoken = [person, *build, *features, *clothes, *moods, *looks]
    if rng.random() < 0.15:
        text = text.lower()
    return Caption(text, tuple(name for phrase in spoken for name in phrase.names))


def _noun(person: Phrase, build: Sequence[Phrase], looks: Sequence[Phrase]) -> str:
    noun = " ".join([*(p.text for p in looks), *(p.text for p in build), person.text])
    return f"{_a(noun)} {noun}"


def _pronouns(spec: FigureSpec) -> tuple[str, str, str, str]:
    """Subject with "is", subject with "has", subject with "wears", possessive."""
    if spec.body.presentation == "androgynous":
        return "They are", "They have", "They wear", "Their"
    word = {"woman": ("She", "Her"), "man": ("He", "His")}[spec.body.presentation]
    return f"{word[0]} is", f"{word[0]} has", f"{word[0]} wears", word[1]


Parts = Sequence[Phrase]


def _one_sentence(
    spec: FigureSpec, person: Phrase, build: Parts, features: Parts, clothes: Parts, moods: Parts, looks: Parts,
    rng: random.Random,
) -> str:  # fmt: skip
    """A tall man with red hair in a blue coat, smiling."""
    text = f"{_noun(person, build, looks)} with {_and(features, rng)}"
    if clothes:
        text += f"{rng.choice((', wearing', ', dressed in', ', in', ' wearing'))} {_and(clothes, rng)}"
    text += "".join(f", {mood.text}" for mood in moods)
    return text[0].upper() + text[1:] + rng.choice(("", "."))


def _clothes_first(
    spec: FigureSpec, person: Phrase, build: Parts, features: Parts, clothes: Parts, moods: Parts, looks: Parts,
    rng: random.Random,
) -> str:  # fmt: skip
    """Wearing a blue coat, a tall man with red hair."""
    start = f"{rng.choice(('Wearing', 'Dressed in'))} {_and(clothes, rng)}, " if clothes else ""
    end = "".join(f", {mood.text}" for mood in moods)
    return f"{start}{_noun(person, build, looks)} with {_and(features, rng)}{end}."


def _telegraphic(
    spec: FigureSpec, person: Phrase, build: Parts, features: Parts, clothes: Parts, moods: Parts, looks: Parts,
    rng: random.Random,
) -> str:  # fmt: skip
    """Man, tall, red hair, blue coat."""
    start = [phrase.text for phrase in (*looks, *build)]
    rest = [phrase.text for phrase in (*features, *clothes, *moods)]
    rng.shuffle(rest)
    return ", ".join([" ".join([*start, person.text]), *rest])


def _two_sentences(
    spec: FigureSpec, person: Phrase, build: Parts, features: Parts, clothes: Parts, moods: Parts, looks: Parts,
    rng: random.Random,
) -> str:  # fmt: skip
    """A tall man, smiling. He has red hair. He wears a blue coat."""
    is_, has, wears, _ = _pronouns(spec)
    noun = _noun(person, build, looks)
    text = noun[0].upper() + noun[1:] + "."
    said = [f"{has} {_and(features, rng)}.", *([f"{wears} {_and(clothes, rng)}."] if clothes else [])]
    rng.shuffle(said)
    moody = [f"{is_} {mood.text}." for mood in moods]
    return " ".join([text, *said, *moody])


def _copulas(
    spec: FigureSpec, person: Phrase, build: Parts, features: Parts, clothes: Parts, moods: Parts, looks: Parts,
    rng: random.Random,
) -> str:  # fmt: skip
    """A man whose coat is blue: plain garments are said by a sentence each."""
    *_, their = _pronouns(spec)
    noun = _noun(person, build, looks)
    text = f"{noun[0].upper() + noun[1:]} with {_and(features, rng)}."
    for phrase in clothes:
        path = phrase.names[0].removesuffix(".kind")
        garment = next((g for g in spec.garments if path in (f"extras.{g.kind}", _slot(spec, g))), None)
        if garment and garment.pattern == "plain" and len(phrase.names) == 2:
            worn = rng.choice(SYNONYMS[garment.kind])
            verb = "are" if garment.kind in PLURAL else "is"
            text += f" {their} {worn} {verb} {garment.colour.name}."
        else:
            text += f" {_pronouns(spec)[2]} {phrase.with_article}."
    return text + "".join(f" {_pronouns(spec)[0]} {mood.text}." for mood in moods)


def _slot(spec: FigureSpec, garment: Garment) -> str:
    return next((s for s in ("top", "outer", "bottom", "dress", "shoes") if getattr(spec, s) is garment), "")


def _in_colour(
    spec: FigureSpec, person: Phrase, build: Parts, features: Parts, clothes: Parts, moods: Parts, looks: Parts,
    rng: random.Random,
) -> str:  # fmt: skip
    """Please make a tall man, smiling, who has red hair and wears a blue coat."""
    start = rng.choice(("Please make", "I want", "Show me", "A portrait of", "A photo of", "Character:", "Picture of"))
    text = f"{start} {_noun(person, build, looks)}" + "".join(f", {mood.text}" for mood in moods)
    text += f", who has {_and(features, rng)}"
    return text + (f", and wears {_and(clothes, rng)}." if clothes else ".")


SHAPES: tuple[Callable[..., str], ...] = (
    _one_sentence, _one_sentence, _clothes_first, _telegraphic, _telegraphic, _two_sentences, _copulas, _in_colour,
)  # fmt: skip
