"""Whether painted heads have faces, where they were asked for: ``python -m bozzetto.evaluate.faces --out DIR``.

Head crops of people no training saw, facing the camera, painted anew from their captions under their face landmarks.
There are two rulers. Whether there is a face, MediaPipe's face mesh (the extra ``photo``) says, which knows neither our
figures nor our networks. It looks at the true picture of the same size and at the painted one; the mean distance of
what it finds, in per cent of the true face's width, is one error. So its habits, such as a larger forehead than our
contours have, cancel; but a face that is a little softer it sees elsewhere, though nothing moved. The finer ruler,
``evaluate.landmarks``, minds that less; its error is from the contours that were asked for. Beside both stands what
they say of the true pictures through the prior's autoencoder. Finished batches are kept in DIR, so that the same
command goes on where it was stopped.

``--ruler`` measures the rulers instead. MediaPipe's as a probe of second faces: how often it finds a face in true heads
that face the camera, and in those turned away. Both in the same heads as they are, softened, and with mouths pushed
down.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image, ImageOps

from bozzetto.evaluate.landmarks import Landmarks, contour_error, load_landmarks
from bozzetto.evaluate.pictures import interval, painted, through
from bozzetto.prior.load import load
from bozzetto.prior.sample import Guidance
from bozzetto.subject.detector import face_in, need_mediapipe
from bozzetto.training.data import Shard, default_folder, shards, smaller
from bozzetto.training.landmarks import LIPS, bent, pushed_mouth, read, softened

FACING = 30.0
"""Degrees to either side from which a face is asked for."""
BACK = 110.0
"""Degrees to either side from which on no face may be seen."""
NO_HEADS = "there are no heads to measure: make pictures with bozzetto train-prior --part data"


@dataclass(frozen=True, eq=False)
class Head:
    """A head to paint."""

    caption: str
    landmarks: UInt8[ndarray, "s s 3"]
    """The control picture."""
    picture: UInt8[ndarray, "s s 3"]
    """The true one."""
    face: Float[ndarray, "n 2"]
    """What MediaPipe sees in it, in pixels."""
    contours: Float[ndarray, "p 2"]
    """Those that the landmarks are drawn from, in pixels."""


def face_points(picture: UInt8[ndarray, "s s 3"]) -> Float[ndarray, "n 2"] | None:
    """The face mesh's points in pixels; None where there is no face."""
    found = face_in(picture, (0, 0, picture.shape[1], picture.shape[0]), 256)
    return None if found is None else found.points[:468, :2]


def shows_face(picture: UInt8[ndarray, "h w 3"]) -> bool:
    """Whether there is a face in the picture of a head; of a head from behind, whether a second face grew there.

    Looked at as it is, in black and white with its contrast stretched, and both with room around: one look of the model
    that is hard to fool is enough, or three of the exact one.
    """
    grey = np.asarray(ImageOps.autocontrast(Image.fromarray(picture).convert("L"), cutoff=2).convert("RGB"))
    height, width = picture.shape[:2]
    room = int(0.3 * width)
    boxes = ((0, 0, width, height), (-room, -room, width + room, height + room))
    tries = [(each, box) for box in boxes for each in (picture, grey)]
    if any(face_in(each, box, 256, fine=False) is not None for each, box in tries):
        return True
    return sum(face_in(each, box, 256) is not None for each, box in tries) >= 3


def check_ruler(found: Sequence[Shard]) -> Iterator[str]:
    """How often MediaPipe sees a face in true heads that face the camera, by look, and in those turned away.

    A head that faces the camera is what a second face looks like from behind.
    """
    seen: dict[str, list[bool]] = {}
    for shard in found:
        pictures = shard["rgb"]
        for index, record in enumerate(shard.records):
            turn, look = abs(record["azimuth"]), shard.specs[record["person"]].look
            if record["crop"] == "head" and (turn <= FACING or turn >= BACK):
                face = shows_face(pictures[index])
                names = ("facing, all looks", f"facing, {look}") if turn <= FACING else ("turned away, all looks",)
                for name in names:
                    seen.setdefault(name, []).append(face)
    for name, faces in sorted(seen.items()):
        low, high = interval(sum(faces), len(faces))
        share = 100 * np.mean(faces)
        yield f"{name}: a face in {share:.1f} % of {len(faces)} ({100 * low:.1f} to {100 * high:.1f})"


def heads(found: Sequence[Shard], size: int, count: int) -> tuple[list[Head], int]:
    """Heads in whose true pictures MediaPipe sees a face, two of a person at most; and how many were tried."""
    chosen: list[Head] = []
    tried = 0
    for shard in found:
        if len(chosen) == count:
            break
        pictures, contours = smaller(shard["rgb"], size), shard["contours"] * (size / shard["rgb"].shape[1])
        taken = [0] * len(shard.people)
        for index, record in enumerate(shard.records):
            person = record["person"]
            facing = (
                record["crop"] == "head" and abs(record["azimuth"]) <= FACING and np.isfinite(contours[index]).all()
            )
            if not facing or taken[person] == 2 or len(chosen) == count:
                continue
            taken[person] += 1
            tried += 1
            if (face := face_points(pictures[index])) is not None:
                caption = f"{record['captions'][0].rstrip('.')}, {record['view']}, head portrait"
                landmarks = shard.controls(index, ("landmarks",), size)["landmarks"]
                chosen.append(Head(caption, landmarks, pictures[index], face, contours[index]))
    return chosen, tried


