# ruff: noqa: E501
"""The words a prompt may use, as plain tables.

Phrases are lower case with spaces for hyphens, singular where English has a singular. An *effect* is a pair of an
attribute and its value; attributes are fields of ``Wishes``, with hair split into length, texture and style.
Lists of words are comma separated strings, to stay readable.
"""

from typing import Any, TypeAlias

Effect: TypeAlias = tuple[str, Any]

# ---------------------------------------------------------------------------------------------------- people

WOMAN: Effect = ("presentation", "woman")
MAN: Effect = ("presentation", "man")
ADULT: Effect = ("age", (19.0, 80.0))
CHILD: Effect = ("age", (5.0, 15.0))
TEENAGE: Effect = ("exact age", (13.0, 17.9))
"""Exact, so that it outweighs the years of "boy" and "girl"."""

PEOPLE: dict[str, tuple[Effect, ...]] = {
    "person, human, human being, someone, somebody, individual, character, figure, avatar, people, body, anyone, "
    "citizen, stranger, protagonist, villager, figurine": (),
    "woman, lady, gal, female, lass, women, chick, madam, dame, businesswoman type": (WOMAN, ADULT),
    "man, guy, male, gentleman, bloke, fellow, dude, chap, men, gent, fella, sir, lads": (MAN, ADULT),
    "adult, grown up": (ADULT,),
    "young woman, young lady": (WOMAN, ("age", (18.0, 29.0))),
    "young man, young guy, young lad": (MAN, ("age", (18.0, 29.0))),
    "lad": (MAN, ("age", (14.0, 24.0))),
    "teenager, teen, adolescent, youth": (TEENAGE,),
    "old lady, old woman, granny, grandma, grandmother, nan, nana, crone": (WOMAN, ("age", (65.0, 88.0))),
    "old man, grandpa, grandfather, grandad, granddad, old timer, greybeard": (MAN, ("age", (65.0, 88.0))),
    "mother, mum, mom": (WOMAN, ("age", (26.0, 50.0))),
    "father, dad": (MAN, ("age", (26.0, 50.0))),
    "aunt, auntie": (WOMAN, ("age", (30.0, 60.0))),
    "uncle": (MAN, ("age", (30.0, 60.0))),
    "senior, pensioner, retiree, elder, senior citizen, oap": (("age", (65.0, 88.0)),),
    "octogenarian": (("age", (80.0, 89.0)),),
    "septuagenarian": (("age", (70.0, 79.0)),),
    "newlywed, young adult": (("age", (20.0, 32.0)),),
    "sister, daughter, girlfriend, wife, heroine": (WOMAN,),
    "brother, son, boyfriend, husband": (MAN,),
    "redhead": (("hair.colour", "red"),),
    "ginger person": (("hair.colour", "ginger"),),
    "brunette": (("hair.colour", "brown"),),
    "nonbinary person, enby": (("presentation", "androgynous"),),
    "latina": (WOMAN, ("skin", "olive")),
    "latino": (MAN, ("skin", "olive")),
}
CHILDREN: dict[str, tuple[Effect, ...]] = {
    "boy, little boy, schoolkid boy": (MAN, CHILD),
    "girl": (WOMAN, CHILD),
    "kid, child, youngster, schoolchild, preteen": (CHILD,),
    "schoolboy": (MAN, ("age", (7.0, 14.0))),
    "schoolgirl": (WOMAN, ("age", (7.0, 14.0))),
    "toddler, baby, infant": (("age", (4.0, 4.6)),),
    "tween": (("age", (10.0, 12.9)),),
}

PRONOUNS: dict[str, Effect | None] = {
    "he": MAN, "him": MAN, "his": MAN, "himself": MAN, "she": WOMAN, "her": WOMAN, "hers": WOMAN, "herself": WOMAN,
    "they": None, "their": None, "them": None, "themselves": None,
}  # fmt: skip

# ---------------------------------------------------------------------------------------------------- parts

PARTS: dict[str, str] = {
    "hair": "hair, haired, locks, hairstyle, hairdo, haircut, tresses, mane, head of hair, headed",
    "eyes": "eye, eyes, eyed, iris, gaze",
    "skin": "skin, skinned, complexion, skin tone, complexioned, toned skin",
    "face": "face, faced, jaw, jawline, jawed, chin, facial shape, face shape",
    "brows": "eyebrow, brow, browed, eyebrows, brows",
    "lips": "lip, lipped, lips, mouth",
    "lipstick": "lipstick, lip gloss, lip colour, lip color",
    "eyeshadow": "eyeshadow, eye shadow, eyelids",
    "beard": "beard, bearded, facial hair, whiskers",
    "makeup": "makeup, make up, cosmetics, made up face",
    "blush": "blush, rouge, blusher",
    "cheeks": "cheek, cheeks, cheeked",
    "freckles": "freckle, freckles, freckled, freckly",
    "build": "build, physique, frame, figure type, stature, height, bodied, weight",
    "shoulders": "shoulders, shouldered",
    "hips": "hips, hipped",
}
ADJECTIVAL = frozenset(
    """
    haired eyed skinned complexioned faced jawed browed lipped bearded headed cheeked bodied freckled freckly
    shouldered hipped
    """.split()
)
"""Parts that stand before the person ("blue-eyed"), so what does not fit them may belong to the person."""

BEARDS: dict[str, str] = {
    "moustache": "moustache, mustache, handlebar moustache, handlebar mustache, tash, mustachioed, moustached, walrus "
    "moustache",
    "goatee": "goatee, van dyke, soul patch, chin beard, goatee beard",
    "stubble": "stubble, five o'clock shadow, designer stubble, unshaven, stubbly, scruff, stubbled, scruffy beard, 5 "
    "o'clock shadow, unshaved, light beard",
    "full": "full beard, thick beard, bushy beard, big beard",
    "long": "long beard",
    "short": "short beard, trimmed beard, neat beard, cropped beard, boxed beard",
    "none": "clean shaven, cleanly shaven, smooth shaven, freshly shaved, freshly shaven",
}
HAIR_STYLES: dict[str, str] = {
    "bald": "bald, bald head, shaved head, shaven head, balding, bald headed, shaved bald, completely bald, hairless",
    "buzz": "buzz cut, buzzcut, buzz, crew cut, buzzed, close cropped, cropped close, shaved sides, military cut, "
    "buzzed hair, fade, skin fade, closely cropped, close cut, stubbly hair",
    "side part": "side part, side parting, side parted, parted on one side, comb over, parted to one side, "
    "side swept, parted on the side, parted at the side, combed to the side, swept to the side, combed to one side, "
    "neatly parted, parted",
    "slicked back": "slicked back, slick back, slicked, swept back, combed back, brushed back, pompadour, quiff, "
    "gelled back, slick, greased back, backswept",
    "spiky": "spiky, spiked, spikes, spikey, spiky haired, spiked up, standing on end, sticking up",
    "pixie": "pixie, pixie cut, gamine cut, pixie crop, pixie haircut",
    "bob": "bob, bob cut, bobbed, bob haircut, chin length, lob, bowl cut, page boy cut, pageboy, jaw length",
    "shoulder": "mullet, shag cut",
    "ponytail": "ponytail, pony tail, high ponytail, tied back, pulled back, hair tied back, tied up, pony",
    "bun": "bun, top knot, topknot, chignon, updo, man bun, up do, beehive, pinned up, messy bun, hair up, ballet bun, "
    "put up, pinned back",
    "braids": "braid, braided, plait, plaited, cornrow, french braid, box braid, fishtail braid, braids, cornrows, "
    "twists",
    "pigtails": "pigtail, pig tail, bunches, twin tail, twintail, twin tails, pigtails, two ponytails",
    "dreadlocks": "dreadlock, dread, loc, dreadlocked, dreadlocks, dreads, locs, rastas, rasta hair",
    "mohawk": "mohawk, mohican, faux hawk, fauxhawk, iroquois cut",
    "curly": "curls, ringlets, corkscrew curls, loose curls, tight curls",
    "afro": "afro, fro, afro hair, afro hairstyle, afro haired, natural afro",
}
HAIR_LENGTHS: dict[str, str] = {
    "short": "short, very short, cropped, short cropped, close, ear length, short haired, tousled short, trimmed short, cut short",
    "medium": "shoulder length, medium length, mid length, medium long, down to shoulders, to shoulders, collar length, "
    "falling to shoulders, reaching shoulders, shoulder long, that reaches shoulders, touching shoulders, neck length, "
    "brushing shoulders, on shoulders",
    "long": "long, waist length, very long, flowing, down to waist, down to hips, knee length hair, long flowing, "
    "hip length, back length, down back, to waist, super long, long haired, down to back, lengthy, rapunzel",
}
HAIR_TEXTURES: dict[str, str] = {
    "curly": "curly, frizzy, kinky, coily, curled, ringlet, tightly curled, permed, curly haired, curl, perm, corkscrew",
    "wavy": "wavy, waved, wave, loose waves, beach waves, waves, wavy haired",
    "straight": "straight, sleek, straightened, dead straight, pin straight, straight haired, poker straight, lank",
}
FACE_SHAPES: dict[str, str] = {
    "round": "round, chubby cheeked, rounded, moon, full cheeked",
    "oval": "oval, egg shaped, oval shaped",
    "square": "square, angular, square jawed, strong, chiselled, chiseled, broad, square shaped, boxy",
    "heart": "heart, heart shaped, pointed",
    "long": "long, narrow, oblong, elongated, slender",
    "diamond": "diamond, diamond shaped",
}
THICKNESS: dict[str, str] = {
    "thin": "thin, narrow, slim, fine, pencil thin, slender, plucked, sparse, delicate",
    "medium": "medium, average, normal",
    "full": "full, thick, bushy, heavy, plump, big, pouty, strong, bold, dense, luscious, large, voluptuous",
}
BEARD_FORMS: dict[str, str] = {
    "long": "long, flowing, very long, braided, waist length",
    "short": "short, trimmed, neat, cropped, tidy, close, boxed, small, well groomed, groomed, neatly trimmed",
    "full": "full, thick, bushy, big, heavy, lush, large, medium, dense, wild, unkempt",
    "stubble": "light, scruffy, patchy, stubbly, faint",
}
TONES = "pale, fair, dark, light, tanned, bronzed, swarthy, porcelain, alabaster, rosy, ruddy, medium, deep, sun tanned, " \
    "suntanned, sun kissed, very dark, very pale, very light, very fair, sallow, milky, weathered, pallid, dusky, " \
    "medium dark, medium light, light medium, creamy"  # fmt: skip
