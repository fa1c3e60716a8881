"""``bozzetto animate``: motions into a character that is there. Light to import."""

import difflib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, UseAppendAction, arg

from bozzetto.terminal import progress, say, within

if TYPE_CHECKING:
    import bozzetto.types

BUILT_IN = ("idle", "walk", "run", "wave", "sit", "dance")
READ = (".bvh", ".vrma", ".npz")
WRITTEN = ("vrma", "bvh")
SPEECH = "speech"
"""The name of the clip that talks."""


@dataclass(frozen=True)
class Animate:
    """Make a run's character move: clips into its avatar.glb, and a film of each.

    A clip that is there under the same name is replaced; files of motion keep their name. Walk and run are on the spot.
    A VRM holds no motion, so avatar.vrm stays as it is: motion-NAME.vrma is written beside it, for VRM players."""

    folder: Positional[Path]
    """A folder with an avatar.glb of bozzetto's."""
    motion: Annotated[
        UseAppendAction[tuple[str, ...]], arg(metavar="idle|walk|run|wave|sit|dance|FILE.bvh|FILE.vrma|FILE.npz")
    ] = ()
    """A built-in motion, or a file: BVH with a person's skeleton (CMU's, Mixamo's, …), a VRM animation, SMPL-X
    parameters (AMASS). May be given several times."""
    speech: Annotated[Path | None, arg(metavar="FILE.wav")] = None
    """A recording that the face speaks: a clip "speech". The body does what the first --motion says, or idles. Its film
    is a close-up."""
    fps: int = 30
    """Keys a second of the clips."""
    to: str = ""
    """Write each motion as a file of its own too, between commas: vrma, bvh."""
    no_film: bool = False
    """Leave out the films, motion-NAME.mp4."""

    def run(self) -> int:
        from bozzetto.types import UserError

        self._check()
        wanted = self._formats()

        from bozzetto.export.read import read_glb
        from bozzetto.motion.place import place_clips
        from bozzetto.runs import written_together

        start = time.perf_counter()
        glb = self.folder / "avatar.glb"
        avatar = read_glb(glb)
        lacking = [name for name in ("upperleg01.L", "upperarm01.L", "head") if name not in avatar.skeleton.names]
        if lacking:
            raise UserError(f"The character in {self.folder} has no human skeleton, so nothing can move it.")
        clips = self._clips(avatar)
        with written_together(self.folder) as written:
            before = glb.read_bytes()
            place_clips(glb, clips, avatar.skeleton)
            written.append(glb)
            written += refreshed_page(self.folder, before, glb)
            written += self._files(clips, avatar, wanted)
            if not self.no_film:
                written += self._films(clips, avatar)
        for path in dict.fromkeys(written):
            say(str(path))
        say(f"Done in {time.perf_counter() - start:.1f} s.")
        return 0

    def _check(self) -> None:
        from bozzetto.types import UserError

        if not self.motion and self.speech is None:
            raise UserError(
                f"Say how it moves: bozzetto animate {self.folder} --motion walk ({', '.join(BUILT_IN)}, or a file "
                f"{', '.join(READ)}), or --speech FILE.wav."
            )
        if not 5 <= self.fps <= 120:
            raise UserError(f"--fps must be from 5 to 120; got {self.fps}.")
        names = [motion_name(motion) for motion in self.motion]
        for name in names:
            if names.count(name) > 1 or (name == SPEECH and self.speech is not None):
                raise UserError(f"Two motions would be called {name!r}. Give one at a time, or rename a file.")
        for path in (*(Path(m) for m in self.motion if m not in BUILT_IN), *([self.speech] if self.speech else [])):
            if not path.is_file():
                raise UserError(f"There is no file {path}.")
        if self.speech is not None and self.speech.suffix.lower() != ".wav":
            raise UserError(f"--speech takes a WAV; {self.speech.name} is none. Save the recording as a 16 bit WAV.")
        if not (self.folder / "avatar.glb").is_file():
            raise UserError(f"{self.folder} holds no avatar.glb. Give a folder that 'bozzetto generate' wrote.")

    def _formats(self) -> tuple[str, ...]:
        from bozzetto.types import UserError

        formats = tuple(dict.fromkeys(word.strip().lower() for word in self.to.split(",") if word.strip()))
        for name in formats:
            if name not in WRITTEN:
                raise UserError(f"bozzetto cannot write a motion as {name!r}. It writes: {', '.join(WRITTEN)}.")
        if "vrma" not in formats and (self.folder / "avatar.vrm").is_file():
            formats += ("vrma",)
        return formats

    def _clips(self, avatar: "bozzetto.types.Avatar") -> "list[bozzetto.types.Clip]":
        """The motions, and what is spoken."""
        from bozzetto.motion.builtin import built_in

        clips = [motion_of(motion, avatar, self.fps) for motion in self.motion]
        if self.speech is not None:
            body = clips[0] if clips else built_in("idle", avatar, self.fps)
            clips.append(spoken(self.speech, body, avatar, self.fps))
        return clips

    def _files(
        self, clips: "Sequence[bozzetto.types.Clip]", avatar: "bozzetto.types.Avatar", wanted: Sequence[str]
    ) -> list[Path]:
        from bozzetto.export.marks import Given, Marks
        from bozzetto.motion.bvh import write_bvh
        from bozzetto.motion.vrma import write_vrma
        from bozzetto.runs import sha256

        recorded = {motion_name(motion): Path(motion) for motion in self.motion if motion not in BUILT_IN}
        out = []
        for clip in clips:
            for name in wanted:
                out.append(self.folder / f"motion-{clip.name}.{name}")
                if name == "bvh":
                    write_bvh(clip, avatar.skeleton, out[-1])
                else:
                    source = recorded.get(clip.name)
                    given = Given("retargeted", sha256(source)) if source else None
                    write_vrma(clip, avatar.skeleton, out[-1], Marks(given=given))
        return out

    def _films(self, clips: "Sequence[bozzetto.types.Clip]", avatar: "bozzetto.types.Avatar") -> list[Path]:
        from bozzetto.doctor import ffmpeg
        from bozzetto.motion.film import film, seat

        if not ffmpeg():
            say("No films: they need ffmpeg. Install it with: pip install 'bozzetto[video]'", aside=True)
            return []
        out = []
        with progress() as report:
            for index, clip in enumerate(clips):
                out.append(self.folder / f"motion-{clip.name}.mp4")
                props = [seat(avatar, clip)] if clip.name == "sit" and "sit" in self.motion else []
                report(f"filming {clip.name}", index / len(clips))
                share = within(report, f"filming {clip.name}", index / len(clips), (index + 1) / len(clips))
                if clip.name == SPEECH:
                    film(avatar, clip, out[-1], size=480, sound=self.speech, close=True, progress=share)
                else:
                    film(avatar, clip, out[-1], props=props, progress=share)
        return out


