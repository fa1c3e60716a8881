"""Colour words: cloth, skin, hair and eyes, and how far apart two colours look.

The hexes are how cloth, skin, hair or an iris of that name looks in a photograph, so "green" is neither CSS's dark
#008000 nor a screen's #00ff00. A name may carry modifiers ("pale dusty pink"), which move it in CIELAB.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np
import webcolors
from jaxtyping import Float
from numpy import ndarray

from bozzetto.figure.spec import BLACK, WHITE, Colour
from bozzetto.types import UserError, linear_to_srgb, srgb_to_linear

CLOTH: dict[str, str] = {
    # greys
    "white": WHITE.hex, "off white": "#ece7da", "cream": "#efe4c8", "ivory": "#f0ead6", "eggshell": "#ece4d0",
    "pearl": "#e8e3da", "ecru": "#d2c6a0", "silver": "#b9bcc0", "grey": "#85878a", "ash": "#a8a9a6",
    "slate": "#5f6b76", "slate grey": "#626c75", "charcoal": "#3c3f43", "graphite": "#45474b", "gunmetal": "#43494f",
    "steel": "#7c8793", "stone": "#b3aa98", "smoke": "#8e8f90", "black": BLACK.hex, "jet black": "#121214",
    "ebony": "#26211f", "onyx": "#202124", "taupe": "#80705f", "salt": "#e8e8e6",
    # browns
    "brown": "#6b4429", "chocolate": "#4d2e1e", "coffee": "#5b4031", "espresso": "#3b2a22", "mocha": "#79563f",
    "chestnut": "#7a4028", "mahogany": "#5e2a20", "walnut": "#5c4334", "hazel": "#8c6a3f", "tan": "#c19a6b",
    "camel": "#b98d55", "caramel": "#b0733c", "beige": "#d6c5a3", "sand": "#d2ba8c", "khaki": "#a8986a",
    "fawn": "#c4a277", "bronze": "#8f6433", "copper": "#b06a3c", "cinnamon": "#9c5730", "tawny": "#b5733a",
    "umber": "#5f4a34", "sepia": "#6a4a2c", "cognac": "#8f4d2a", "toffee": "#9a6336", "nude": "#dcb499",
    "buff": "#d9bd85", "oatmeal": "#cfc2a8",
    # reds
    "red": "#c01f2b", "crimson": "#ab1530", "scarlet": "#cf2418", "burgundy": "#6b1a2d", "maroon": "#6e1a24",
    "wine": "#6a2036", "claret": "#761c30", "oxblood": "#581a1c", "cherry": "#b5162c", "ruby": "#9e1338",
    "cardinal": "#b01c32", "brick": "#a1432f", "brick red": "#a1432f", "rust": "#a84a20", "terracotta": "#be6446",
    "blood red": "#8a1018", "vermilion": "#d63f25", "garnet": "#76202c", "cranberry": "#97233f", "rose red": "#b82445",
    "tomato": "#d8452f", "fire engine red": "#c8151d",
    # pinks
    "pink": "#e79ab0", "rose": "#d9788c", "dusty rose": "#c08a8a", "blush": "#e8bfb8", "salmon": "#ea8f7b",
    "coral": "#ee7660", "hot pink": "#e3408c", "fuchsia": "#c72a86", "magenta": "#b92684", "raspberry": "#b3285a",
    "bubblegum": "#ee8fbb", "bubblegum pink": "#ee8fbb", "baby pink": "#f2c2cd", "shocking pink": "#e5258c",
    "rose gold": "#c78e85", "flamingo": "#ee8192", "strawberry": "#d6404f", "watermelon": "#e2566b",
    # oranges and yellows
    "orange": "#e57a22", "burnt orange": "#bd5a1f", "tangerine": "#ec8328", "pumpkin": "#d96f1e", "amber": "#dd9a1f",
    "apricot": "#f0b183", "peach": "#f3bf9b", "melon": "#f1a987", "papaya": "#f29a4a", "yellow": "#ecca2f",
    "mustard": "#c9962a", "gold": "#c9a13b", "golden": "#cfa43c", "lemon": "#efe05a", "canary": "#f2dd4b",
    "saffron": "#e2a426", "ochre": "#bf8630", "honey": "#d49c3d", "butter": "#f1dd94", "straw": "#dcc678",
    "blonde": "#d8b878", "sunflower": "#edb626", "marigold": "#e59a24", "turmeric": "#d3961f", "brass": "#ae8f45",
    "high vis yellow": "#d9ef2b", "champagne": "#e8d6b3", "vanilla": "#efe2bd", "corn": "#edd166",
    # greens
    "green": "#2f8443", "dark green": "#1f4d2d", "forest green": "#234d2e", "hunter green": "#2a4b35",
    "bottle green": "#15472f", "racing green": "#14402c", "emerald": "#128058", "jade": "#2b9370", "olive": "#6a6a34",
    "olive green": "#6a6a34", "olive drab": "#5f5f35", "army green": "#555a34", "military green": "#555a34",
    "moss": "#6f7a3d", "moss green": "#6f7a3d", "sage": "#9caa88", "sage green": "#9caa88", "mint": "#a5d9bd",
    "mint green": "#a5d9bd", "lime": "#94c832", "lime green": "#7fc234", "chartreuse": "#b3d23a",
    "pistachio": "#a9c585",
    "apple green": "#7eb43e", "pea green": "#87a044", "grass green": "#4c8b36", "kelly green": "#2a9440",
    "fern": "#5a8a4c", "pine": "#22523f", "seafoam": "#9fd6bf", "sea green": "#3c9270", "avocado": "#6b7b38",
    "shamrock": "#2b9a5a", "spring green": "#5fcf84",
    # blue-greens
    "teal": "#1b7a7a", "turquoise": "#3dbab2", "aqua": "#54c8c9", "cyan": "#35b7cc", "aquamarine": "#79d2b8",
    "petrol": "#1d5763", "peacock": "#12707f", "duck egg": "#b8d6d0", "teal green": "#1a7469",
    # blues
    "blue": "#2b57a7", "navy": "#1d2847", "navy blue": "#1d2847", "royal blue": "#2846b0", "sky blue": "#86b9e0",
    "baby blue": "#a6c9e8", "powder blue": "#b1cbe0", "light blue": "#94bde0", "midnight blue": "#1b2140",
    "midnight": "#191d38", "cobalt": "#2048a4", "cobalt blue": "#2048a4", "electric blue": "#2468de",
    "azure": "#3f8fdc", "cerulean": "#2f82bb", "sapphire": "#1d459b", "denim": "#46648c", "denim blue": "#46648c",
    "steel blue": "#4d7da5", "cornflower": "#6a8fd6", "cornflower blue": "#6a8fd6", "ice blue": "#c3dfee",
    "air force blue": "#5b7c9c", "ultramarine": "#2a35a2", "prussian blue": "#17345a", "slate blue": "#5a6b9c",
    "periwinkle": "#949bdb", "ocean blue": "#22688f", "marine": "#1f4170", "police blue": "#26365c",
    # purples
    "purple": "#6c3491", "violet": "#7b4bb0", "lavender": "#b9a9dc", "lilac": "#c4a5d3", "mauve": "#a9819f",
    "plum": "#672f5c", "aubergine": "#432342", "eggplant": "#432342", "indigo": "#393180", "amethyst": "#8f63bd",
    "grape": "#593377", "orchid": "#bd72c4", "mulberry": "#7d2f5c", "royal purple": "#56298b", "wisteria": "#b19bd4",
    "heather": "#9b8a9f", "byzantium": "#6a2860",
}  # fmt: skip
"""Of cloth, and of anything else that is dyed or painted."""

SPELLINGS: dict[str, str] = {
    "gray": "grey", "blond": "blonde", "offwhite": "off white", "multicoloured": "rainbow", "blueish": "bluish",
    "grayish": "greyish", "rosé": "rose", "ochre yellow": "ochre", "golden yellow": "sunflower", "hi vis yellow":
    "high vis yellow", "eggplant purple": "eggplant", "violett": "violet", "bordeaux": "burgundy",
    "cherry red": "cherry", "wine red": "wine", "ruby red": "ruby", "mustard yellow": "mustard",
    "lemon yellow": "lemon",
    "canary yellow": "canary", "emerald green": "emerald", "jade green": "jade", "charcoal grey": "charcoal",
    "chocolate brown": "chocolate", "chestnut brown": "chestnut", "coal black": "jet black", "raven": "jet black",
    "pitch black": "jet black", "snow white": "white", "crimson red": "crimson", "burgundy red": "burgundy",
    "rust red": "rust", "rust orange": "rust", "coral pink": "coral", "salmon pink": "salmon", "peach pink": "peach",
    "hunter": "hunter green", "forest": "forest green", "royal": "royal blue", "turquoise blue": "turquoise",
    "turquoise green": "turquoise", "teal blue": "teal", "aqua blue": "aqua", "indigo blue": "indigo",
    "plum purple": "plum", "lavender purple": "lavender", "amber yellow": "amber", "silver grey": "silver",
    "lipstick red": "red", "rainbow": "hot pink", "gold yellow": "gold", "scarlet red": "scarlet", "kaki": "khaki",
    "sapphire blue": "sapphire", "azure blue": "azure", "tan brown": "tan", "camel brown": "camel",
    "steel grey": "steel",
    "ash grey": "ash", "pine green": "pine", "fern green": "fern", "pistachio green": "pistachio",
    "cream white": "cream",
    "creamy white": "cream", "hi vis": "high vis yellow", "high vis": "high vis yellow",
}  # fmt: skip
"""Other ways to say a name of ``CLOTH``."""

SKIN: dict[str, str] = {
    "porcelain": "#f4dccf", "pale": "#f0d2c1", "fair": "#ebc5ad", "light": "#e3b596", "rosy": "#e3ac96",
    "peach": "#e5b497", "beige": "#d9ab86", "golden": "#cd9a6a", "medium": "#c68f6e", "olive": "#bd9368",
    "honey": "#bd8757", "tan": "#b27d55", "caramel": "#a56f48", "bronze": "#99653f", "copper": "#96593c",
    "brown": "#835337", "chestnut": "#74462e", "dark brown": "#5d3a28", "dark": "#57372a", "mahogany": "#522f22",
    "deep": "#482d23", "black": "#452b22", "ebony": "#33211b",
}  # fmt: skip
SKIN_SPELLINGS: dict[str, str] = {
    "white": "light", "alabaster": "porcelain", "ivory": "porcelain", "milky": "porcelain", "very pale": "porcelain",
    "very light": "pale", "very fair": "pale", "pallid": "pale", "pinkish": "rosy", "ruddy": "rosy", "pink": "rosy",
    "light skin": "light", "medium skin": "medium", "tanned": "tan", "sun tanned": "tan", "suntanned": "tan",
    "sun kissed": "golden", "bronzed": "bronze", "swarthy": "honey", "light brown": "caramel", "medium brown": "brown",
    "chocolate": "dark brown", "coffee": "dark brown", "mocha": "brown", "cocoa": "dark brown", "amber": "honey",
    "very dark": "ebony", "deep brown": "deep", "deep dark": "ebony", "cream": "pale", "creamy": "pale", "sallow":
    "olive", "weathered": "tan", "espresso": "deep", "jet black": "ebony", "sand": "beige", "cinnamon": "bronze",
    "very dark brown": "deep", "warm brown": "brown", "rich brown": "brown", "medium dark": "brown",
    "lightish": "light",
    "medium light": "beige", "light medium": "beige", "light olive": "olive", "dark olive": "honey", "dusky": "bronze",
    "bright": "light", "darker": "dark", "lighter": "light", "fairer": "fair", "light tan": "honey",
    "deep black": "ebony", "golden brown": "caramel", "umber": "chestnut", "sienna": "copper", "tawny": "bronze",
    "dark tan": "caramel", "snow white": "porcelain", "walnut": "chestnut", "terracotta": "copper",
}  # fmt: skip

HAIR: dict[str, str] = {
    "black": "#1a1613", "jet black": "#0e0d0e", "dark brown": "#33231a", "dark": "#2e2019", "brown": "#553623",
    "light brown": "#7c573a", "chestnut": "#6a3c26", "auburn": "#713020", "mahogany": "#4d2018", "copper": "#a85528",
    "ginger": "#b8602a", "red": "#a8401f", "strawberry blonde": "#d09a66", "dark blonde": "#a3814f",
    "dirty blonde": "#a98c5e", "honey blonde": "#c49a5a", "blonde": "#d3b075", "golden blonde": "#d8ad60",
    "light blonde": "#e2c793", "ash blonde": "#c2b08b", "sandy": "#bd9a68", "platinum": "#ebe0c7", "white": "#ecebe7",
    "silver": "#c3c5c8", "grey": "#8f8f90", "salt and pepper": "#6c6b6a", "steel": "#73787d",
}  # fmt: skip
HAIR_SPELLINGS: dict[str, str] = {
    "brunette": "brown", "platinum blonde": "platinum", "bleached": "light blonde", "bleached blonde": "light blonde",
    "raven": "jet black", "raven black": "jet black", "ebony": "jet black", "orange red": "ginger", "redhead": "red",
    "strawberry": "strawberry blonde", "golden": "golden blonde", "gold": "golden blonde", "yellow": "golden blonde",
    "honey": "honey blonde", "straw": "light blonde", "fair": "light blonde", "light": "light blonde", "pale blonde":
    "light blonde", "bright blonde": "light blonde", "sandy blonde": "sandy", "sand": "sandy",
    "greying": "salt and pepper",
    "salt pepper": "salt and pepper", "snow white": "white", "silvery": "silver", "silver grey": "silver",
    "medium brown": "brown", "deep brown": "dark brown", "very dark brown": "dark brown", "chestnut brown": "chestnut",
    "chocolate": "dark brown", "chocolate brown": "dark brown", "dark red": "auburn", "reddish brown": "auburn",
    "red brown": "auburn", "carrot": "ginger", "flaxen": "light blonde", "dark auburn": "mahogany",
    "mousy": "light brown",
    "mousy brown": "light brown", "hazel": "light brown", "bright red": "red", "iron grey": "steel",
    "coal black": "jet black",
    "ash": "ash blonde", "ginger red": "ginger", "fiery red": "red", "copper red": "copper", "caramel": "light brown",
    "very light blonde": "platinum", "pepper and salt": "salt and pepper", "orange": "ginger", "steel grey": "steel",
    "light grey": "silver", "dark ginger": "copper", "inky black": "jet black", "wheat": "blonde", "cinnamon": "copper",
    "natural red": "red", "light red": "ginger", "pitch black": "jet black", "rust": "copper",
}  # fmt: skip

EYES: dict[str, str] = {
    "brown": "#5b3a1e", "dark brown": "#3a2415", "light brown": "#86592e", "black": "#1f1611", "hazel": "#7d6433",
    "amber": "#a8702a", "green": "#557f4c", "emerald": "#2f8559", "blue": "#4a7fb5", "light blue": "#86b3d6",
    "dark blue": "#2b4f86", "grey": "#85919a", "violet": "#735a9f", "turquoise": "#3f9f9e",
}  # fmt: skip
EYE_SPELLINGS: dict[str, str] = {
    "dark": "dark brown", "chestnut": "light brown", "chocolate": "dark brown", "ice blue": "light blue", "icy blue":
    "light blue", "sky blue": "light blue", "pale blue": "light blue", "bright blue": "blue", "deep blue": "dark blue",
    "sapphire": "dark blue", "honey": "amber", "golden": "amber", "gold": "amber", "emerald green": "emerald", "jade":
    "emerald", "silver": "grey", "steel": "grey", "steel grey": "grey", "steel blue": "blue", "hazel green": "hazel",
    "purple": "violet", "deep brown": "dark brown", "jet black": "black", "light": "light blue", "pale": "light blue",
    "bright green": "green", "light green": "green", "dark green": "green", "navy": "dark blue", "olive": "hazel",
    "light grey": "grey", "dark grey": "grey", "pale grey": "grey", "warm brown": "brown", "slate": "grey",
    "mint": "green",
    "navy blue": "dark blue", "coffee": "dark brown", "caramel": "light brown", "cobalt": "dark blue", "azure": "blue",
    "royal blue": "dark blue", "pale green": "green", "sea green": "emerald", "ocean blue": "blue",
}  # fmt: skip

MODIFIERS: dict[str, tuple[float, float]] = {
    "light": (0.40, 0.80), "lighter": (0.40, 0.80), "pale": (0.55, 0.55), "pastel": (0.60, 0.50), "soft": (0.30, 0.70),
    "faded": (0.30, 0.60), "washed": (0.30, 0.65), "baby": (0.55, 0.60), "dark": (-0.40, 0.85), "darker": (-0.40, 0.85),
    "deep": (-0.30, 1.05), "rich": (-0.12, 1.15), "bright": (0.10, 1.30), "vivid": (0.05, 1.35),
    "vibrant": (0.05, 1.35), "neon": (0.45, 1.80), "fluorescent": (0.45, 1.80), "electric": (0.10, 1.50),
    "hot": (0.0, 1.40), "muted": (0.0, 0.60), "dusty": (0.08, 0.55), "dull": (-0.05, 0.55), "medium": (0.0, 1.0),
    "mid": (0.0, 1.0), "warm": (0.0, 1.05), "cool": (0.0, 0.95), "metallic": (0.05, 0.8), "shiny": (0.0, 1.0),
    "very": (0.0, 1.0), "greyish": (0.0, 0.5), "earthy": (-0.08, 0.7), "saturated": (0.0, 1.35), "natural": (0.0, 1.0),
    "inky": (-0.45, 0.8), "fiery": (0.0, 1.25), "brilliant": (0.08, 1.3), "lightish": (0.2, 0.9),
    "darkish": (-0.2, 0.9),
    "bold": (0.0, 1.25), "icy": (0.55, 0.5), "subdued": (0.0, 0.6), "smoky": (-0.1, 0.5), "cold": (0.0, 0.95),
}  # fmt: skip
"""What a modifier does in CIELAB: the share of the way to white (or, negative, to black), and a chroma factor."""

TINTS: dict[str, str] = {
    "reddish": "red", "bluish": "blue", "greenish": "green", "yellowish": "yellow", "brownish": "brown",
    "purplish": "purple", "pinkish": "pink", "orangey": "orange", "orangish": "orange",
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------- CIELAB

_RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE_POINT = _RGB_TO_XYZ.sum(axis=1)


def srgb_to_lab(srgb: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
    """CIELAB (D65, L in [0, 100]) of sRGB in [0, 1]. CIE 015:2018, IEC 61966-2-1."""
    ratio = srgb_to_linear(np.asarray(srgb, dtype=np.float64)) @ _RGB_TO_XYZ.T / _WHITE_POINT
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def lab_to_srgb(lab: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
    """The inverse of ``srgb_to_lab``, clipped to the sRGB gamut."""
    lightness, a, b = np.moveaxis(np.asarray(lab, dtype=np.float64), -1, 0)
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], axis=-1)
    ratio = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    return linear_to_srgb((ratio * _WHITE_POINT) @ np.linalg.inv(_RGB_TO_XYZ).T)


BASIC = ("red", "orange", "yellow", "green", "teal", "blue", "purple", "pink", "brown", "black", "grey", "white")
"""Colours that nobody mistakes for each other."""


def nearest_basic(lab: Float[ndarray, "3"]) -> str:
    """The basic colour that looks most like this one."""
    table = srgb_to_lab(np.array([colour(name).srgb for name in BASIC]))
    return BASIC[int(delta_e_2000_lab(table, lab[None]).argmin())]


def passes_for(lab: Float[ndarray, "3"], asked: Float[ndarray, "3"]) -> str:
    """The basic colour that a painted one passes for where another colour was asked for.

    It is the asked one's, unless a basic colour that the asked one is not lies nearer than the asked one itself:
    burgundy lies beside brown, and painted as exactly as can be seen it may well be nearer to brown than to red.
    """
    own, seen = nearest_basic(asked), nearest_basic(lab)
    other = srgb_to_lab(np.array(colour(seen).srgb))
    return own if delta_e_2000_lab(lab, asked) <= delta_e_2000_lab(lab, other) else seen


def apart_from_border(picture: Float[ndarray, "h w 3"]) -> Float[ndarray, "h w"]:
    """CIEDE2000 of each pixel from what most of a picture's border shows: its background, where that is plain."""
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    background = srgb_to_lab(np.median(border, 0))
    return delta_e_2000_lab(srgb_to_lab(picture), np.broadcast_to(background, picture.shape))