"""Skin, hair and eye words that are no colours of their own."""

# ---------------------------------------------------------------------------------------------------- adjectives

MODIFIERS: dict[str, dict[str, tuple[Effect, ...]]] = {
    # age
    "young, youthful": {"person": (("age", (18.0, 30.0)),), "child": (("age", (5.0, 11.0)),)},
    "little, small": {"child": (("age", (4.0, 9.0)),), "person": (("stature", (-2.2, -1.2)),)},
    "teenage, teenaged, adolescent, teen": {"person": (TEENAGE,)},
    "middle aged, mature": {"person": (("age", (42.0, 58.0)),)},
    "old, aged, elderly, ancient, senior, aging, ageing, retired, wizened, geriatric": {
        "person": (("age", (66.0, 88.0)),)
    },
    "older": {"person": (("age", (55.0, 78.0)),), "child": (("age", (11.0, 15.0)),)},
    "very old": {"person": (("age", (78.0, 94.0)),)},
    "adult, grown": {"person": (ADULT,)},
    # presentation
    "female, feminine, girly, womanly": {"person": (WOMAN,)},
    "male, masculine, manly": {"person": (MAN,)},
    "androgynous, nonbinary, non binary, genderless, gender neutral, agender, genderfluid, gender fluid, unisex, "
    "gender ambiguous": {"person": (("presentation", "androgynous"),)},
    # stature
    "tall, big tall, towering": {"person": (("stature", (1.2, 2.2)),), "build": (("stature", (1.2, 2.2)),)},
    "very tall, gigantic, giant, huge, extremely tall, really tall": {"person": (("stature", (2.2, 3.2)),)},
    "short": {
        "person": (("stature", (-2.2, -1.2)),), "hair": (("hair.length", "short"),), "beard": (("beard", "short"),),
        "dress": (("length", "mini"),), "skirt": (("length", "mini"),), "trousers": (("length", "short"),),
        "build": (("stature", (-2.2, -1.2)),),
    },
    "very short, tiny, diminutive, extremely short": {"person": (("stature", (-3.2, -2.3)),)},
    "shortish": {"person": (("stature", (-1.4, -0.7)),)},
    "tallish": {"person": (("stature", (0.7, 1.4)),)},
    "average height, medium height, of average height, of medium height": {"person": (("stature", (-0.4, 0.4)),)},
    # build
    "slim, slender, svelte, slightly built, lean, trim, willowy, slight, lithe": {
        "person": (("weight", (0.17, 0.34)),), "build": (("weight", (0.17, 0.34)),), "brows": (("brows", "thin"),),
        "lips": (("lips", "thin"),), "face": (("shape", "long"),),
    },
    "thin": {
        "person": (("weight", (0.10, 0.28)),), "build": (("weight", (0.10, 0.28)),), "brows": (("brows", "thin"),),
        "lips": (("lips", "thin"),), "face": (("shape", "long"),),
    },
    "skinny, scrawny, bony, underweight, very thin, gaunt, emaciated, very slim, wiry": {
        "person": (("weight", (0.03, 0.18)),), "build": (("weight", (0.03, 0.18)),),
    },
    "lanky, gangly, gangling, rangy": {"person": (("weight", (0.08, 0.26)), ("stature", (1.2, 2.2)))},
    "petite": {
        "person": (("stature", (-2.0, -1.1)), ("weight", (0.17, 0.38))),
        "build": (("stature", (-2.0, -1.1)), ("weight", (0.17, 0.38))),
    },
    "average, average build, medium build, of average build, of medium build": {
        "person": (("weight", (0.43, 0.56)),), "build": (("weight", (0.43, 0.56)),),
    },
    "chubby, plump, tubby, pudgy, rotund, portly, podgy, round, stout, plus size, plus sized, paunchy": {
        "person": (("weight", (0.68, 0.82)),), "build": (("weight", (0.68, 0.82)),), "face": (("shape", "round"),),
        "lips": (("lips", "full"),),
    },
    "heavyset, heavy set, heavily built, solidly built, overweight, heavy, large, big, hefty, big boned, bulky": {
        "person": (("weight", (0.70, 0.86)),), "build": (("weight", (0.70, 0.86)),), "brows": (("brows", "full"),),
        "beard": (("beard", "full"),), "lips": (("lips", "full"),), "hair": (),
    },
    "fat, obese, very fat, very overweight, very heavy, corpulent, morbidly obese": {
        "person": (("weight", (0.84, 0.98)),), "build": (("weight", (0.84, 0.98)),),
    },
    "curvy, curvaceous, voluptuous, full figured, full": {
        "person": (("weight", (0.58, 0.70)),), "build": (("weight", (0.58, 0.70)),), "lips": (("lips", "full"),),
        "brows": (("brows", "full"),), "beard": (("beard", "full"),),
    },
    "stocky, thickset, squat, sturdy": {
        "person": (("weight", (0.62, 0.76)), ("muscle", (0.56, 0.72)), ("stature", (-1.3, -0.4))),
        "build": (("weight", (0.62, 0.76)), ("muscle", (0.56, 0.72))),
    },
    "burly, beefy, brawny, hulking": {
        "person": (("muscle", (0.74, 0.9)), ("weight", (0.62, 0.76))),
        "build": (("muscle", (0.74, 0.9)), ("weight", (0.62, 0.76))),
    },
    "muscular, muscly, buff, ripped, jacked, well muscled, bodybuilder, heavily muscled, powerfully built": {
        "person": (("muscle", (0.84, 0.97)),), "build": (("muscle", (0.84, 0.97)),),
    },
    "broad": {
        "person": (("muscle", (0.70, 0.84)), ("shoulders", (0.75, 0.95))),
        "build": (("muscle", (0.70, 0.84)), ("shoulders", (0.75, 0.95))),
    },
    "broad, wide": {"shoulders": (("shoulders", (0.75, 0.95)),), "hips": (("hips", (0.75, 0.95)),)},
    "narrow": {"shoulders": (("shoulders", (0.05, 0.25)),), "hips": (("hips", (0.05, 0.25)),)},
    "athletic, fit, toned, sporty, strong, well built, athletically built, powerful": {
        "person": (("muscle", (0.70, 0.84)),), "build": (("muscle", (0.70, 0.84)),), "face": (("shape", "square"),),
        "brows": (("brows", "full"),),
    },
    "frail, weak, feeble": {"person": (("muscle", (0.05, 0.22)), ("weight", (0.12, 0.32)))},
    "flabby, unfit, out of shape": {"person": (("muscle", (0.08, 0.25)), ("weight", (0.6, 0.75)))},
    "beautiful, handsome, gorgeous, pretty, good looking, attractive, stunning, heroic, lovely, model like, cute": {
        "person": (("proportions", (0.82, 0.97)),), "face": (("proportions", (0.82, 0.97)),),
    },
    "ugly, ungainly, odd looking, homely, plain looking": {"person": (("proportions", (0.05, 0.25)),)},
    # ethnicity is a guess at skin and hair only
    "african, african american, sub saharan": {"person": (("skin", "dark"),)},
    "caucasian, white european, european": {"person": (("skin", "light"),)},
    "east asian, asian, chinese, japanese, korean": {"person": (("skin", "light"), ("weak hair", "black"))},
    "indian, south asian, pakistani": {"person": (("skin", "bronze"), ("weak hair", "black"))},
    "hispanic, mexican, latin american, middle eastern, arab, arabic, persian, turkish": {
        "person": (("skin", "olive"), ("weak hair", "dark brown"))
    },
    "mediterranean, italian, greek, spanish": {"person": (("skin", "olive"),)},
    "scandinavian, nordic, swedish, irish, scottish": {"person": (("skin", "fair"),)},
    # face
    "rosy, flushed, blushing, red cheeked": {"cheeks": (("blush", 0.7),), "person": (("blush", 0.7),)},
    "many, lots of, covered in": {"freckles": (("freckles", 0.9),)},
    "a few, few, light, faint, some, slight": {"freckles": (("freckles", 0.4),)},
    # garment lengths
    "mini, micro, thigh length, above the knee": {"dress": (("length", "mini"),), "skirt": (("length", "mini"),)},
    "knee length, midi, knee, below the knee, mid length, calf length, tea length, medium length, knee high": {
        "dress": (("length", "knee"),), "skirt": (("length", "knee"),), "hair": (("hair.length", "long"),),
        "trousers": (("length", "short"),), "shoes": (),
    },
    "maxi, ankle length, floor length, full length, floor sweeping, sweeping": {
        "dress": (("length", "long"),), "skirt": (("length", "long"),), "trousers": (), "outer": (),
    },
    "long": {
        "hair": (("hair.length", "long"),), "beard": (("beard", "long"),), "dress": (("length", "long"),),
        "skirt": (("length", "long"),), "face": (("shape", "long"),), "trousers": (), "outer": (), "top": (),
    },
    "sleeveless": {"top": (("becomes", "tank top"),), "dress": (), "outer": (("becomes", "vest"),)},
    "long sleeved, long sleeve, short sleeved, short sleeve": {"garment": ()},
    "hooded": {"top": (("becomes", "hoodie"),), "outer": ()},
    "high heeled, stiletto, heeled": {"shoes": (("becomes", "heels"),)},
    # cloth that implies a colour
    "leather": {"outer": (("fallback", "black"),), "shoes": (("fallback", "brown"),), "garment": (("fallback", "black"),)},
    "suede": {"garment": (("fallback", "tan"),)},
    "tweed": {"garment": (("fallback", "taupe"),)},
    "dark, dark coloured, dark colored": {"garment": (("fallback", "charcoal"),)},
    "light coloured, light colored": {"garment": (("fallback", "beige"),)},
    "colourful, colorful, bright, brightly coloured": {"garment": (("pattern", "print"),)},
    "casual, simple, plain, solid, unpatterned, single coloured": {"garment": (("pattern", "plain"),)},
}  # fmt: skip

