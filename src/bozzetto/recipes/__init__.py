"""The methods, by the name the command line knows them by."""

from .draft import Draft as Draft
from .step import Recipe as Recipe
from .step import Step as Step

RECIPES: dict[str, Recipe] = {"draft": Draft()}