def delta_e_2000_lab(a: Float[ndarray, "*#n 3"], b: Float[ndarray, "*#n 3"]) -> Float[ndarray, "*#n"]:
    """How different two CIELAB colours look. Sharma, Wu and Dalal 2005, Eqs. 2 to 22, with kL = kC = kH = 1."""
    l1, a1, b1 = np.moveaxis(np.asarray(a, dtype=np.float64), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(b, dtype=np.float64), -1, 0)
    mean7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - np.sqrt(mean7 / (mean7 + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    grey = c1 * c2 == 0
    turn = np.where(grey, 0.0, (h2 - h1 + 180) % 360 - 180)
    turn = np.where(~grey & (turn == -180) & (h2 > h1), 180.0, turn)
    big_h = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn) / 2)
    wide = np.abs(h1 - h2) > 180
    mean_h = np.where(grey, h1 + h2, (h1 + h2 + np.where(wide, np.where(h1 + h2 < 360, 360, -360), 0)) / 2)
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    t = (
        1
        - 0.17 * np.cos(np.radians(mean_h - 30))
        + 0.24 * np.cos(np.radians(2 * mean_h))
        + 0.32 * np.cos(np.radians(3 * mean_h + 6))
        - 0.20 * np.cos(np.radians(4 * mean_h - 63))
    )
    rotation = (
        -2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)) * np.sin(np.radians(60 * np.exp(-(((mean_h - 275) / 25) ** 2))))
    )
    light = (l2 - l1) / (1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2))
    chroma = (c2 - c1) / (1 + 0.045 * mean_c)
    hue = big_h / (1 + 0.015 * mean_c * t)
    return np.asarray(np.sqrt(np.maximum(light**2 + chroma**2 + hue**2 + rotation * chroma * hue, 0.0)))