PATTERNS: dict[str, str] = {
    "horizontal stripes": "striped, stripe, stripy, stripey, horizontally striped, horizontal striped, breton, "
    "horizontal stripe, hooped, candy striped, stripes",
    "vertical stripes": "vertical striped, vertically striped, pinstripe, pinstriped, pin striped, pin stripe, "
    "vertical stripe, chalk stripe, pin stripes, pinstripes",
    "plaid": "plaid, tartan, checked, chequered, checkered, gingham, check, checks, argyle, houndstooth, checky, "
    "lumberjack check, buffalo check, harlequin, windowpane",
    "dots": "dotted, dotty, polka dot, polka dotted, spotted, dot, polka, spots, spotty, polka dots",
    "two-tone": "two tone, two toned, colour block, color block, colour blocked, color blocked, half and half, "
    "two coloured, two colored, bicolour, bicolor, colorblock, colourblock",
    "print": "printed, print, floral, flowery, patterned, graphic, camouflage, camo, leopard, leopard print, paisley, "
    "tie dye, tie dyed, hawaiian, animal print, flower print, flowered, logo, abstract print, geometric, tropical, "
    "floral print, zebra, zebra print, snakeskin, botanical, embroidered, fair isle, flower pattern, floral pattern, "
    "graphic print",
}

PATTERN_COLOURS: dict[str, str] = {
    "camouflage": "army green", "camo": "army green", "leopard": "tan", "leopard print": "tan",
}  # fmt: skip
"""What a pattern's name says about its colour, where no colour is said."""

# ---------------------------------------------------------------------------------------------------- garments

