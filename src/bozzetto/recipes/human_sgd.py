"""Human-SGD: one photo and the surface below it become a person to be seen from all sides.

AlBahar, Saito, Tseng, Kim, Kopf, Huang 2023, "Single-Image 3D Human Digitization with Shape-Guided Diffusion",
arXiv:2311.09221. The photo and a guess of the back are carried to the next view, what neither shows is painted by a
diffusion model that is shown the surface's normals and silhouette, the result joins them, and so on around the person;
then all eight views are fused into one texture.

Departs from the paper: the shape and the back guess are not those of its networks (a figure's, or those of our own
``prior.shape``; the front mirrored, or drawn under ControlNet); cameras may have perspective; what is behind the person
counts as known; a painted picture is shifted in colour to meet the pixels around it; and, since the embedded prior
paints small pictures, ``detail`` lays the guide's fine detail over them: colours already known on the surface, or the
figure's own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import bozzetto

if TYPE_CHECKING:
    import bozzetto.prior.denoiser
    import bozzetto.recipes.walk
    import bozzetto.texture.fuse
    import bozzetto.texture.views

TURNS = (45.0, -45.0, 90.0, -90.0, 135.0, -135.0, 180.0)
"""Degrees of yaw of the views, in the order in which they are painted (AlBahar et al. 2023, section 3.3)."""


def view_word(turn: float, sides: bool = True) -> str:
    """What a prompt calls a view.

    Args:
        turn: Degrees from the front.
        sides: The paper's words: front, left, right, side, back. Without, front reaches to 45 degrees.
    """
    if abs(turn) >= 135:
        return "back"
    if abs(turn) > 45:
        return "side"
    return ("left" if turn > 0 else "right") if sides and turn else "front"


@dataclass(frozen=True)
class HumanSGD:
    """One photo to a person seen from all sides (AlBahar et al. 2023). ``PAPER`` has the paper's figures."""

    size: int = 512
    """Pixels of the side of each view."""
    steps: int = 8
    """Of the diffusion model for each view; the paper takes 25."""
    guidance: float = 4.0
    """How far the words are followed; the paper takes 15."""
    prompt: str = "{caption}, {view} view, full body, flat light"
    """With {caption} and {view}."""
    sides: bool = False
    """Whether prompts say left and right, as the paper's do; the embedded prior knows front, side and back."""
    negative: str = ""
    """What not to paint."""
    back: Literal["guide", "mirror", "control", "none"] = "guide"
    """The first thought of the back, unless a re-poser is given: the guide's own colours where the shot has a guide,
    else the front mirrored; always the front mirrored; drawn under ControlNet; or none."""
    normal: bool = True
    """Whether the painter is shown the surface's normals."""
    silhouette: bool = True
    """Whether the painter is shown the surface's silhouette."""
    uniform: bool = False
    """Blends support views by their plain mean: an ablation."""
    alpha: float = 3.0
    """Weight of the angle between a support view and the target, per radian."""
    beta: float = 3.0
    """Power of the distance to the border of what both see."""
    border: float = 2.0
    """Pixels of that border that are painted anew where one view sees them alone; at 512."""
    background: bool = True
    """Whether what is behind the person counts as known, white."""
    start: float = 0.3
    """How much of the guide is drowned in noise before the painter begins; 1 begins with noise, as the paper does."""
    detail: bool = True
    """Whether fine detail of the guide is laid over a painter's pictures that are smaller than the views."""
    fusion_steps: int = 30
    """Of fitting the texture; none leaves the weighted back-projection."""
    texels: int = 2048
    """Of a side of the texture, at most; never finer than the pixels that paint it."""
    seed: int = 0
    """Same seed, same person, on one machine."""

    def __post_init__(self) -> None:
        if self.size < 64 or self.size % 8:
            raise ValueError(f"size must be a multiple of 8, 64 or more; got {self.size}.")
        if self.steps < 1 or self.fusion_steps < 0 or not 0 < self.start <= 1:
            raise ValueError("steps must be 1 or more, fusion_steps 0 or more, start in (0, 1].")

    def fit(
        self,
        shot: "bozzetto.recipes.walk.Shot",
        prior: "bozzetto.prior.denoiser.Prior | None",
        reposer: "bozzetto.recipes.walk.Reposer | None" = None,
        perceptual: "bozzetto.texture.fuse.Perceptual | None" = None,
        extra: "tuple[bozzetto.texture.views.View, ...]" = (),
    ) -> "Iterator[bozzetto.recipes.walk.Moment]":
        """The walk around the person, and the texture.

        Args:
            shot: The photo and the surface.
            prior: Who paints; without one the guide's colours go on from those that are known.
            reposer: From the photo to the back.
            perceptual: How different two pictures look; the features of the prior's encoder without it.
            extra: Other photos of the same person as they stand in this one: they join the support views.

        Raises:
            UserError: The prior has no inpainting, or no network for a control that is asked for.
            ValueError: The camera stands too near, or has no perspective.
        """
        from bozzetto.recipes.walk import Moment, Painted, Walk, fused, mirrored, pasted, photograph, surface_colours
        from bozzetto.texture.fuse import membrane
        from bozzetto.texture.views import View, Weighing, aggregate, carry

        border = self.border * self.size / 512
        weighing = Weighing(0.0, 0.0, border) if self.uniform else Weighing(self.alpha, self.beta, border)
        controls = tuple(name for name in ("normal", "silhouette") if getattr(self, name))
        if prior is not None:
            prior.need("inpaint", *(f"control/{name}" for name in controls))
        walk = Walk(shot, self.size, TURNS)
        photo = photograph(shot, self.size)
        yield Moment("photo", view=photo)

        behind = walk.look(180.0)
        guess = None
        if reposer is not None:
            guess = View(behind, reposer(photo, behind), behind.hit)
        elif self.back == "guide" and shot.guide is not None:
            guess = View(behind, shot.guide(behind), behind.hit)
        elif self.back == "control" and prior is not None:
            guess = View(behind, self._drawn(walk, behind, prior, controls), behind.hit)
        elif self.back != "none":
            guess = mirrored(photo, behind, shot.front_only, shot.camera)
        support = [photo, *extra]
        if guess is not None:
            if extra:  # what other photos show of the back is no guess
                shown = aggregate([carry(view, behind, weighing) for view in extra], weighing).known
                guess = replace(guess, trusted=guess.trusted & ~shown)
            support.append(guess)
            yield Moment("back", view=guess)

        guide = shot.guide or surface_colours(shot.canvas, support, self.size)
        views = [photo]
        for index, turn in enumerate(TURNS):
            target = walk.look(turn)
            blend = aggregate([carry(view, target, weighing) for view in support], weighing)
            prompt = self.prompt.format(caption=shot.caption, view=view_word(turn, self.sides))
            generated = guide(target)
            if (target.hit & ~blend.known).any():
                generated = (
                    membrane(generated, blend.picture, blend.known) if prior is None
                    else walk.paint(self, prior, controls, blend, target, prompt, generated, self.seed + index)
                )  # fmt: skip
            view = View(target, pasted(generated, blend), target.hit)
            painted = Painted(turn, prompt, len(support), blend, generated, view)
            support.append(view)
            views.append(view)
            yield Moment("view", view=view, painted=painted)

        yield Moment("texture", fused=fused(self, shot, [*views, *extra], prior, perceptual))

    def _drawn(
        self,
        walk: "bozzetto.recipes.walk.Walk",
        behind: "bozzetto.texture.views.Seen",
        prior: "bozzetto.prior.denoiser.Prior",
        controls: tuple[str, ...],
    ) -> "bozzetto.texture.views.Picture":
        """The back under ControlNet, from words alone (section 3.2 of the paper, steps 1 and 2)."""
        from bozzetto.recipes.walk import nothing

        prompt = self.prompt.format(caption=walk.shot.caption, view="back")
        blank = replace(self, start=1.0, detail=False)
        return walk.paint(
            blank, prior, controls, nothing(behind), behind, prompt, behind.place * 0 + 0.5, self.seed + 99
        )


PAPER = HumanSGD(
    steps=25,
    guidance=15.0,
    prompt="a person wearing nice clothes in front of a solid white background, {view} view, best quality, "
    "extremely detailed",
    sides=True,
    back="control",
    border=5.0,
    background=False,
    start=1.0,
    detail=False,
    fusion_steps=600,
)
"""The paper's figures where it gives them; it wants a prior of 512 pixels, such as ``sd15``, and a re-poser."""