def delta_e_2000(a: Colour, b: Colour) -> float:
    """How different two colours look: 1 is just visible, 15 is another shade, 50 another colour."""
    return float(delta_e_2000_lab(srgb_to_lab(np.array(a.srgb)), srgb_to_lab(np.array(b.srgb))))


# ---------------------------------------------------------------------------------------------------- words


def _css() -> dict[str, str]:
    """The CSS names as people write them, spaced before a known colour word ("light sea green")."""
    parts = (
        "light",
        "dark",
        "medium",
        "pale",
        "deep",
        "hot",
        "misty",
        "blanched",
        "antique",
        "old",
        "floral",
        "navajo",
    )
    names: dict[str, str] = {}
    for name in webcolors.names("css3"):
        names[name] = webcolors.name_to_hex(name)
        for part in parts:
            if name.startswith(part) and name != part:
                names[f"{part} {name[len(part) :]}"] = names[name]
    for name in ("dark slate grey", "light slate grey", "saddle brown", "rosy brown", "sandy brown", "steel blue",
                 "dodger blue", "cadet blue", "alice blue", "ghost white", "mint cream", "sea shell", "indian red",
                 "fire brick", "lawn green", "forest green", "yellow green", "green yellow", "orange red",
                 "blue violet",
                 "golden rod", "lemon chiffon", "papaya whip", "peach puff", "old lace", "lavender blush",
                 "dark olive green", "medium sea green", "light sea green", "dark sea green"):  # fmt: skip
        names[name] = webcolors.name_to_hex(name.replace(" ", ""))
    return names