GARMENTS: dict[str, str] = {
    # tops
    "tank top": "tank top, tank, vest top, singlet, camisole, cami, crop top, undershirt, sleeveless top, halter top, "
    "sports bra, muscle shirt, tube top, sleeveless shirt, halterneck, bustier, corset, wifebeater, muscle tee, "
    "running vest, sleeveless tee, bandeau, leotard, sports top, string vest, bodice",
    "t-shirt": "t shirt, tshirt, tee, tee shirt, polo, polo shirt, jersey, football shirt, sports shirt, football jersey, "
    "graphic tee, band shirt, rash guard, crew neck tee, v neck tee, ringer tee, baseball shirt, football top",
    "shirt": "shirt, button up, button down, dress shirt, oxford shirt, flannel shirt, flannel, henley, collared shirt, "
    "work shirt, hawaiian shirt, denim shirt, lumberjack shirt, button up shirt, button down shirt, linen shirt, "
    "chambray shirt, uniform shirt, plaid shirt, long sleeved shirt, long sleeve shirt, guayabera, bowling shirt",
    "blouse": "blouse, tunic, peasant top, smock, peplum top, pussy bow blouse, wrap top, chiffon top, kurta",
    "sweater": "sweater, jumper, pullover, knit, sweatshirt, knitwear, crewneck, crew neck, knitted jumper, "
    "christmas jumper, fleece, woolly, wool sweater, guernsey, aran, cable knit, fisherman's sweater, long sleeved top, "
    "long sleeve top, longsleeve, long sleeved t shirt, knitted top, v neck sweater, fleece top, crewneck sweater, "
    "knit sweater, thermal top, cable knit sweater, cable knit jumper",
    "turtleneck": "turtleneck, turtle neck, roll neck, rollneck, polo neck, turtleneck sweater, mock neck, poloneck, "
    "roll neck sweater, polo neck sweater, roll neck jumper, polo neck jumper, turtle neck sweater",
    "hoodie": "hoodie, hooded sweatshirt, hoody, hooded top, hooded sweater, zip up hoodie",
    "t-shirt|shirt|sweater|blouse": "top",
    # outer
    "vest": "vest, waistcoat, gilet, bodywarmer, body warmer, hi vis vest, safety vest, puffer vest, utility vest, "
    "sleeveless jacket, breastplate, high vis vest, tactical vest, jerkin, life jacket, bulletproof vest, sweater vest, "
    "chainmail, chestplate, cuirass",
    "cardigan": "cardigan, cardi, open cardigan, twinset, shrug, bolero",
    "jacket": "jacket, bomber, bomber jacket, leather jacket, denim jacket, windbreaker, anorak, puffer jacket, "
    "track jacket, biker jacket, jean jacket, varsity jacket, letterman jacket, flight jacket, raincoat jacket, puffer, "
    "cagoule, windcheater, down jacket, letterman, harrington, jackets, ski jacket, safari jacket, field jacket, "
    "sports jacket, tracksuit top, chef jacket, military jacket, tunic jacket, rain jacket, motorcycle jacket, "
    "softshell, body armour, uniform jacket, fleece jacket, double breasted jacket, trucker jacket, army jacket",
    "suit jacket": "suit jacket, blazer, sport coat, sports coat, dinner jacket, tailcoat, tail coat, suit coat, "
    "tuxedo jacket, smoking jacket, dress jacket, school blazer, morning coat, tweed jacket",
    "coat": "coat, parka, trench, trench coat, trenchcoat, overcoat, peacoat, pea coat, raincoat, mac, mackintosh, duffel, "
    "duffel coat, duffle coat, lab coat, labcoat, fur coat, greatcoat, winter coat, duster, cape, frock coat, topcoat, "
    "puffer coat, wool coat, poncho, duffle, waxed coat, rain coat, white coat, turnout coat, long coat, bunker jacket",
    "robe": "robe, bathrobe, dressing gown, kimono, cloak, cassock, habit, yukata, mantle, toga, caftan, kaftan, "
    "wizard robe, housecoat, djellaba, thobe, vestment, hooded robe, abaya, hanfu, surcoat, tabard, monk robe",
    # bottoms
    "trousers": "trousers, trouser, pants, pant, slacks, chinos, chino, khakis, joggers, jogging bottoms, sweatpants, "
    "cargo pants, corduroys, cords, cargo trousers, cargos, combat trousers, dress pants, suit trousers, track pants, "
    "culottes, breeches, pantaloons, tracksuit bottoms, flares, bell bottoms, palazzo pants, cigarette pants, "
    "pajama bottoms, pyjama bottoms, work trousers, harem pants, leather trousers, leather pants, suit pants, "
    "dungaree trousers, ski pants, knickerbockers, hakama, bloomers, bottoms, jodhpurs, overtrousers, cargo, "
    "tracksuit trousers, sweat pants, work pants, tracksuit pants, army trousers, capris, corduroy pants, hose",
    "jeans": "jeans, jean, denims, skinny jeans, blue jeans, mom jeans, denim trousers, denim pants, bootcut jeans, "
    "levis, jeggings, flared jeans",
    "shorts": "shorts, bermudas, bermuda shorts, board shorts, hot pants, swim trunks, swimming trunks, trunks, "
    "cycling shorts, gym shorts, boardshorts, cargo shorts, denim shorts, running shorts, short trousers, short pants, "
    "lederhosen, cutoffs, cut offs, boxing shorts, cut off jeans, jean shorts",
    "leggings": "leggings, legging, tights, yoga pants, stockings, pantyhose, meggings, running tights, gym leggings",
    "mini skirt": "mini skirt, miniskirt, tutu, micro skirt, skater skirt, tennis skirt, cheerleader skirt",
    "knee skirt": "skirt, knee length skirt, pencil skirt, midi skirt, kilt, a line skirt, pleated skirt, tartan skirt, "
    "knee skirt, circle skirt, denim skirt, wrap skirt",
    "long skirt": "long skirt, maxi skirt, ankle length skirt, full length skirt, floor length skirt, sarong, "
    "peasant skirt, hoop skirt, full skirt",
    # dresses
    "mini dress": "mini dress, minidress, short dress, bodycon dress, slip dress, babydoll dress, tunic dress, "
    "skater dress, mini length dress",
    "knee dress": "dress, sundress, frock, knee length dress, cocktail dress, shift dress, wrap dress, tea dress, "
    "summer dress, pinafore, dirndl, cheongsam, qipao, shirt dress, sun dress, midi dress, pinafore dress, shirtdress, "
    "party dress, knee dress, sweater dress, knitted dress, work dress, apron dress, jumper dress, flapper dress",
    "long dress": "gown, evening gown, ball gown, ballgown, wedding dress, wedding gown, maxi dress, long dress, "
    "evening dress, bridal gown, floor length dress, sari, saree, prom dress, ankle length dress, full length dress, "
    "floor length gown, princess dress, formal gown, robe de soiree, formal dress, bridal dress",
    # shoes
    "sneakers": "sneaker, sneakers, trainer, trainers, running shoe, tennis shoe, plimsoll, canvas shoe, gym shoe, "
    "high top, high tops, converse, basketball shoe, sports shoe, kicks, runners, skate shoe, athletic shoe, "
    "training shoe, canvas trainer, walking shoe, chuck taylors, football boot, cleats",
    "boots": "boot, boots, wellington, welly, wellies, wellingtons, combat boot, hiking boot, ankle boot, cowboy boot, "
    "rain boot, rubber boot, work boot, riding boot, knee high boot, desert boot, chelsea boot, army boot, "
    "wellington boot, doc martens, thigh high boot, snow boot, safety boot, biker boot, uggs, jackboot, walking boot, "
    "leather boot, motorcycle boot, lace up boot, chukkas, wellie, gumboots, docs",
    "shoes": "shoe, shoes, loafer, brogue, oxford, oxfords, dress shoe, moccasin, flats, ballet flat, clog, slipper, "
    "footwear, ballet shoe, leather shoe, boat shoe, derby, derbies, mary jane, ballet slipper, monk strap, mule, "
    "ballerina shoe, espadrille, lace up, ballet pump, mary janes, flat, wingtips, monk shoe, court shoes flat, "
    "smart shoe, formal shoe, lace up shoe, deck shoe, school shoe, dance shoe, driving shoe, slip on",
    "heels": "heel, heels, high heel, stiletto, pump, pumps, platform, wedge, court shoe, high heeled shoe, kitten heel, "
    "platform shoe, heeled shoe, stiletto heel, high heel shoe, platform heel",
    "sandals": "sandal, sandals, flip flop, flipflop, slider, slide, thong sandal, strappy sandal, beach sandal, "
    "gladiator sandal, birkenstock, flip flops, jandals, crocs, sliders, geta, huaraches",
    # extras
    "glasses": "glasses, spectacles, specs, eyeglasses, reading glasses, monocle, goggles, horn rimmed glasses, "
    "safety goggles, bifocals, eyewear, wire rimmed glasses, bespectacled, pince nez, horn rims, lab goggles, "
    "safety glasses, eye glasses, spectacle",
    "sunglasses": "sunglasses, shades, aviators, sunnies, dark glasses, wayfarers, aviator sunglasses, sun glasses, "
    "aviator glasses, ray bans, sunglass",
    "cap": "cap, baseball cap, flat cap, peaked cap, newsboy cap, trucker hat, snapback, trucker cap, sailor cap, "
    "captain's hat, police hat, peaked hat, police cap, sports cap, visor, captain hat, flatcap, kepi, baseball hat, "
    "newsboy hat, garrison cap, swim cap, deerstalker, mortarboard, surgical cap, scrub cap, pillbox hat",
    "beanie": "beanie, woolly hat, knit cap, beret, bobble hat, toque, skullcap, nightcap, knitted hat, wool hat, "
    "turban, knit hat, wooly hat, kippah, stocking cap, bonnet, fez, watch cap, santa hat, winter hat, yarmulke, "
    "pompom hat, woollen hat, ski hat, fur hat, ushanka, chef hat small, beanie hat, knitted cap, woolen hat, taqiyah, "
    "pom pom hat",
    "brimmed hat": "hat, fedora, cowboy hat, straw hat, sun hat, sunhat, panama, panama hat, trilby, stetson, bowler, "
    "bowler hat, wide brimmed hat, witch hat, wizard hat, pointy hat, pointed hat, brimmed hat, bucket hat, sombrero, "
    "boater, tricorn, tricorn hat, floppy hat, ten gallon hat, pith helmet hat, tricorne, slouch hat, safari hat, "
    "headwear, headgear, tricorne hat, homburg, wide brim hat, pirate hat, derby hat, akubra, wizard's hat, "
    "witch's hat, campaign hat, pork pie hat, boater hat, conical hat, straw boater, explorer hat, cloche",
    "top hat": "top hat, tophat, stovepipe hat, chef hat, chef's hat, chefs hat, topper, toque blanche, opera hat, "
    "cook's hat, stove pipe hat, silk hat",
    "helmet": "helmet, hard hat, hardhat, crash helmet, bike helmet, cycle helmet, motorcycle helmet, space helmet, "
    "construction helmet, viking helmet, safety helmet, visored helmet, riot helmet, pith helmet, cycling helmet, "
    "bicycle helmet, fire helmet, army helmet, construction hat, hockey helmet, football helmet, tin hat",
    "headband": "headband, bandana, bandanna, hairband, sweatband, headscarf, hijab, tiara, crown, circlet, alice band, "
    "hair band, head scarf, head wrap, headwrap, diadem, sweat headband, sweat band, flower crown, hair ribbon, "
    "head band, laurel wreath, hachimaki, headdress, coronet, veil",
    "scarf": "scarf, scarves, shawl, neckerchief, kerchief, pashmina, snood, neck scarf, stole, feather boa, keffiyeh, "
    "neck warmer, silk scarf, wrap, boa, foulard, muffler, woollen scarf, wool scarf, knitted scarf, neck wrap",
    "belt": "belt, sash, waistband belt, leather belt, waist belt, cummerbund, tool belt, utility belt, cowboy belt, "
    "obi, gun belt, toolbelt, girdle",
    "tie": "tie, necktie, cravat, neck tie, ascot, bolo tie, skinny tie, silk tie, school tie",
    "bow tie": "bow tie, bowtie, dicky bow, dickie bow",
    "gloves": "glove, gloves, mitten, mittens, gauntlet, mitts, mitt, leather glove, rubber glove, boxing glove, gauntlets",
    "apron": "apron, pinny, chef apron, leather apron, kitchen apron, smock apron, butcher's apron, work apron",
}
"""Kind, or kinds to choose among, and the nouns for it."""

