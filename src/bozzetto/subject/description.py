"""The nouns of a prompt and what is said of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bozzetto.figure.colours import HAIR, HAIR_SPELLINGS, SKIN, find_colour
from bozzetto.figure.people import SLOT_OF
from bozzetto.subject import lexicon
from bozzetto.subject.lexicon import Effect
from bozzetto.subject.mentions import Mention
from bozzetto.subject.vocabulary import Head

BLONDE = ("blonde", "blond")
COLOURED = ("hair", "eyes", "skin", "lips", "lipstick", "eyeshadow", "beard", "brows", "face")
SKIN_OR_HAIR = ("black", "white", "brown", *BLONDE, "tan", "olive")
"""Colours that are a person's even where an occupation has clothes."""


@dataclass(eq=False)
class NounPhrase:
    """A noun of the prompt with what was said of it."""

    head: Head
    text: str
    negated: bool = False
    determined: bool = False
    own_colours: list[str] = field(default_factory=list)
    pattern: str | None = None
    late_second: bool = False
    """The colour before the pattern word is the pattern's: "white-striped blue shirt"."""
    effects: list[Effect] = field(default_factory=list)
    like: "NounPhrase | None" = None
    """Shares its colours where it has none: "black boots and gloves"."""

    @property
    def kinds(self) -> tuple[str, ...]:
        return self.head.kinds

    @property
    def targets(self) -> tuple[str, ...]:
        """The names under which adjectives know this noun, nearest first."""
        if self.is_worn:
            kind = self.kinds[0]
            slot = SLOT_OF[kind]
            near = "skirt" if kind.endswith("skirt") else "trousers" if slot == "bottom" else slot
            return near, "garment"
        return {"child": ("child", "person"), "look": ("person",)}.get(self.head.target, (self.head.target,))

    @property
    def is_worn(self) -> bool:
        return self.head.target in ("garment", "outfit")

    @property
    def is_person(self) -> bool:
        return self.head.target in ("person", "child", "look")

    @property
    def colours(self) -> list[str]:
        """Its own, or of the phrase it shares with."""
        phrase: NounPhrase = self
        seen: list[NounPhrase] = [phrase]
        while not phrase.own_colours and phrase.like and phrase.like not in seen:
            phrase = phrase.like
            seen.append(phrase)
        return phrase.own_colours

    def effects_of(self, mention: Mention) -> tuple[Effect, ...] | None:
        return next((mention.value[target] for target in self.targets if target in mention.value), None)


@dataclass(eq=False)
class Description:
    """Everything the prompt says, before it is weighed."""

    phrases: list[NounPhrase] = field(default_factory=list)
    effects: list[tuple[Effect, bool]] = field(default_factory=list)
    """Said of the person as a whole, and whether negated."""
    wardrobe: list[str] = field(default_factory=list)
    """Colours of all clothes: "dressed in black"."""
    wholly: bool = False
    missed: list[str] = field(default_factory=list)

    def modify(self, phrase: NounPhrase, mentions: Sequence[Mention], predicate: bool = False) -> list[Mention]:
        """Say of a noun what fits it; returns what does not."""
        return [mention for mention in mentions if not self._say(phrase, mention, predicate)]

    def miss(self, mentions: Iterable[Mention]) -> None:
        self.missed.extend(m.text for m in mentions if m.role in ("unknown", "colour", "pattern", "word"))

    def after_unknown(self, mentions: Sequence[Mention]) -> Sequence[Mention]:
        """What follows the last unknown word, which takes with it what stands before: "gold hoop earrings"."""
        start = max((index + 1 for index, mention in enumerate(mentions) if mention.role == "unknown"), default=0)
        self.miss(mentions[:start])
        return mentions[start:]

    def say_of_person(self, mentions: Sequence[Mention]) -> None:
        """Adjectives that stand alone: "tall, curly, blonde"."""
        for mention in mentions:
            if mention.role == "word":
                target = "person" if "person" in mention.value else next(iter(mention.value))
                if target in ("person", "hair", "skin", "beard"):
                    self.effects.extend((effect, mention.negated) for effect in mention.value[target])
                else:
                    self.miss([mention])
            elif mention.role == "colour" and (mention.value in BLONDE or not find_colour(mention.value)):
                self.effects.append((("hair.colour", mention.value), mention.negated))
            else:
                self.miss([mention])

    def _say(self, phrase: NounPhrase, mention: Mention, predicate: bool) -> bool:
        """Whether it fits the noun, and so was said of it."""
        match mention.role:
            case "colour":
                return self._colour(phrase, mention, predicate)
            case "pattern":
                return _pattern(phrase, mention, predicate)
            case "word":
                return self._word(phrase, mention)
            case "same":
                self._match(phrase)
        return mention.role != "unknown"

    def _match(self, phrase: NounPhrase) -> None:
        """The noun after "matching": in the colour of the last coloured garment."""
        worn = [other for other in self.phrases if other is not phrase and other.is_worn and not other.negated]
        coloured = [other for other in worn if other.own_colours or other.like]
        if worn:
            phrase.like = (coloured or worn)[-1]

    def _word(self, phrase: NounPhrase, mention: Mention) -> bool:
        effects = phrase.effects_of(mention)
        if effects is None:
            return False
        if phrase.is_worn:
            phrase.effects.extend(() if mention.negated else effects)
        elif phrase.head.target != "beard" or not phrase.head.effects:  # a thick moustache is a moustache
            self.effects.extend((effect, mention.negated or phrase.negated) for effect in effects)
        return True

    def _colour(self, phrase: NounPhrase, mention: Mention, predicate: bool) -> bool:
        name = mention.value
        if mention.negated and not phrase.negated:
            return True
        if phrase.is_person:
            return self._colour_person(phrase, name)
        if not (find_colour(name) if phrase.is_worn else phrase.head.target in COLOURED):
            return False
        if phrase.is_worn and predicate and phrase.pattern is None:
            phrase.own_colours.clear()
        phrase.own_colours.append(name)
        return True

    def _colour_person(self, phrase: NounPhrase, name: str) -> bool:
        """A colour before a person: skin, or hair where only hair has that colour, or an occupation's clothes."""
        is_cloth = find_colour(name) is not None
        if phrase.head.target == "look":
            attribute = "skin" if is_cloth else None
        elif name == "bronze":
            attribute = "look"
        elif phrase.head.archetype and name not in SKIN_OR_HAIR:
            if is_cloth:
                phrase.own_colours.append(name)
            return is_cloth
        elif name in BLONDE or (not is_cloth and (name in HAIR or name in HAIR_SPELLINGS)):
            attribute = "hair.colour"
        else:
            attribute = "skin" if is_cloth or name in SKIN else None
        if attribute:
            self.effects.append(((attribute, name), False))
        return attribute is not None


def _pattern(phrase: NounPhrase, mention: Mention, predicate: bool) -> bool:
    if phrase.is_worn and not mention.negated:
        phrase.late_second = len(phrase.own_colours) == 1 and not predicate
        phrase.pattern = mention.value
        if mention.text in lexicon.PATTERN_COLOURS:
            phrase.effects.append(("fallback", lexicon.PATTERN_COLOURS[mention.text]))
    return phrase.is_worn