CSS = _css()


def _spelt(name: str) -> str:
    words = name.lower().replace("-", " ").replace("colored", "").replace("coloured", "").split()
    return " ".join(
        SPELLINGS.get(word, word) if word in ("gray", "blond", "grayish", "blueish") else word for word in words
    )


def _hex(lab: Float[ndarray, "3"]) -> str:
    red, green, blue = (round(float(channel) * 255) for channel in lab_to_srgb(lab))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _lab(hex_code: str) -> Float[ndarray, "3"]:
    return srgb_to_lab(np.array(Colour("", hex_code).srgb))


def _modify(hex_code: str, modifiers: list[str]) -> str:
    """``hex_code`` after each modifier, the one nearest the noun first."""
    lab = _lab(hex_code)
    for modifier in reversed(modifiers):
        if modifier in TINTS:
            lab = 0.7 * lab + 0.3 * _lab(CLOTH[TINTS[modifier]])
            continue
        towards, chroma = MODIFIERS[modifier]
        lightness = lab[0] + towards * ((100.0 if towards > 0 else 6.0) - lab[0]) * (1 if towards > 0 else -1)
        lab = np.array([lightness, lab[1] * chroma, lab[2] * chroma])
    return _hex(lab)


def _find(name: str, table: Mapping[str, str], spellings: Mapping[str, str]) -> str | None:
    """The hex of a name with any modifiers, or of two names side by side ("blue green"), in one table."""
    words = _spelt(name).split()
    for start in range(len(words)):
        if not all(word in MODIFIERS or word in TINTS for word in words[:start]):
            break
        rest = " ".join(words[start:])
        found = table.get(spellings.get(rest, rest))
        if found is not None:
            return _modify(found, words[:start])
        for cut in range(start + 1, len(words)):  # "blue green": an even mix
            left, right = " ".join(words[start:cut]), " ".join(words[cut:])
            left, right = table.get(spellings.get(left, left)), table.get(spellings.get(right, right))
            if left is not None and right is not None:
                return _modify(_hex((_lab(left) + _lab(right)) / 2), words[:start])
    return None