IMPLIED: dict[str, str] = {
    "lab coat": "white", "labcoat": "white", "white coat": "white", "denim jacket": "denim blue",
    "jean jacket": "denim blue", "denim shirt": "denim blue", "denim skirt": "denim blue", "denim shorts": "denim blue",
    "flannel shirt": "red plaid", "flannel": "red plaid", "khakis": "khaki", "wedding dress": "white",
    "wedding gown": "white", "bridal gown": "white", "bridal dress": "white", "hi vis vest": "high vis yellow",
    "safety vest": "high vis yellow", "high vis vest": "high vis yellow", "chef hat": "white", "chef's hat": "white",
    "chefs hat": "white", "toque blanche": "white", "straw hat": "straw", "kilt": "red plaid", "crown": "gold",
    "tiara": "silver", "breastplate": "silver", "chainmail": "silver", "lumberjack shirt": "red plaid",
    "hawaiian shirt": "print", "jeans": "denim blue", "blue jeans": "denim blue", "skinny jeans": "denim blue",
    "mom jeans": "denim blue", "jean": "denim blue", "denims": "denim blue", "leather jacket": "black",
    "leather trousers": "black", "leather pants": "black", "biker jacket": "black", "denim trousers": "denim blue",
    "denim pants": "denim blue", "tuxedo jacket": "black", "dinner jacket": "black", "tailcoat": "black",
    "trench coat": "beige", "trench": "beige", "trenchcoat": "beige", "santa hat": "red", "raincoat": "yellow",
    "tartan skirt": "red plaid", "plaid shirt": "plaid", "graphic tee": "print", "santa": "red", "sunglasses": "black",
    "shades": "black", "top hat": "black", "pith helmet": "beige", "fire helmet": "yellow", "leather boot": "brown",
    "leather shoe": "brown", "leather belt": "brown", "leather glove": "black", "leather apron": "brown",
    "tweed jacket": "taupe", "graphic t shirt": "print", "life jacket": "orange", "jean shorts": "denim blue",
    "cut off jeans": "denim blue", "tin hat": "olive", "silk hat": "black", "hard hat": "yellow", "hardhat": "yellow",
    "construction helmet": "yellow", "construction hat": "yellow", "wellies": "dark green", "leopard coat": "print",
}  # fmt: skip
"""What a noun says about its own colour and pattern; said ones win."""

OUTFITS: dict[str, tuple[tuple[str, ...], str]] = {
    "suit": (("suit jacket", "trousers"), "white shirt, black shoes"),
    "business suit": (("suit jacket", "trousers"), "white shirt, navy tie, black shoes"),
    "three piece suit": (("suit jacket", "trousers"), "white shirt, navy tie, black shoes"),
    "pinstripe suit": (("suit jacket", "trousers"), "pinstriped suit jacket, pinstriped trousers, white shirt"),
    "trouser suit": (("suit jacket", "trousers"), "white blouse"),
    "pantsuit": (("suit jacket", "trousers"), "white blouse"),
    "pant suit": (("suit jacket", "trousers"), "white blouse"),
    "skirt suit": (("suit jacket", "knee skirt"), "white blouse"),
    "tuxedo": (
        ("suit jacket", "trousers"),
        "black suit jacket, black trousers, white shirt, black bow tie, black shoes",
    ),
    "tux": (("suit jacket", "trousers"), "black suit jacket, black trousers, white shirt, black bow tie, black shoes"),
    "dinner suit": (("suit jacket", "trousers"), "black suit jacket, black trousers, white shirt, black bow tie"),
    "tracksuit": (("jacket", "trousers"), "white t-shirt, white sneakers"),
    "track suit": (("jacket", "trousers"), "white t-shirt, white sneakers"),
    "jogging suit": (("jacket", "trousers"), "white t-shirt, white sneakers"),
    "shell suit": (("jacket", "trousers"), "white t-shirt, white sneakers"),
    "jumpsuit": (("shirt", "trousers"), ""),
    "boiler suit": (("shirt", "trousers"), "navy shirt, navy trousers"),
    "boilersuit": (("shirt", "trousers"), "navy shirt, navy trousers"),
    "coverall": (("shirt", "trousers"), "navy shirt, navy trousers"),
    "coveralls": (("shirt", "trousers"), "navy shirt, navy trousers"),
    "overalls": (("trousers",), "denim blue trousers, white t-shirt"),
    "dungarees": (("trousers",), "denim blue trousers, white t-shirt"),
    "romper": (("t-shirt", "shorts"), ""),
    "onesie": (("hoodie", "trousers"), ""),
    "pyjamas": (("shirt", "trousers"), "light blue shirt, light blue trousers"),
    "pajamas": (("shirt", "trousers"), "light blue shirt, light blue trousers"),
    "pjs": (("shirt", "trousers"), "light blue shirt, light blue trousers"),
    "scrubs": (("t-shirt", "trousers"), "teal t-shirt, teal trousers"),
    "uniform": (("shirt", "trousers"), "navy shirt, navy trousers"),
    "spacesuit": (("jacket", "trousers"), "white jacket, white trousers, white boots, white gloves, white helmet"),
    "space suit": (("jacket", "trousers"), "white jacket, white trousers, white boots, white gloves, white helmet"),
    "wetsuit": (("turtleneck", "leggings"), "black turtleneck, black leggings"),
    "bodysuit": (("turtleneck", "leggings"), ""),
    "catsuit": (("turtleneck", "leggings"), "black turtleneck, black leggings"),
    "armour": (("vest", "trousers"), "silver vest, grey turtleneck, grey trousers, grey boots, grey gloves"),
    "armor": (("vest", "trousers"), "silver vest, grey turtleneck, grey trousers, grey boots, grey gloves"),
    "suit of armour": (("vest", "trousers"), "silver vest, grey turtleneck, grey trousers, grey boots, silver helmet"),
    "suit of armor": (("vest", "trousers"), "silver vest, grey turtleneck, grey trousers, grey boots, silver helmet"),
    "plate armour": (("vest", "trousers"), "silver vest, grey turtleneck, grey trousers, grey boots, grey gloves"),
    "plate armor": (("vest", "trousers"), "silver vest, grey turtleneck, grey trousers, grey boots, grey gloves"),
    "karate suit": (("robe", "trousers"), "white robe, white trousers, black belt"),
    "gi": (("robe", "trousers"), "white robe, white trousers, black belt"),
    "camouflage gear": (("shirt", "trousers"), "olive camouflage shirt, olive camouflage trousers"),
    "fatigues": (("shirt", "trousers"), "olive camouflage shirt, olive camouflage trousers"),
}
"""One word for several garments: those it names, which its adjectives reach, and the rest as a guess."""

# ---------------------------------------------------------------------------------------------------- who

