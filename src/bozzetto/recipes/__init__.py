"""The methods, by the name the command line knows them by."""

from .avatarbooth import PAPER
from .avatarbooth import AvatarBooth as AvatarBooth
from .digitize import Digitize as Digitize
from .draft import Draft as Draft
from .personalize import Personalize as Personalize
from .step import Recipe as Recipe
from .step import Resumable as Resumable
from .step import Step as Step

RECIPES: dict[str, Recipe] = {"draft": Draft(), "avatarbooth": AvatarBooth(), "avatarbooth-paper": PAPER}
"""draft is the instant first figure: nothing is optimised, nothing downloaded. The others refine it with a prior."""
