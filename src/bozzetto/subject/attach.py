"""Which adjectives belong to which noun: the sentence is walked once, adjectives wait until their noun comes."""

from collections.abc import Sequence
from itertools import zip_longest

from bozzetto.figure.colours import find_colour
from bozzetto.subject.description import Description, NounPhrase
from bozzetto.subject.lexicon import ADJECTIVAL, IMPLIED
from bozzetto.subject.mentions import Mention
from bozzetto.subject.vocabulary import Head, Role

SEPARATORS: tuple[Role, ...] = ("and", "comma", "or")


def attach(mentions: Sequence[Mention]) -> Description:
    """Nouns with their adjectives: before them, after "is", "in", "with" and colons, or shared over "and"."""
    walk = _Walk()
    spoken = [mention for mention in mentions if mention.role != "filler"]
    for mention, following in zip_longest(spoken, spoken[1:]):
        walk.step(mention, following)
    walk.boundary()
    return walk.said


class _Walk:
    """Where ``attach`` stands: adjectives that wait for a noun, and what they would fall back to."""

    def __init__(self) -> None:
        self.said = Description()
        self.person = NounPhrase(Head("person"), "person")
        self.waiting: list[Mention] = []
        self.after_noun = False
        """Whether the waiting adjectives follow a noun directly: "a coat long and red"."""
        self.link: Role | None = None
        self.subjects: list[NounPhrase] = []
        """What a copula, an "in" or a "with" speaks of; empty without one."""
        self.group: list[NounPhrase] = []
        """The nouns just joined by "and" or commas."""
        self.joined: Role | None = None
        self.determined = False
        self.adjacent = False
        """Whether nothing stands between the last noun and the waiting adjectives."""
        self.list_colours: list[str] = []
        self.worn_next = False
        self.wholly = False

    # -- the walk

    def step(self, mention: Mention, following: Mention | None) -> None:
        next_role = following.role if following else None
        match mention.role:
            case "word" | "colour" | "pattern" | "unknown" | "same":
                self.adjective(mention)
            case "head":
                self.noun(mention)
            case "fact":
                self.said.effects.extend((effect, mention.negated) for effect in mention.value)
            case "and" | "or" | "comma":
                self.separator(mention)
            case "end":
                self.boundary()
                self.list_colours = []
            case "but":
                self.speak_of(self.link, self.subjects)
            case "colon":
                self.colon()
            case "det":
                joined = None if self.waiting else self.joined
                self.boundary()
                self.joined, self.determined = joined, True
                self.pronoun(mention)
            case "pronoun" | "who":
                self.boundary()
                self.pronoun(mention)
                self.group = [self.person]
            case "be":
                plural = mention.text in ("are", "were") and self.group and not self.group[-1].is_person
                self.speak_of("be", self.group if plural else self.latest)
            case "in":
                # not "eyes made of copper", nor "in a coat"
                wanted = next_role != "det" and (mention.text != "of" or (bool(self.group) and self.group[-1].is_worn))
                subjects = [self.person] if self.worn_next else self.latest
                self.speak_of("in" if wanted else None, subjects if wanted else [])
            case "with":
                self.speak_of("with", self.latest)
            case "also":
                self.flush()
                if self.group and next_role in ("colour", "pattern", "in"):
                    self.link, self.subjects = "be", self.group if mention.text == "both" else self.latest
            case "all":
                if next_role in ("in", "colour"):
                    self.flush()
                    self.wholly = True
            case "wear":
                self.speak_of("in", [self.person])
            case "apart":
                self.boundary()
        self.worn_next = mention.role == "wear" or (self.worn_next and mention.role == "all")

    def adjective(self, mention: Mention) -> None:
        if self.waiting or mention.role != "unknown":
            if not self.waiting:
                self.after_noun = self.adjacent and self.link is None and mention.role != "same"
            self.waiting.append(mention)
        else:
            self.said.missed.append(mention.text)
        self.adjacent = False

    def separator(self, mention: Mention) -> None:
        if mention.role == "comma" and self.waiting and self.waiting[-1].role == "unknown" and self.link is None:
            self.flush()
        if self.waiting:
            self.waiting.append(mention)
        else:
            self.joined = self.joined or ("comma" if mention.role == "comma" else "and")
            self.adjacent = False

    def colon(self) -> None:
        shades = [mention.value for mention in self.waiting if mention.role == "colour"]
        if shades and not self.link and not self.after_noun:
            self.list_colours, self.waiting = shades, []
        else:
            self.speak_of("be", self.latest)

    def pronoun(self, mention: Mention) -> None:
        if mention.value:
            self.said.effects.append((("pronoun", mention.value), False))

    @property
    def latest(self) -> list[NounPhrase]:
        return self.group[-1:] or [self.person]

    # -- boundaries

    def boundary(self) -> None:
        self.flush()
        self.link, self.subjects, self.joined = None, [], None
        self.determined = self.adjacent = False

    def speak_of(self, link: Role | None, subjects: list[NounPhrase]) -> None:
        self.boundary()
        self.link, self.subjects = link, subjects

    def flush(self) -> None:
        """The waiting adjectives meet no noun of their own: give them to what the sentence is about."""
        waiting = [mention for mention in self.waiting if mention.role not in SEPARATORS]
        self.waiting = []
        if not waiting:
            return
        subjects = self.subjects if self.link else self.group[-1:] if self.after_noun else []
        wholly, self.wholly, self.after_noun = self.wholly, False, False
        if wholly and not (self.link == "be" and subjects and subjects[-1].is_worn):
            subjects, self.link = [self.person], "in"
        if not subjects:
            self.said.say_of_person(self.said.after_unknown(waiting))
        elif self.link == "in" and self.dress(subjects[-1], waiting, wholly):
            pass
        elif self.link == "with":
            self.say_with(subjects[-1], self.said.after_unknown(waiting))
        else:
            self.say_of(subjects, waiting)

    def dress(self, subject: NounPhrase, mentions: Sequence[Mention], wholly: bool) -> bool:
        """A person "in black": the colour of all clothes."""
        if subject.is_worn or subject.head.target == "hair":
            return False
        shades = [m.value for m in mentions if m.role == "colour" and find_colour(m.value) and not m.negated]
        if shades:
            self.said.wardrobe.extend(shades)
            self.said.wholly |= wholly
            self.said.miss(mention for mention in mentions if mention.role == "unknown")
        return bool(shades)

    def say_with(self, garment: NounPhrase, mentions: Sequence[Mention]) -> None:
        """A shirt "with white stripes"; of anything else than a garment, adjectives that stand alone."""
        pattern = next((mention for mention in mentions if mention.role == "pattern"), None)
        if pattern is None or pattern.negated or not garment.is_worn:
            self.said.say_of_person(mentions)
            return
        shades = [m.value for m in mentions if m.role == "colour" and find_colour(m.value)]
        if shades and not garment.own_colours:
            garment.effects.append(("second only", True))
        garment.pattern, garment.late_second = pattern.value, False
        garment.own_colours = garment.own_colours + shades

    def say_of(self, subjects: Sequence[NounPhrase], mentions: Sequence[Mention]) -> None:
        """Predicates: "her boots are red", of all subjects where there are several."""
        *others, subject = subjects
        if self.link is None and not subject.is_worn:
            mentions = self.said.after_unknown(mentions)
        left = self.said.modify(subject, mentions, predicate=True)
        for other in reversed(others):
            if not other.own_colours:
                self.said.modify(other, mentions, predicate=True)
        copula = self.link == "be"
        personal = [m for m in left if subject.is_person or (copula and m.role == "word" and "person" in m.value)]
        self.said.say_of_person(personal)
        self.said.miss(mention for mention in left if mention not in personal)

    # -- nouns

    def noun(self, mention: Mention) -> None:
        phrase = NounPhrase(mention.value, mention.text, mention.negated, self.determined)
        before, own = self.split_waiting()
        if before:
            self.waiting = before
            self.flush()
        self.waiting, self.after_noun = [], False
        if self.shares_colour(phrase, own):
            phrase.like = self.group[-1]
        self.waiting = self.pass_on(phrase, own, self.said.modify(phrase, own))
        if phrase.is_worn and not phrase.own_colours:
            phrase.own_colours = list(self.list_colours)
        if phrase.is_person and not phrase.negated:
            self.said.effects[0:0] = [(effect, False) for effect in phrase.head.effects]
            if phrase.head.archetype or not self.person.head.archetype:
                self.person = phrase
        self.said.phrases.append(phrase)
        self.group = [*self.group, phrase] if self.joined else [phrase]
        self.link, self.subjects, self.joined = None, [], None
        self.determined, self.adjacent, self.wholly = False, not self.waiting, False

    def shares_colour(self, phrase: NounPhrase, own: Sequence[Mention]) -> bool:
        """Whether it is the gloves of "black boots and gloves"; not the jeans of "a black shirt and jeans"."""
        if not (self.group and self.joined) or phrase.determined or any(m.role in ("colour", "same") for m in own):
            return False
        previous = self.group[-1]
        if phrase.is_worn and previous.is_worn:
            return (
                phrase.text not in IMPLIED
                and "jeans" not in phrase.kinds
                and (self.joined == "and" or not self.group[0].determined)
            )
        return self.joined == "and" and {phrase.head.target, previous.head.target} == {"hair", "eyes"}

    def pass_on(self, phrase: NounPhrase, own: Sequence[Mention], left: Sequence[Mention]) -> list[Mention]:
        """What does not fit a noun goes to the person or is missed; returns what waits for the next noun."""
        comma = max((index for index, mention in enumerate(own) if mention.role == "comma"), default=0)
        apart = [m for m in left if m.role == "word" and "person" in m.value and m in own[:comma]]
        self.said.say_of_person(apart)  # "fat, big moustache"
        left = [mention for mention in left if mention not in apart]
        is_style = phrase.head.target in ("hair", "beard") and phrase.head.effects
        if phrase.text.split()[-1] in ADJECTIVAL or is_style:
            self.said.miss(mention for mention in left if mention.role == "unknown")
            return [mention for mention in left if mention.role == "word"]
        self.said.miss(mention for mention in left if mention.role == "unknown" or not phrase.is_person)
        if phrase.is_person:
            self.said.say_of_person([mention for mention in left if mention.role != "unknown"])
        return []

    def split_waiting(self) -> tuple[list[Mention], list[Mention]]:
        """The waiting adjectives as those of the sentence so far and those of the noun that comes now."""
        waiting = self.waiting
        separators = [index for index, mention in enumerate(waiting) if mention.role in SEPARATORS]
        commas = [index for index in separators if waiting[index].role == "comma"]
        if not separators:
            return [], waiting
        last = separators[-1]
        if last == len(waiting) - 1:  # "…is yellow and shoes…"
            return waiting, []
        if self.link is None and not self.after_noun:
            unknown = any(mention.role == "unknown" for mention in waiting[: separators[0]])
            return (waiting[:last], waiting[last + 1 :]) if unknown and last in commas else ([], waiting)

        def patterned(end: int) -> bool:
            return self.link == "with" and any(mention.role == "pattern" for mention in waiting[:end])

        if commas and (self.link != "with" or patterned(commas[-1])):
            return waiting[: commas[-1]], waiting[commas[-1] + 1 :]
        if self.link == "be" or self.after_noun or patterned(last):  # "with stripes and red boots"
            return waiting[:last], waiting[last + 1 :]
        return [], waiting
