"""AvatarBooth, mode I: a person from words. Zeng et al. 2023, arXiv:2306.09864; release zeng-yifei/AvatarBooth.

A NeuS around a body is seen by two cameras, one for the head and one for the body; each picture is enlarged, more so as
time goes on, and a text-to-image model says how it should change.

Where paper and release disagree, ``PAPER`` takes the release's learning rate (3e-4, warmed up, falling by a cosine; the
paper's 0.005 is another field's), the paper's 2000 + 2000 + 4000 steps and its texture-less third picture, and normals
for a tenth of the front views as the release does, but mapped to [0, 1] in the camera's space. No ray is masked by the
body, since the paper's shapes are free.

Departs from both: hashed features (``scene.radiance``); words follow the camera's true azimuth and elevation; the
person stands in an A-pose of Anny's body. The default departs more, since its prior is small: it starts from the first
figure, compares pictures with decoded targets (``guidance.target_latents``) in place of latents' gradients, looks at
whole bodies and heads from all around, and shows its prior the field's normals. What it learned is written back onto
the figure's own layers (``deliver``). From a body, the prior first paints pictures for the field to begin with
(``painted``), is told the hair and the skin that the figure has where words leave them open, and the face keeps the
body's shape.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import bozzetto
from bozzetto.recipes.draft import figure_of
from bozzetto.recipes.step import Step

if TYPE_CHECKING:
    import bozzetto.figure.build
    import bozzetto.figure.spec
    import bozzetto.types


@dataclass(frozen=True)
class AvatarBooth:
    """A figure refined by a text-to-image model, in a field of distances and colours."""

    seed: int = 0
    """Chooses what the words leave open, every camera and all noise."""
    prior: str = "embedded"
    """Who judges bodies, and heads too unless told otherwise: embedded, a preset (sd15, sd21), a folder or a hub id."""
    head_prior: str | None = None
    """Who judges heads."""
    device: str = "cpu"
    """Where they run: cpu or cuda. The field stays on the CPU."""
    init: Literal["figure", "body"] = "figure"
    """What the field is at first: the first figure with its colours, or the bare grey body, as in the paper."""
    deliver: Literal["layers", "field"] = "layers"
    """What becomes the character: the figure's own layers with what the field learned about them (they keep what is
    finer than the field), or the field's surface as one mesh. A field that began as a body is always its surface."""
    painted: int | None = None
    """Pictures that the prior paints of the person before the first step, for the field to take what they agree on
    (``recipes.painting``); 0 for none, as in the paper. Without it none from a figure, 24 from a body, which gives
    single predictions nothing to hold on to."""
    steps: int = 300
    """Of the optimiser."""
    polished: int = 0
    """Pictures of the result that the prior paints over at the end (image to image), to which the result is fitted once
    more; 0 leaves that out: the embedded prior makes nothing crisper."""
    views: int = 2
    """Pictures a step."""
    head_share: float = 0.25
    """Of the steps."""
    cameras: Literal["framed", "dual"] = "framed"
    """framed: whole bodies and whole heads from all around. dual: the paper's, nearer and mostly from in front."""
    render: int = 64
    """Pixels of a side, before the picture is enlarged."""
    growing: bool = True
    """Enlarge to 1, 5/4 and 3/2 of the prior's native size, by quarters of the steps: one, one, two. Else always 1."""
    normals: float = 0.1
    """Share of front views seen as normals."""
    relief: float = 0.1
    """Share of front views seen without texture."""
    residual: Literal["sds", "csd"] = "sds"
    """What takes the place of the score (``guidance.residual``)."""
    guidance: float = 4.0
    """Scale of the words against no words. At 7.5 the small prior's red sweater reddened hands and face."""
    pictures: bool = True
    """Compare renders with decoded targets; else send residuals through the encoder."""
    noise: tuple[float, float, float] | None = None
    """t is drawn from the first to the second at the start, and to the third at the end. Without it 0.02, 0.4 and 0.2
    from a figure or from painted pictures, which are to be kept; 0.02, 0.98 and 0.5 from a bare body."""
    control: Literal["normal", "pose", "none"] = "normal"
    """What the prior is shown beside the words, where it has a network for it: the field's normals, which hold the
    shape as it is, or the body's skeleton, which lets it grow."""
    templates: Literal["plain", "release"] = "plain"
    """How words of the view join the prompt."""
    plain_backgrounds: bool = True
    """Black, white or grey; else the paper's noise and checkerboards too."""
    rate: float | None = None
    """Adam's, of colours; shapes learn at a third of it. Without it 0.001 from a figure or from painted pictures, 0.01
    from a bare body."""
    eikonal: float = 0.1
    """Weight of distances that grow by a metre a metre."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"the seed must be a whole number from 0 to 2^63 - 1, not {self.seed}.")
        if min(self.steps, self.views - 1, self.render - 8, self.pictures_first, self.polished) < 0:
            raise ValueError(
                f"steps, painted and polished must be 0 or more, views 1 or more and render 8 or more; not "
                f"{self.steps}, {self.painted}, {self.polished}, {self.views} and {self.render}."
            )
        low, high, end = self.levels
        if not (0 <= low <= high <= 1 and low <= end <= 1):
            raise ValueError(f"the noise's bounds must lie in [0, 1], lowest first; not {self.levels}.")
        if not 0 <= self.normals + self.relief <= 1 or min(self.normals, self.relief) < 0:
            raise ValueError("normals and relief are shares of the front views: together between 0 and 1.")

    @property
    def pictures_first(self) -> int:
        """How many pictures are painted before the first step."""
        return (24 if self.init == "body" else 0) if self.painted is None else self.painted

    @property
    def _bare(self) -> bool:
        return self.init == "body" and not self.pictures_first

    @property
    def levels(self) -> tuple[float, float, float]:
        """The noise that is used."""
        return self.noise or ((0.02, 0.98, 0.5) if self._bare else (0.02, 0.4, 0.2))

    @property
    def learning_rate(self) -> float:
        """The rate that is used."""
        return self.rate or (1e-2 if self._bare else 1e-3)

    def words(self, prompt: str, spec: "bozzetto.figure.spec.FigureSpec") -> dict[Literal["body", "head"], str]:
        """What each region is said to be: the prompt, and of a body that pictures are painted of what it leaves open.

        Each picture would decide that for itself; the figure has decided it. Told the hair too, bodies forgot shoes.
        """
        from bozzetto.figure.captions import hair_words, skin_words

        if self.init == "figure" or not self.pictures_first:
            return {"body": prompt, "head": prompt}
        skin = skin_words(spec)
        return {"body": f"{prompt}, with {skin}", "head": f"{prompt}, with {hair_words(spec)} and {skin}"}

    def fit(self, subject: "bozzetto.types.Subject") -> Iterator[Step]:
        return self.resume(subject, {})

    def resume(self, subject: "bozzetto.types.Subject", state: Mapping[str, Any]) -> Iterator[Step]:
        """The steps from where a state was taken; from the first, where there is none."""
        from bozzetto.subject.words import read_words

        reading = read_words(subject.prompt, self.seed)
        figure = cache(lambda: figure_of(reading.spec))
        yield Step(0, "words", reading, avatar=lambda: figure().avatar)
        figure()
        yield Step(1, "figure", reading, avatar=lambda: figure().avatar, shown=True)

        from bozzetto.body.landmarks import face_contours
        from bozzetto.recipes.booth import Booth, load_priors, weight_files
        from bozzetto.recipes.field import character, field_of, joints
        from bozzetto.recipes.painting import paint_first, paint_over

        field = field_of(figure(), self.init, own_face=self.pictures_first > 0)
        stance, priors = field.stance, load_priors(self)
        words, lines = self.words(subject.prompt, reading.spec), face_contours(stance.body)
        booth = Booth(self, field.scene, stance.box, stance.head, priors, words, joints(stance), lines)
        if state:
            booth.restore(state)

        def made() -> "bozzetto.types.Avatar":
            return character(field, self.deliver)

        weights = weight_files(priors)
        yield Step(2, "start", reading, avatar=made, share=0.0, weights=weights, state=booth.state)
        if self.pictures_first and not booth.painted:
            paint_first(booth)
            yield Step(3, "painting", reading, avatar=made, share=0.0, state=booth.state)
        for index in range(booth.done, self.steps):
            loss = booth.step(index)
            share = (index + 1) / self.steps
            yield Step(4 + index, "distillation", reading, avatar=made, loss=loss, share=share, state=booth.state)
        if self.polished and not booth.polished:
            paint_over(booth)
            yield Step(4 + self.steps, "polishing", reading, avatar=made, share=1.0, state=booth.state)
        yield Step(5 + self.steps, "character", reading, avatar=cache(made), share=1.0, state=booth.state)


PAPER = AvatarBooth(
    prior="sd15", init="body", deliver="field", steps=8000, views=1, cameras="dual", render=112, guidance=101.0,
    painted=0, pictures=False, noise=(0.02, 0.7, 0.7), control="none", templates="release", plain_backgrounds=False,
    rate=3e-4,
)  # fmt: skip
"""The paper's numbers. Its guidance of 100 counts from the prompt; counted from no words it is 101."""