@cache
def find_colour(name: str) -> Colour | None:
    """The cloth colour of a name, or None where it is no colour."""
    code = _find(name, CLOTH, SPELLINGS) or _find(name, CSS, {})
    return Colour(_spelt(name), code) if code else None


@cache
def colour(name: str) -> Colour:
    """The colour of cloth of that name: "navy", "light grey", "pale dusty pink", any CSS name.

    Raises:
        UserError: The name is no known colour.
    """
    found = find_colour(name)
    if found is None:
        raise UserError(f"{name!r} is not a colour bozzetto knows. Try a plain one: red, navy, light grey, dark green.")
    return found


def _of(part: str, name: str, table: Mapping[str, str], spellings: Mapping[str, str]) -> Colour:
    spelt = _spelt(name)
    for ending in (f" {part}", " hair", " eyes", " tone"):
        spelt = spelt.removesuffix(ending)
    code = _find(spelt, table, spellings)
    return Colour(spelt, code) if code else colour(spelt)


@cache
def skin_colour(name: str) -> Colour:
    """The skin of that name, "pale" to "ebony"; other colours ("green") as themselves."""
    return _of("skin", name, SKIN, SKIN_SPELLINGS)


@cache
def hair_colour(name: str) -> Colour:
    """The hair of that name; what no hair grows ("pink", "blue") as dyed."""
    return _of("hair", name.removeprefix("dyed "), HAIR, HAIR_SPELLINGS)


@cache
def eye_colour(name: str) -> Colour:
    """The iris of that name; other colours ("red") as themselves."""
    return _of("eyes", name, EYES, EYE_SPELLINGS)


@cache
def _palette() -> tuple[tuple[str, ...], Float[ndarray, "n 3"]]:
    return tuple(CLOTH), np.stack([_lab(code) for code in CLOTH.values()])


def nearest_name(srgb: tuple[float, float, float]) -> str:
    """The cloth name that looks most like an sRGB colour in [0, 1]."""
    names, lab = _palette()
    return names[int(delta_e_2000_lab(lab, srgb_to_lab(np.array(srgb))).argmin())]