def landmark_error(head: Head, picture: UInt8[ndarray, "s s 3"]) -> float:
    """Mean distance of the painted face's points from the true one's, in per cent of its width; NaN without a face."""
    face = face_points(picture)
    if face is None:
        return float("nan")
    return float(100 * np.linalg.norm(face - head.face, axis=1).mean() / np.ptp(head.face[:, 0]))


def contour_errors(ruler: Landmarks, work: Sequence[Head], pictures: UInt8[ndarray, "n s s 3"]) -> Float[ndarray, "n"]:
    """Mean distances of the contours that the finer ruler finds from those asked for, in per cent of the width."""
    asked = torch.from_numpy(np.stack([head.contours for head in work])).float()
    with torch.no_grad():
        return contour_error(read(ruler, torch.from_numpy(pictures).float() / 255), asked).numpy()


def told(errors: Float[ndarray, "n"]) -> str:
    """How many have a face, and how far off those are."""
    seen = errors[np.isfinite(errors)]
    return f"a face in {len(seen)} of {len(errors)}; {off(seen)}" if len(seen) else f"no face in {len(errors)}"


def off(errors: Float[ndarray, "n"]) -> str:
    """How far off faces are."""
    low, middle, high = np.quantile(errors, (0.1, 0.5, 0.9))
    return (
        f"landmarks off by {errors.mean():.1f} % of its width in the mean, {middle:.1f} % in the median "
        f"({low:.1f} to {high:.1f} from the tenth to the ninetieth hundredth)"
    )


def check_rulers(ruler: Landmarks, work: Sequence[Head]) -> Iterator[str]:
    """What both rulers say of true heads that are softened, or whose mouth was pushed 3 px down.

    MediaPipe's errors are from what it sees in the picture as it is, the other ruler's from the true contours.
    """
    true = torch.from_numpy(np.stack([head.picture for head in work])).float() / 255
    contours = torch.from_numpy(np.stack([head.contours for head in work])).float()
    pushed, lower = bent(true, contours, pushed_mouth(contours, true.shape[1]))
    versions = {"as they are": (true, contours), "mouths pushed down": (pushed, lower)}
    versions |= {f"softened {times} times": (softened(true, times), contours) for times in (1, 2)}
    plain = read(ruler, true)
    for name, (pictures, asked) in versions.items():
        found = read(ruler, pictures)
        codes = (pictures.numpy() * 255 + 0.5).astype(np.uint8)
        meshes = np.array([landmark_error(head, code) for head, code in zip(work, codes, strict=True)])
        line = f"{name}: MediaPipe {told(meshes)}; the finer ruler {off(contour_error(found, asked).numpy())}"
        if name == "mouths pushed down":
            share = (found - plain)[:, -LIPS:, 1].mean() / (lower - contours)[:, -LIPS:, 1].mean()
            line += f", {100 * float(share):.0f} % of the push"
        yield line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="folder of the painted heads")
    parser.add_argument("--prior", default="embedded")
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--image-guidance", type=float, default=None, help="as in bozzetto imagine")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ruler", action="store_true", help="measure the rulers themselves")
    arguments = parser.parse_args()
    need_mediapipe()
    found = shards(arguments.data or default_folder(), "held")
    if arguments.ruler:
        ruler, (work, _) = load_landmarks(), heads(found, Landmarks.size, arguments.count)
        if not work:
            parser.error(NO_HEADS)
        for line in chain(check_ruler(found), check_rulers(ruler, work)):
            print(line, flush=True)
        return
    if arguments.out is None:
        parser.error("painted heads need --out, the folder that they go to")
    arguments.out.mkdir(parents=True, exist_ok=True)
    prior = load(arguments.prior)
    ruler = load_landmarks() if prior.native_size == Landmarks.size else None
    work, tried = heads(found, prior.native_size, arguments.count)
    print(f"MediaPipe sees a face in {len(work)} of {tried} true heads; those are painted.", flush=True)
    if not work:
        parser.error(NO_HEADS)
    again = [np.roll(head.picture, 1, axis=1) for head in work]
    moved = np.array([landmark_error(head, picture) for head, picture in zip(work, again, strict=True)])
    print(f"True pictures moved by one pixel: {told(moved)}", flush=True)
    shown = ("landmarks", np.stack([head.landmarks for head in work]).astype(np.float32) / 255)
    captions, guidance = [head.caption for head in work], Guidance(arguments.guidance, arguments.image_guidance)
    batches = painted(prior, captions, shown, arguments.out, guidance, arguments.steps, arguments.seed)
    made = np.concatenate(list(batches))
    errors = np.array([landmark_error(head, picture) for head, picture in zip(work, made, strict=True)])
    print(f"Painted, by MediaPipe: {told(errors)}", flush=True)
    true = np.stack([head.picture for head in work])
    copies = (through(prior, true.astype(np.float32) / 255).clip(0, 1) * 255 + 0.5).astype(np.uint8)
    errors = np.array([landmark_error(head, picture) for head, picture in zip(work, copies, strict=True)])
    print(f"Copies, by MediaPipe: {told(errors)}", flush=True)
    if ruler is None:
        print(f"The finer ruler measures {Landmarks.size} px only.")
        return
    others = work[1:] + work[:1]
    for name, pictures in (("Painted", made), ("Copies", copies), ("True pictures", true)):
        print(f"{name}, by the finer ruler: {off(contour_errors(ruler, work, pictures))}", flush=True)
    print(f"Painted, from the next head's contours: {off(contour_errors(ruler, others, made))}")


if __name__ == "__main__":
    main()
