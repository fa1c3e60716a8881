"""What others may do with a character, in words a user types, and as VRM 1.0 says it (``meta.md``).

Nothing is permitted that was not said: without a word, only its author appears as the character, unpaid and unchanged,
and nobody passes the file on. VRM's flag for hate has no word here and is never set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from ..types import UserError

VRM_LICENCE = "https://vrm.dev/licenses/1.0/"
"""The one licence document VRM 1.0 knows; the permissions fill it in."""

PERMITS: Mapping[str, str] = {
    "licensed": "people you license separately may appear as the character",
    "everyone": "anyone may appear as the character",
    "profit": "private people may earn money with it",
    "commercial": "private people and companies may earn money with it",
    "modify": "it may be changed",
    "redistribute": "the file may be passed on",
    "no-credit": "your name need not be shown",
    "violence": "it may appear in excessively violent scenes",
    "sexual": "it may appear in sexual scenes; never permitted for anyone under 18",
    "politics": "it may appear in political and religious messages",
}
"""The words ``--permit`` takes, and what each grants."""

_SHARED = frozenset({"everyone", "redistribute"})
LICENCES: Mapping[str, tuple[str, frozenset[str]]] = {
    "CC0-1.0": (
        "https://creativecommons.org/publicdomain/zero/1.0/",
        _SHARED | {"profit", "commercial", "modify", "no-credit"},
    ),
    "CC-BY-4.0": ("https://creativecommons.org/licenses/by/4.0/", _SHARED | {"profit", "commercial", "modify"}),
    "CC-BY-SA-4.0": ("https://creativecommons.org/licenses/by-sa/4.0/", _SHARED | {"profit", "commercial", "modify"}),
    "CC-BY-ND-4.0": ("https://creativecommons.org/licenses/by-nd/4.0/", _SHARED | {"profit", "commercial"}),
    "CC-BY-NC-4.0": ("https://creativecommons.org/licenses/by-nc/4.0/", _SHARED | {"modify"}),
    "CC-BY-NC-SA-4.0": ("https://creativecommons.org/licenses/by-nc-sa/4.0/", _SHARED | {"modify"}),
    "CC-BY-NC-ND-4.0": ("https://creativecommons.org/licenses/by-nc-nd/4.0/", _SHARED),
}
"""Known licences: where each is written, and what it permits of `PERMITS`."""

UNKNOWN_AUTHOR = "not named"
_LONGEST = 500


@dataclass(frozen=True)
class Rights:
    """Whose the character is, and what others may do with it."""

    authors: tuple[str, ...] = ()
    permits: frozenset[str] = field(default_factory=frozenset)
    """Of `PERMITS`."""
    licence: str | None = None
    """As the user named it."""
    licence_url: str | None = None

    @property
    def commercial(self) -> bool:
        """Whether others may earn money with it."""
        return bool(self.permits & {"profit", "commercial"})

    def words(self) -> str:
        """What is granted, in one sentence."""
        implied = {"licensed"} if "everyone" in self.permits else set()
        told = self.permits - implied - ({"profit"} if "commercial" in self.permits else set())
        granted = [meaning.partition(";")[0] for word, meaning in PERMITS.items() if word in told]
        licence = f" Licence: {self.licence}." if self.licence else ""
        if not granted:
            return f"Only its author may appear as this character, unpaid and unchanged, and keeps the file.{licence}"
        return f"Granted: {'; '.join(granted)}. Nothing else.{licence}"


def check_title(title: str | None) -> None:
    """Whether a character can be called that.

    Raises:
        UserError: It is blank, too long, or has characters that cannot be printed.
    """
    if title is not None and not (title.strip() and len(title) <= _LONGEST and title.isprintable()):
        raise UserError(f"A title must have 1 to {_LONGEST} printable characters. Give it with --title.")


def read_rights(authors: Sequence[str] = (), licence: str | None = None, permit: str = "") -> Rights:
    """The rights a user's words name. A known licence grants what it says; ``permit`` may add to that.

    Args:
        authors: Names; none is allowed.
        licence: A name of `LICENCES` or a web address.
        permit: Words of `PERMITS` between commas.

    Raises:
        UserError: A word, the licence or a name cannot be understood.
    """
    authors = tuple(author.strip() for author in authors)
    if not all(0 < len(author) <= _LONGEST and author.isprintable() for author in authors):
        raise UserError(f"An author's name must have 1 to {_LONGEST} printable characters. Give it with --author.")
    words = frozenset(word.strip().lower() for word in permit.split(",") if word.strip())
    for word in sorted(words - set(PERMITS)):
        close = get_close_matches(word, PERMITS, n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UserError(f"--permit does not know {word!r}.{hint} It takes, between commas: {', '.join(PERMITS)}.")
    if licence is None:
        return Rights(authors, _whole(words))
    known = {name.lower(): name for name in LICENCES}
    if licence.lower() in known:
        name = known[licence.lower()]
        url, granted = LICENCES[name]
        return Rights(authors, _whole(words | granted), name, url)
    if not licence.startswith(("https://", "http://")) or not licence.isprintable() or len(licence) > 2000:
        raise UserError(
            f"--license {licence[:80]!r} is neither a web address nor one of {', '.join(LICENCES)}. "
            "Give the address where your licence can be read."
        )
    return Rights(authors, _whole(words), licence, licence)


def _whole(words: frozenset[str]) -> frozenset[str]:
    """What companies may, private people may; what everyone may, the licensed may."""
    return (
        words
        | ({"profit"} if "commercial" in words else frozenset())
        | ({"licensed"} if "everyone" in words else frozenset())
    )


def vrm_meta(rights: Rights) -> dict[str, object]:
    """The fields of VRM's ``meta`` that say whose the model is and what is allowed; every one is written out."""
    may = rights.permits
    if "modify" in may:
        modification = "allowModificationRedistribution" if "redistribute" in may else "allowModification"
    else:
        modification = "prohibited"
    people = "everyone" if "everyone" in may else "onlySeparatelyLicensedPerson" if "licensed" in may else "onlyAuthor"
    use = "corporation" if "commercial" in may else "personalProfit" if "profit" in may else "personalNonProfit"
    meta: dict[str, object] = {
        "authors": list(rights.authors) or [UNKNOWN_AUTHOR],
        "licenseUrl": VRM_LICENCE,
        "avatarPermission": people,
        "allowExcessivelyViolentUsage": "violence" in may,
        "allowExcessivelySexualUsage": "sexual" in may,
        "commercialUsage": use,
        "allowPoliticalOrReligiousUsage": "politics" in may,
        "allowAntisocialOrHateUsage": False,
        "creditNotation": "unnecessary" if "no-credit" in may else "required",
        "allowRedistribution": "redistribute" in may,
        "modification": modification,
    }
    if rights.authors:
        meta["copyrightInformation"] = ", ".join(rights.authors)
    if rights.licence_url:
        meta["otherLicenseUrl"] = rights.licence_url
    return meta