ARCHETYPES: dict[str, str] = {
    "firefighter, fireman, firewoman": "adult, yellow helmet, tan coat, tan trousers, black boots",
    "police officer, policeman, policewoman, cop, officer": "adult, navy cap, navy shirt, black tie, navy trousers, "
    "black shoes, black belt",
    "soldier, infantryman, army man, commando, trooper": "adult, olive helmet, olive camouflage shirt, olive camouflage "
    "trousers, black boots, fit",
    "doctor, physician, medic": "adult, white coat, light blue shirt, grey trousers, black shoes",
    "surgeon": "adult, teal t-shirt, teal trousers, teal cap, white sneakers",
    "nurse, paramedic": "adult, light blue t-shirt, light blue trousers, white sneakers",
    "scientist, chemist, researcher, pharmacist": "adult, white coat, light blue shirt, dark grey trousers, brown shoes, "
    "glasses",
    "chef, cook": "adult, white jacket, white t-shirt, white top hat, white apron, black trousers, black shoes",
    "waiter, waitress, bartender, barman, barmaid, server, sommelier": "adult, white shirt, black vest, black bow tie, "
    "black trousers, black shoes",
    "barista": "adult, black t-shirt, brown apron, jeans, white sneakers",
    "butler": "adult, black suit jacket, white shirt, black bow tie, black trousers, white gloves, black shoes",
    "maid, housekeeper": "adult, black knee dress, white apron, black shoes",
    "baker": "adult, white shirt, white apron, white beanie, grey trousers, black shoes",
    "butcher": "adult, white shirt, red striped apron, black trousers, black boots",
    "builder, construction worker, workman, labourer, laborer, worker": "adult, yellow hard hat, high vis yellow vest, grey "
    "t-shirt, navy trousers, tan boots",
    "engineer": "adult, white helmet, high vis yellow vest, light blue shirt, khaki trousers, brown boots",
    "mechanic, plumber, electrician, technician": "adult, navy shirt, navy trousers, grey cap, black boots",
    "carpenter, woodworker": "adult, plaid red shirt, jeans, brown belt, tan boots",
    "farmer, gardener": "adult, straw brimmed hat, red plaid shirt, denim blue trousers, brown boots",
    "lumberjack, woodcutter": "adult, red plaid shirt, jeans, brown boots, green beanie, muscular",
    "miner": "adult, yellow helmet, orange shirt, navy trousers, black boots",
    "pilot, airline pilot, captain": "adult, navy cap, white shirt, navy suit jacket, black tie, navy trousers, black shoes",
    "flight attendant, stewardess, air hostess": "adult, navy suit jacket, white blouse, navy knee skirt, red scarf, "
    "black heels",
    "astronaut, cosmonaut, spaceman": "adult, white helmet, white jacket, white sweater, white trousers, white boots, "
    "white gloves",
    "sailor, seaman": "adult, white cap, white shirt, navy trousers, navy scarf, black shoes",
    "fisherman, angler": "adult, yellow coat, navy sweater, navy trousers, black boots, navy beanie",
    "diver": "adult, black turtleneck, black leggings, black gloves, glasses",
    "postman, mailman, courier, delivery driver": "adult, red cap, light blue shirt, navy shorts, black sneakers",
    "teacher, professor, lecturer, academic": "adult, brown suit jacket, light blue shirt, dark grey trousers, brown shoes, "
    "glasses",
    "librarian": "adult, grey cardigan, white blouse, black knee skirt, black shoes, glasses",
    "student, undergraduate": "age 18 to 25, grey hoodie, jeans, white sneakers",
    "businessman": "man, adult, navy suit jacket, navy trousers, white shirt, red tie, black shoes",
    "businesswoman": "woman, adult, navy suit jacket, navy trousers, white blouse, black heels",
    "business person, businessperson, banker, lawyer, executive, manager, accountant, ceo, boss, politician, salesman, "
    "office worker, detective agent, barrister, diplomat": "adult, charcoal suit jacket, charcoal trousers, white shirt, "
    "navy tie, black shoes",
    "secret agent, spy, bodyguard, agent, hitman": "adult, black suit jacket, black trousers, white shirt, black tie, "
    "black shoes, sunglasses",
    "detective, private eye, sleuth": "adult, beige coat, white shirt, brown tie, brown trousers, brown brimmed hat, "
    "brown shoes",
    "judge": "adult, black robe, white shirt, black trousers, black shoes",
    "priest, vicar, clergyman": "adult, black robe, black shirt, black trousers, black shoes",
    "monk, friar": "adult, brown robe, brown shirt, brown trousers, beige belt, brown sandals, bald head",
    "nun": "woman, adult, black long dress, black headband, black shoes",
    "king": "man, adult, red robe, gold headband, white shirt, black trousers, brown boots, full beard",
    "queen": "woman, adult, red long dress, gold headband, gold shoes",
    "princess": "woman, young, pink long dress, gold headband, pink shoes, long wavy hair",
    "prince": "man, young, blue jacket, white shirt, white trousers, gold belt, black boots",
    "noble, nobleman, aristocrat, duke": "adult, burgundy coat, white shirt, gold vest, black trousers, black shoes",
    "bride": "woman, adult, white long dress, white heels",
    "groom": "man, adult, black suit jacket, black trousers, white shirt, black bow tie, black shoes",
    "knight, paladin, crusader": "adult, silver helmet, silver vest, grey turtleneck, grey trousers, grey boots, grey gloves, "
    "fit",
    "viking, barbarian": "adult, grey helmet, brown vest, beige shirt, brown trousers, brown boots, muscular",
    "samurai, ronin": "adult, red robe, black shirt, black trousers, black bun, sandals",
    "ninja, assassin": "adult, black hoodie, black trousers, black gloves, black boots, black headband",
    "gladiator, spartan": "adult, bronze helmet, brown vest, brown sandals, red knee skirt, muscular",
    "archer, ranger, huntsman": "adult, green hoodie, brown vest, brown trousers, brown boots, brown gloves",
    "warrior, fighter, amazon": "adult, brown vest, grey shirt, brown trousers, brown boots, muscular",
    "pirate, buccaneer": "adult, black brimmed hat, burgundy coat, white shirt, black trousers, brown boots, brown belt",
    "cowboy": "man, adult, brown cowboy hat, plaid blue shirt, jeans, brown boots, brown belt, red scarf",
    "cowgirl": "woman, adult, brown cowboy hat, plaid red shirt, jeans, brown boots, brown belt",
    "sheriff": "adult, tan cowboy hat, tan shirt, brown vest, brown trousers, brown boots, brown belt",
    "wizard, warlock, sorcerer, magician, mage, druid": "man, old, purple robe, purple shirt, grey trousers, purple pointy "
    "hat, long beard, white hair, brown boots",
    "witch, sorceress, enchantress": "woman, adult, black long dress, black pointy hat, black boots",
    "vampire, count": "adult, black robe, white shirt, red vest, black trousers, black shoes, very pale skin, "
    "slicked back black hair",
    "zombie": "sage skin, grey shirt, grey trousers, brown shoes",
    "elf": "slim, long straight blonde hair, green shirt, brown trousers, brown boots, brown belt",
    "dwarf": "very short, adult, stocky, long beard, brown vest, beige shirt, brown trousers, brown boots",
    "orc, goblin, ogre, troll": "green skin, muscular, bald head, brown vest, brown shirt, brown trousers, brown boots",
    "alien, martian": "mint skin, bald head, black eyes, silver sweater, silver trousers, silver boots",
    "fairy, pixie girl": "woman, petite, green mini dress, green shoes, long wavy blonde hair",
    "mermaid": "woman, long wavy red hair, teal long skirt, purple tank top, barefoot",
    "angel": "white robe, white shirt, white trousers, long wavy blonde hair, sandals",
    "superhero, superheroine, hero": "adult, muscular, blue turtleneck, blue leggings, red coat, red boots, yellow belt, red "
    "gloves",
    "santa, santa claus, father christmas": "man, old, fat, long beard, white hair, red coat, red trousers, red santa hat, "
    "black boots, black belt, white sweater",
    "athlete, sportsman, sportswoman, runner, jogger, sprinter": "adult, athletic, red tank top, black shorts, white sneakers",
    "footballer, soccer player, football player, goalkeeper": "adult, athletic, red t-shirt, white shorts, black sneakers",
    "basketball player": "adult, very tall, athletic, orange tank top, orange shorts, white sneakers, headband",
    "tennis player": "adult, athletic, white t-shirt, white shorts, white sneakers, white headband",
    "golfer": "adult, white polo, beige trousers, white shoes, white cap",
    "baseball player": "adult, athletic, white striped t-shirt, white trousers, navy cap, black sneakers",
    "boxer, prizefighter": "adult, muscular, red tank top, red shorts, red gloves, black boots",
    "wrestler, bodybuilder, weightlifter, strongman": "adult, very muscular, red tank top, black leggings, black boots",
    "swimmer": "adult, athletic, navy shorts, navy tank top, barefoot, blue cap",
    "surfer": "adult, athletic, tan skin, white t-shirt, blue print shorts, barefoot",
    "skater, skateboarder": "young, black hoodie, jeans, black sneakers, black beanie",
    "cyclist, biker cyclist": "adult, slim, white helmet, yellow t-shirt, black shorts, white sneakers, black gloves",
    "skier, snowboarder": "adult, red jacket, black sweater, black trousers, black boots, helmet, glasses, black gloves",
    "hiker, backpacker, trekker, mountaineer, climber": "adult, red jacket, grey t-shirt, khaki trousers, brown boots, beanie",
    "explorer, archaeologist, adventurer, safari guide": "adult, brown brimmed hat, brown jacket, beige shirt, khaki trousers, "
    "brown boots, brown belt",
    "biker, motorcyclist, rocker": "adult, black leather jacket, white t-shirt, black jeans, black boots",
    "punk, punk rocker": "black leather jacket, white t-shirt, plaid red trousers, black boots, mohawk",
    "goth": "black shirt, black trousers, black boots, black hair, black eyeshadow, black lipstick, pale skin",
    "hippie, hippy": "adult, print orange shirt, jeans, sandals, headband, long wavy hair",
    "hipster": "young adult, plaid red shirt, jeans, brown boots, glasses, beanie, full beard",
    "rapper, gangster": "adult, black hoodie, black trousers, white sneakers, black cap, sunglasses",
    "mobster, mafioso": "adult, pinstriped charcoal suit jacket, charcoal trousers, white shirt, black tie, black brimmed hat, "
    "black shoes",
    "ballerina, ballet dancer": "woman, adult, slim, pink tank top, pink mini skirt, pink ballet shoes, bun",
    "dancer": "adult, slim, black tank top, black leggings, black shoes",
    "gymnast, acrobat": "young, athletic, blue tank top, blue leggings, barefoot",
    "cheerleader": "young, red tank top, red mini skirt, white sneakers, ponytail",
    "yogi": "adult, slim, grey tank top, black leggings, barefoot",
    "singer, musician, guitarist, pop star, rock star": "adult, black jacket, white t-shirt, black jeans, black boots",
    "conductor, pianist, violinist": "adult, black suit jacket, black trousers, white shirt, white bow tie, black shoes",
    "artist, painter": "adult, white shirt, blue trousers, beige apron, red beanie, brown shoes",
    "model, fashion model": "adult, tall, slim, black turtleneck, black trousers, black heels",
    "photographer, journalist, reporter": "adult, khaki vest, white shirt, jeans, brown boots",
    "programmer, hacker, coder, gamer, nerd, geek": "grey hoodie, jeans, white sneakers, glasses",
    "beggar, homeless man, tramp, peasant": "adult, brown coat, grey sweater, brown trousers, brown boots, beanie",
    "prisoner, inmate, convict": "adult, orange shirt, orange trousers, white sneakers",
    "thief, burglar, robber": "adult, black striped sweater, black trousers, black beanie, black gloves, black sneakers",
    "security guard, guard, bouncer": "adult, burly, black shirt, black tie, black trousers, black boots",
    "mime": "black striped sweater, black trousers, black beanie, white gloves, black shoes",
    "jester": "purple two-tone shirt, purple leggings, purple beanie, green shoes",
    "magician on stage, ringmaster, showman, ringleader": "adult, red suit jacket, white shirt, black trousers, black top hat, "
    "black boots, black bow tie",
    "scarecrow": "straw hat, plaid brown shirt, blue trousers, brown boots",
    "caveman, cavewoman": "muscular, brown tank top, brown mini skirt, barefoot",
    "geisha": "woman, adult, red robe, white shirt, white long skirt, sandals, black bun, porcelain skin, red lipstick",
    "rabbi": "man, adult, black suit jacket, white shirt, black trousers, black brimmed hat, long beard",
    "pope, bishop": "old, white robe, white shirt, white trousers, white beanie, red shoes",
    "lifeguard": "adult, athletic, red shorts, white tank top, barefoot, sunglasses",
    "referee, umpire": "adult, black vertical striped shirt, black trousers, black sneakers",
    "jockey": "adult, petite, blue two-tone shirt, white trousers, black boots, black helmet",
    "racing driver, race car driver, racer": "adult, red jacket, red shirt, red trousers, red helmet, black gloves, black boots",
    "blacksmith": "adult, muscular, brown apron, grey shirt, brown trousers, brown boots, black gloves",
    "beekeeper": "adult, white jacket, white shirt, white trousers, white brimmed hat, white gloves, white boots",
    "shopkeeper, grocer, florist": "adult, white shirt, green apron, jeans, brown shoes",
    "cleaner, janitor": "adult, grey shirt, grey trousers, grey cap, yellow gloves, black shoes",
    "tourist": "adult, print red shirt, khaki shorts, brimmed hat, sunglasses, sandals",
    "driver, taxi driver, chauffeur": "adult, black suit jacket, white shirt, black tie, black trousers, black cap, black shoes",
    "dentist, vet, veterinarian": "adult, white coat, teal t-shirt, teal trousers, white shoes",
    "hunter": "adult, olive jacket, plaid red shirt, brown trousers, brown boots, orange cap",
    "duchess, noblewoman, countess, lady in waiting, empress": "woman, adult, burgundy long dress, gold shoes, bun",
    "emperor, pharaoh": "man, adult, gold robe, white shirt, white trousers, gold headband, gold sandals",
}
"""Who wears what, in this very language; every thing here is a guess that named things override."""

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
"""Occupations whose ending says the gender."""