def motion_name(motion: str) -> str:
    """The clip's name: a built-in motion's own, a file's without its ending.

    Raises:
        UserError: It is neither.
    """
    from bozzetto.types import UserError

    if motion in BUILT_IN:
        return motion
    path = Path(motion)
    if path.suffix.lower() in READ:
        name = "".join(c if c.isalnum() or c in "-_" else "_" for c in path.stem)[:80]
        return name.strip("_") or "motion"
    near = difflib.get_close_matches(motion.lower(), BUILT_IN, n=1, cutoff=0.5)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    raise UserError(
        f"There is no motion {motion!r}.{meant} Built in are {', '.join(BUILT_IN)}; files end in {', '.join(READ)}."
    )


def motion_of(motion: str, avatar: "bozzetto.types.Avatar", fps: int) -> "bozzetto.types.Clip":
    """A built-in motion, or a file's, for the avatar; what was found out is printed."""
    from bozzetto.motion.builtin import built_in
    from bozzetto.motion.bvh import read_bvh
    from bozzetto.motion.feet import soles
    from bozzetto.motion.retarget import retarget
    from bozzetto.motion.smplx import read_npz
    from bozzetto.motion.vrma import read_vrma
    from bozzetto.types import UserError

    if motion in BUILT_IN:
        return built_in(motion, avatar, fps)
    readers = {".bvh": read_bvh, ".vrma": read_vrma, ".npz": read_npz}
    path = Path(motion)
    source = readers[path.suffix.lower()](path)
    try:
        found = retarget(source, avatar.skeleton, soles(avatar), motion_name(motion), fps)
    except UserError as error:
        raise UserError(f"{path.name}: {error}") from None
    words = f"{path.name}: {source.times[-1]:.1f} s, {len(source.names)} joints"
    if any(rests.any() for rests in found.contact.values()):
        words += (
            f"; resting feet slide {100 * found.slide:.1f} cm/s, the recording's {100 * found.source_slide:.1f} cm/s"
        )
    say(f"{words}.")
    return found.clip


def spoken(path: Path, body: "bozzetto.types.Clip", avatar: "bozzetto.types.Avatar", fps: int) -> "bozzetto.types.Clip":
    """A clip in which the face says a recording, while the body goes on with what it does."""
    import numpy as np

    from bozzetto.export.expressions import names_in
    from bozzetto.motion.film import repeating
    from bozzetto.motion.speech import read_wav, talking
    from bozzetto.types import Clip, UserError

    if "jawOpen" not in names_in(avatar):
        raise UserError("This character's face does not move, so it cannot speak. Leave out --speech.")
    sound, rate = read_wav(path)
    weights = talking(sound, rate, fps, avatar.expression)
    times = np.arange(len(next(iter(weights.values())))) / fps
    length = float(body.times[-1])
    where = times % length if repeating(body) else np.minimum(times, length)
    rows = np.clip(np.round(where * (len(body.times) - 1) / max(length, 1e-9)).astype(int), 0, len(body.times) - 1)
    turned = {name: wxyz[rows] for name, wxyz in body.rotations_wxyz.items()}
    path_ = None if body.root_translation is None else body.root_translation[rows]
    own = set(names_in(avatar))
    faces = {name: each.astype(np.float32) for name, each in weights.items() if name in own}
    return Clip(SPEECH, times.astype(np.float32), turned, path_, faces)


def refreshed_page(folder: Path, before: bytes, glb: Path) -> list[Path]:
    """``index.html`` with the character as it is now, where it carried the one before."""
    import base64

    from bozzetto.files import atomic_path

    path = folder / "index.html"
    old = base64.b64encode(before)
    if not path.is_file() or (page := path.read_bytes()).count(old) != 1:
        return []
    with atomic_path(path) as partial:
        partial.write_bytes(page.replace(old, base64.b64encode(glb.read_bytes())))
    return [path]
