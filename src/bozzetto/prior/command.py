"""``bozzetto imagine``: a picture from words, without a body. Light to import."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, UseAppendAction, arg

if TYPE_CHECKING:
    import bozzetto.prior.denoiser

CONTROL_NAMES = ("pose", "landmarks", "normal", "silhouette", "source")


@dataclass(frozen=True)
class Imagine:
    """Make pictures from words with a diffusion prior."""

    prompt: Positional[str]
    """What to show: "a woman in a green dress, front view"."""
    out: Annotated[Path, arg(metavar="FILE.png")]
    """The picture to write; several get numbers: FILE-1.png, FILE-2.png."""
    prior: str = "embedded"
    """embedded, a preset (sd15, sd21), a folder in the layout of diffusers, or a hub id."""
    control: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME=FILE")] = ()
    """A picture to obey: pose, landmarks, normal, silhouette, or source (to edit it). May be given several times."""
    negative: str = ""
    """What not to show."""
    seed: int = 0
    """Same seed, same pictures, on one machine."""
    steps: int = 25
    """Calls of the network. More are finer and slower."""
    guidance: float = 6.0
    """How far the words are followed; 1 is the network's own opinion."""
    image_guidance: float | None = None
    """How far control pictures are followed; 1 is the network's own opinion. Without it 3 for the embedded prior (face
    landmarks 6, a picture to edit 1), 1.5 for an editing network's picture, and 1 for other priors. Where it is not 1,
    controls take half as long again."""
    rescale: float | None = None
    """0 to 1: how far the contrast that guidance adds is taken back. Without it 0.7 for priors that need it, as the
    embedded one does, and 0 for others."""
    size: int | None = None
    """Pixels of a side. Without it: what the prior was trained on."""
    count: int = 1
    """How many pictures."""
    device: str = "cpu"
    """cpu or cuda."""
    overwrite: bool = False
    """Replace files that exist."""

    def run(self) -> int:
        from bozzetto.types import UserError

        self._check()
        paths = self._paths()
        given = self._given()

        import torch

        from bozzetto.prior.denoiser import Conditions
        from bozzetto.prior.load import load
        from bozzetto.prior.sample import Guidance, imagine

        if self.device != "cpu" and not torch.cuda.is_available():
            raise UserError(f"There is no {self.device} here. Leave --device out to work on the CPU.")
        prior = load(self.prior, device=self.device)
        prior.need(*(f"control/{name}" for name in given if name != "source" or "edit" not in prior.roles))
        if self.size is not None and self.size % prior.factor:
            near = max(prior.factor, round(self.size / prior.factor) * prior.factor)
            raise UserError(f"The prior {prior.name} makes multiples of {prior.factor} pixels. Try --size {near}.")
        warn(prior, self.prompt, self.negative)
        size = self.size or prior.native_size
        conditions = Conditions({name: read_picture(path, size) for name, path in given.items()}) if given else None
        for number, path in enumerate(paths):  # one by one: a batch would need as many times the memory
            picture = imagine(
                prior,
                [self.prompt],
                self.negative,
                steps=self.steps,
                guidance=Guidance(self.guidance, self.image_guidance, self.rescale),
                size=size,
                conditions=conditions,
                generator=torch.Generator().manual_seed(self.seed + number),
                progress=_say_share if sys.stderr.isatty() else None,
            )
            write_picture(picture[0], path)
            print(path, flush=True)
        return 0

    def _check(self) -> None:
        from bozzetto.types import UserError

        if not self.prompt.strip():
            raise UserError('The prompt is empty. Say what to show: bozzetto imagine "a man in a suit" --out man.png')
        for name, value, least in (("steps", self.steps, 1), ("count", self.count, 1), ("size", self.size, 1)):
            if value is not None and value < least:
                raise UserError(f"--{name} must be at least {least}; got {value}.")
        if self.rescale is not None and not 0 <= self.rescale <= 1:
            raise UserError(f"--rescale goes from 0 to 1; got {self.rescale:g}.")
        if self.out.suffix.lower() != ".png":
            raise UserError(f"bozzetto imagine writes PNG. Give --out a name that ends in .png; got {self.out}.")

    def _paths(self) -> list[Path]:
        from bozzetto.types import UserError

        numbers = range(1, self.count + 1)
        paths = [self.out] if self.count == 1 else [self.out.with_stem(f"{self.out.stem}-{n}") for n in numbers]
        for path in paths:
            if path.exists() and not self.overwrite:
                raise UserError(f"{path} exists. Choose another --out, or add --overwrite to replace it.")
        return paths

    def _given(self) -> dict[str, Path]:
        """The control pictures by name."""
        from bozzetto.types import UserError

        given: dict[str, Path] = {}
        for each in self.control:
            name, equals, file = each.partition("=")
            if not equals or name not in CONTROL_NAMES:
                raise UserError(
                    f"--control {each} is not of the form NAME=FILE with NAME one of {', '.join(CONTROL_NAMES)}: "
                    "for example --control normal=normals.png."
                )
            if not Path(file).is_file():
                raise UserError(f"There is no picture {file} (--control {each}).")
            given[name] = Path(file)
        return given


def warn(prior: "bozzetto.prior.denoiser.Prior", *prompts: str) -> None:
    """Names what of the prompts the prior cannot read, on standard error."""
    unknown = list(dict.fromkeys(word for prompt in prompts for word in prior.unknown_words(prompt)))
    if unknown:
        print(f"The {prior.name} prior has never seen: {', '.join(unknown)}.", file=sys.stderr)
    for prompt in prompts:
        cut = prior.text.cut(prompt)
        if cut:
            print(f'The prompt is too long for the {prior.name} prior, which ignores: "{cut}".', file=sys.stderr)


def read_picture(path: Path, size: int) -> Any:
    """A control picture, [1 h w 3] in [0, 1], stretched to a square.

    Raises:
        UserError: It cannot be read.
    """
    import numpy as np
    import torch
    from PIL import Image

    from bozzetto.files import BROKEN_PICTURE
    from bozzetto.types import UserError

    try:
        with Image.open(path) as picture:
            image = picture.convert("RGB").resize((size, size), Image.Resampling.BOX)
    except BROKEN_PICTURE as error:
        raise UserError(f"{path} cannot be read as a picture: {error}.") from None
    return torch.from_numpy(np.array(image)).float()[None] / 255


def write_picture(picture: Any, path: Path) -> None:
    """One picture [h w 3] in [0, 1] as a PNG, whole or not at all.

    Raises:
        UserError: It cannot be written.
    """
    import numpy as np
    from PIL import Image

    from bozzetto.files import atomic_path
    from bozzetto.types import UserError

    eight = (picture.float().cpu().numpy() * 255 + 0.5).clip(0, 255).astype(np.uint8)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as partial:
            Image.fromarray(eight).save(partial)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror or error}. Choose another --out.") from None


def _say_share(share: float) -> None:
    print(f"\r{share:4.0%}", end="\n" if share >= 1 else "", file=sys.stderr, flush=True)