LOOKS: dict[str, str] = {
    "realistic": "realistic, photorealistic, lifelike, photo realistic, hyperrealistic, true to life",
    "toon": "toon, cartoon, cartoonish, cartoony, comic, comic book, pixar, disney, cel shaded, stylised, stylized, "
    "cartoon style, caricature, animated, pixar style",
    "anime": "anime, manga, anime style, manga style, waifu, anime character, ghibli",
    "chibi": "chibi, super deformed, kawaii, bobblehead, funko, funko pop, big headed, chibi style, nendoroid",
    "clay": "clay, claymation, plasticine, clay figure, clay model, clay animation, stop motion, terracotta figure, "
    "aardman, claymation style, play doh, made of clay, clay sculpture, clay statue",
    "marble": "marble, marble statue, stone statue, statue, marble sculpture, made of marble, marble bust, white marble, "
    "carved from marble, carved in marble, carved out of marble, sculpted in marble, stone sculpture, sculpture, "
    "made of stone, carved from stone, of marble",
    "bronze": "bronze statue, bronze sculpture, made of bronze, bronze figure, cast in bronze, bronze cast, of bronze, "
    "copper statue, metal statue, in bronze, bronze bust, cast bronze",
    "wood": "wooden, wood, wooden puppet, carved out of wood, carved from wood, made of wood, marionette, wooden doll, "
    "puppet, wooden figure, wood carving, carved wood, nutcracker, mannequin, pinocchio, wood carved, wooden toy, "
    "wooden mannequin, of wood, carved in wood",
    "low-poly": "low poly, low polygon, faceted, ps1 style, polygonal, lowpoly, low poly style, ps1, retro 3d, low polygonal",
    "skull": "skull face, skeleton face, skull, skeleton, skull headed, skull head, skeletal, grim reaper, death head, "
    "skull faced, undead skeleton, day of the dead, skeletal face, skeleton man, skull mask, lich, skull for a face",
    "clown": "clown, clown face, circus clown, harlequin clown, clown makeup, clown make up, clownish",
    "robot": "robot, android, cyborg, droid, mech, automaton, robotic, machine man, humanoid robot, mechanical, "
    "robot man, bot, fembot",
    "snouted": "wolf man, werewolf, wolf person, fox person, fox man, fox woman, bear person, bear man, dog person, dog man, "
    "cat person, cat man, cat woman, wolfman, anthropomorphic, anthropomorphic fox, anthropomorphic wolf, "
    "anthropomorphic bear, anthropomorphic dog, anthropomorphic cat, anthro, anthro fox, anthro wolf, furry, wolf headed, "
    "fox headed, bear headed, dog headed, cat headed, snouted, snout, muzzle, lion man, tiger man, panda man, rat man, "
    "pig man, mouse person, rabbit person, wolf head, fox head, bear head, dog head, lion head, bull terrier head, "
    "wolf woman, dog woman, humanoid fox, humanoid wolf, humanoid bear, wolf, fox, bear, dog, lion, tiger, panda, raccoon, "
    "lizard man, dragon man, lizardman, dragonborn, crocodile man, gnoll, horse head, pig head, animal head, animal headed, "
    "wolf faced, fox faced, dog faced, wolf face, fox face, dog face, bear face, lion headed, jackal headed, anubis, cat head, "
    "werecat, furry animal, beast man, wolflike, wolf like, canine, muzzled, fox girl, wolf girl, bear woman, badger, coyote",
    "horned": "demon, devil, horned, horn, minotaur, satyr, faun, oni, tiefling, horned demon, imp, succubus, incubus, "
    "demonic, with horns, demoness, krampus, satan, ram horned, bull headed, horns, goat headed, devilish, baphomet, "
    "goat man, bull man, demon lord",
}
LOOK_PEOPLE = frozenset({"robot", "snouted", "horned", "clown", "skull"})
"""Looks whose words also name the person, so that colours before them are the skin's."""

