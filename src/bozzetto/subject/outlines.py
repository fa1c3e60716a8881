"""Which dressed figure stands in its photos' outlines best: what colours and key points leave open is tried out.

Analysis by synthesis over all photos at once: a figure is built in low detail, posed and seen as each photo's fit has
it, and its outline compared with the person's. One photo's fit trades build for pose; several agree on the build.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from bozzetto.figure.build import Figure, build_figure
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.spec import BodySpec, BottomKind, FigureSpec, OuterKind
from bozzetto.render.raster import rasterize
from bozzetto.subject.fit import Fitted
from bozzetto.subject.looks import face_height
from bozzetto.subject.photos import Photo
from bozzetto.subject.piles import Piles
from bozzetto.types import Cameras

CHILDREN = ((9.0, 1.35), (5.0, 1.1), (13.0, 1.55))
"""Years and metres."""
CHILDLIKE = 6.85
"""Heights of the face from the shoulders to the ankles, below which somebody may be a child: of 20 people in front
views, children of up to 11 years had 6.0 to 6.6, others 6.75 and more."""
WEIGHTS = (0.25, 0.4, 0.55, 0.7, 0.85)
ALIKE: tuple[tuple[BottomKind, ...], ...] = (
    ("shorts", "mini skirt", "knee skirt"), ("trousers", "long skirt"), ("jeans", "long skirt"),
)  # fmt: skip
"""What may be worn below the waist when as much of the legs is bare."""
COATS: tuple[OuterKind, ...] = ("jacket", "coat")
GAIN = 0.006
"""Of agreement, by which something else must be better than what the photos' colours said."""


def agreement(
    figure: Figure, fitted: Fitted, mask: Float[ndarray, "h w"]
) -> tuple[float, Float[ndarray, "v 3"], Cameras]:
    """Of the standing figure's outline with the person's in the photo, over both; the posed body, and the camera."""
    stance = stand(figure, fitted.posture)
    camera = fitted.cameras_on(stance.body)
    scene, person = stance.scene, mask > 0.5
    seen = rasterize(scene.vertices, scene.faces, camera, scene.coverage).face[0] >= 0
    return float((seen & person).sum() / max((seen | person).sum(), 1)), stance.body, camera


def outlined(
    piles: Piles, fits: tuple[Fitted | None, ...], fit: Callable[[Photo, BodySpec | None], Fitted]
) -> tuple[Fitted | None, ...]:
    """The fits with one body that all have in common, where several photos show the whole person; else as they are.

    Args:
        piles: Sorted photos.
        fits: To each of them; the first with what all say.
        fit: Of one photo, with a body that is known.
    """
    first, *_ = fits
    assert first is not None
    whole = [
        number for number, (one, each) in enumerate(zip(piles.photos, fits, strict=True))
        if each is not None and one.body is not None and one.photo.part == "full body"
    ]  # fmt: skip
    if len(whole) < 2:
        return fits
    photos = [piles.photos[number].photo for number in whole]

    def together(spec: FigureSpec) -> tuple[FigureSpec, list[tuple[Photo, Fitted]], float]:
        read = [(photo, fit(photo, spec.body)) for photo in photos]
        return spec, read, _agreement(spec, read)

    bodies = [first.spec.body]
    if min(map(_heads_tall, photos)) < CHILDLIKE:
        bodies += [replace(bodies[0], age=age, height=height, shoulders=BodySpec.shoulders) for age, height in CHILDREN]
    trials = [together(replace(first.spec, body=body)) for body in bodies]
    best = max(trials, key=lambda each: each[2])
    spec, read, _ = best if best[2] > trials[0][2] + GAIN else trials[0]
    spec = tried_out(spec, read)
    found = list(fits)
    for number, (_, each) in zip(whole, read, strict=True):
        found[number] = each
    again = fit(piles.photos[0].photo, spec.body)
    said = f"Weight and the cut of coats and skirts are those that {len(whole)} photos' outlines agree with best."
    guesses = (*again.guesses, *first.guesses[-1:], said)  # what was guessed of the build before need not be so
    found[0] = replace(again, spec=replace(spec, pose=again.spec.pose), guesses=guesses)
    return tuple(found)


def _heads_tall(photo: Photo) -> float:
    """From the shoulders to the ankles, in heights of the face; infinite where not seen."""
    if photo.face is None or photo.keypoints is None or not photo.seen[[11, 12, 27, 28]].all():
        return np.inf
    ends = photo.keypoints.pixels[[11, 12, 27, 28]].reshape(2, 2, 2).mean(1)
    return float(np.linalg.norm(ends[0] - ends[1]) / face_height(photo.face.points))


def _agreement(spec: FigureSpec, read: Sequence[tuple[Photo, Fitted]]) -> float:
    figure = build_figure(spec, "low")
    return float(np.mean([agreement(figure, fitted, photo.mask)[0] for photo, fitted in read]))


def tried_out(spec: FigureSpec, read: Sequence[tuple[Photo, Fitted]]) -> FigureSpec:
    """The spec with the weight, the legs' and the outer garment whose outlines agree best with the photos'.

    Args:
        spec: What the photos say by colours and key points.
        read: Photos of the whole person, fitted with the spec's body.
    """

    def better(spec: FigureSpec, others: Iterable[FigureSpec]) -> FigureSpec:
        best, most = spec, _agreement(spec, read) + GAIN
        for each in others:
            score = _agreement(each, read)
            if score > most:
                best, most = each, score
        return best

    for _ in range(2):  # loose clothes and a heavy body look alike
        spec = replace(spec, body=replace(spec.body, weight=_peak(
            [_agreement(replace(spec, body=replace(spec.body, weight=weight)), read) for weight in WEIGHTS]
        )))  # fmt: skip
        if spec.bottom is not None:
            worn = spec.bottom
            others = {kind for group in ALIKE if worn.kind in group for kind in group} - {worn.kind}
            spec = better(spec, [replace(spec, bottom=replace(worn, kind=kind)) for kind in sorted(others)])
        if spec.outer is not None and spec.outer.kind in COATS:
            coats = [kind for kind in COATS if kind != spec.outer.kind]
            spec = better(spec, [replace(spec, outer=replace(spec.outer, kind=kind)) for kind in coats])
    return spec


def _peak(scores: Sequence[float]) -> float:
    """Where a parabola through the best of ``WEIGHTS`` and its neighbours is highest."""
    middle = int(np.clip(np.argmax(scores), 1, len(scores) - 2))
    near = slice(middle - 1, middle + 2)
    bend, slope, _ = np.polyfit(WEIGHTS[near], scores[near], 2)
    at = -slope / (2 * bend) if bend < -1e-9 else WEIGHTS[int(np.argmax(scores))]
    return round(float(np.clip(at, WEIGHTS[0], WEIGHTS[-1])), 3)