EXPRESSIONS: dict[str, str] = {
    "smiling": "smile, smiling, grin, grinning, happy, cheerful, friendly, beaming, joyful, smirk, smirking, jolly, pleased, "
    "delighted, merry, content, warm smile, broad smile, big smile, glad, cheery, smiley, good humoured, happily, joyous, "
    "big grin, gentle smile, slight smile, wide grin, wide smile, cheeky",
    "laughing": "laugh, laughing, giggling, chuckling, cackling, giggle, laughter, hysterical, guffawing, chortling, "
    "cracking up",
    "sad": "sad, unhappy, crying, frown, frowning, melancholic, melancholy, sorrowful, tearful, gloomy, depressed, weeping, "
    "miserable, mournful, upset, glum, downcast, dejected, heartbroken, sadly, sobbing, forlorn, wistful, pouting",
    "angry": "angry, furious, scowling, grumpy, mad, raging, enraged, irate, annoyed, glaring, snarling, scowl, angrily, "
    "fierce, menacing, livid, fuming, cross, irritated, bad tempered, wrathful, aggressive, threatening, shouting",
    "surprised": "surprised, shocked, astonished, amazed, startled, stunned, surprise, gasping, open mouthed, astounded, "
    "flabbergasted, wide eyed, bewildered, in awe, awestruck, scared, terrified, frightened, gobsmacked, afraid",
    "neutral": "neutral, serious, calm, stern, blank, expressionless, deadpan, stoic, poker faced, emotionless, impassive, "
    "solemn, poker face, composed, relaxed face, neutral expression, straight face, straight faced, unsmiling, indifferent",
}
POSES: dict[str, str] = {
    "a-pose": "a pose, apose",
    "t-pose": "t pose, tpose, arms outstretched, arms spread, arms out to sides, arms out, arms stretched out",
    "standing": "standing, stand, standing up, upright, standing upright, standing straight, standing still, stood",
    "walking": "walking, walk, strolling, striding, stroll, mid stride, marching, wandering, stepping, pacing, hiking",
    "running": "running, run, sprinting, jogging, dashing, racing, sprint, mid run, fleeing, run fast",
    "sitting": "sitting, sit, seated, sat, sitting down, sitting on a chair, sat down, perched, cross legged",
    "crouching": "crouching, crouch, squatting, crouched, squat, crouching down, hunkered, hunkering, ducking",
    "kneeling": "kneeling, kneel, on knees, down on one knee, on one knee, kneeling down, knelt, genuflecting",
    "lying": "lying, lying down, lie, lying on back, asleep, sleeping, reclining, laying down, lie down, laying, lain, prone, "
    "supine, sprawled, lies down, lying on the ground",
    "jumping": "jumping, jump, leaping, leap, mid jump, mid air, hopping, leapt, bouncing, jumping up, in mid air",
    "dancing": "dancing, dance, twirling, breakdancing, pirouette, pirouetting, waltzing, dance pose, doing a dance",
    "waving": "waving, wave hello, waving hello, waves hello, waving hand, waving goodbye, waving hi, greeting, waves, waves a "
    "hand, a friendly wave, saying hello, gives a wave",
    "arms crossed": "arms crossed, crossed arms, arms folded, folded arms, crossing arms, folding arms, with arms crossed, "
    "arms crossed over chest, arms folded across chest, arms are crossed, crosses arms, arms crossed on chest, folds arms",
    "hands on hips": "hands on hips, hand on hip, arms akimbo, akimbo, hands on waist, hands at hips, superhero pose, hands "
    "resting on hips, hand on waist, hands placed on hips",
    "arms up": "arms up, hands up, arms raised, raised arms, raising arms, hands in the air, cheering, arms in the air, arms "
    "above head, hands raised, celebrating, hands above head, both arms up, arms overhead, hands over head, raising hands, "
    "triumphant, victory pose, arms held up, arms held high, surrendering, hands raised high, arms raised high, arms held "
    "above head",
    "pointing": "pointing, point, points, pointing finger, pointing forward, pointing ahead, finger pointing",
    "thinking": "thinking, pondering, thinker pose, hand on chin, deep in thought, contemplating, lost in thought, thoughtful, "
    "pensive, chin in hand, contemplative, stroking chin, the thinker, scratching head",
    "fighting": "fighting, fighting stance, boxing, punching, boxing stance, combat stance, fight pose, martial arts pose, "
    "battle stance, sparring, fighting pose, ready to fight, battle pose, throwing a punch, fists up, fists raised, battle "
    "ready, combat pose, fight stance, guard stance, swinging a punch",
    "kicking": "kicking, kick, high kick, karate kick, roundhouse kick, mid kick, flying kick, kicking a ball",
    "praying": "praying, pray, hands clasped in prayer, hands together, prayer pose, in prayer, hands pressed together, hands "
    "folded in prayer, prayer, hands clasped",
    "reading": "reading, reading a book, read, reads, holding a book, engrossed in a book, reading a newspaper",
    "leaning": "leaning, lean, leaning back, leaning against a wall, slouching, leaning on a wall, leant, leans, leaning "
    "forward, slouched, lounging against a wall, propped against a wall",
    "stretching": "stretching, stretch, yoga pose, yoga, doing yoga, stretching arms, warming up, limbering up, reaching up",
}

# ---------------------------------------------------------------------------------------------------- grammar

NEGATIONS = "no, not, without, never, nor, neither, lacks, lacking, lack, minus, except, sans, n't, isn't, doesn't, " \
    "hasn't, aren't, don't, won't, didn't, devoid of, instead of, rather than, free of, wasn't, free from, zero, " \
    "isnt, doesnt, hasnt, arent, dont, absence of, cannot, anything but, excluding, exclude, avoid"  # fmt: skip
FACTS: dict[str, tuple[Effect, ...]] = {
    "on top, on the top, at the top": (),
    "barefoot, barefooted, bare feet, bare footed, bare foot, shoeless, unshod, feet bare": (("without", "shoes"),),
    "shirtless, bare chested, topless, bare chest, barechested, bare torso": (("without", "top"),),
    "hatless, bareheaded, bare headed": (("without", "hat"),),
    "beardless, smooth cheeked, smooth faced": (("beard", "none"),),
    "blushing, rosy cheeks, rosy cheeked, pink cheeks, red cheeks, flushed cheeks": (("blush", 0.7),),
    "light blush, soft blush, slight blush, a hint of blush, faint blush": (("blush", 0.4),),
    "heavy blush, strong blush": (("blush", 0.95),),
    "freckles all over, lots of freckles, many freckles, heavily freckled, very freckled, covered in freckles": (
        ("freckles", 0.9),
    ),
    "a few freckles, light freckles, few freckles, some freckles, lightly freckled, faint freckles, scattering of "
    "freckles, sprinkling of freckles, dusting of freckles": (("freckles", 0.4),),
    "smoky eyes, smokey eyes, smoky eye": (("eyeshadow", "charcoal"),),
    "heavy makeup, heavy make up, full makeup, dramatic makeup, glamorous makeup, bold makeup": (
        ("lipstick", "red"), ("eyeshadow", "charcoal"), ("blush", 0.6),
    ),
    "light makeup, natural makeup, subtle makeup, light make up, natural make up": (("lipstick", "rose"), ("blush", 0.3)),
    "grey at the temples, greying at the temples, greying, graying": (
        ("hair.colour", "salt and pepper"),
    ),
    "no make up, bare faced, barefaced, makeup free": (("without", "makeup"),),
}  # fmt: skip
"""Words that say one thing wherever they stand."""

STOP = frozenset(
    """
    a an the this that these those some any all both each every of in on at to from by for with within into
    onto over under underneath beneath below above beside around about across along up down out off through
    between among and or but yet so then than as if while when where which who whom whose what how is are was
    were be been being am 's has have had having do does did doing can could may might must shall should will
    would i me my mine you your yours we us our he him his she her hers they them their it its one ones same
    matching also too very really quite rather fairly pretty slightly somewhat extremely super totally
    completely fully mostly just only even still again more most less least such like looking look looks
    looked wearing wear wears wore worn dressed dress-up clad sporting sport sports donning dons carrying
    attired outfitted holding-on put puts putting make made makes making create creates creating generate
    generates generating render rendered rendering draw drawing drawn show shows showing shown give gives
    given want wants need needs please image picture photo photograph photography portrait shot studio view
    front side back background style styled style-of model modelled 3d 2d render asset character design game
    ready full body full-body high quality hd 4k 8k detailed detail details highly realistic ultra lighting
    light-source cinematic lit shown here there pose posing posed colour color coloured colored colours colors
    shade tone hue kind type sort pair set piece bit lot lots couple number two three four five six seven
    eight nine ten dyed tinted died painted shaped cut hairdo combination outfit clothes clothing clothed
    garment attire wardrobe costume ensemble whole entire entirely top-to-toe head toe made-of material fabric
     brimmed wide down let loose falling hanging worn-in expression face-expression mood feeling feels
    feel appears appear appearing seems seem named called years year old-age age aged approximately roughly
    circa around nearly almost maybe perhaps please-make hello hi thanks thank well neatly natural naturally
    currently nothing anything something else other another own self along together featuring features feature
    plus includes including include comes come got gets get hers himself herself themselves it's she's he's
    they're i'd i'm we'd let's that's there's who's person's       height
    weight tall-ness long-sleeved       stands subject scene photorealistic not
    no human-like yes ok okay person-like different coloured-in toned tall-looking him goes going tied rests
    resting reaching falls finished paired completed accompanied topped tops it'd match matches coordinated
    underneath oh ah uh um eh etc via per off-screen mid early late figure artwork art digital illustration
    sculpted carved cast depicting depicts depicted imagine visualise visualize    
    unbuttoned buttoned
    """.split()
)
"""Words whose silence is no loss: grammar, the picture rather than the person, and fillers."""
