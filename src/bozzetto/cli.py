"""The command line. Its help starts fast, so whatever is heavy is imported inside the verbs."""

import difflib
import gc
import io
import json
import os
import re
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, redirect_stderr, suppress
from dataclasses import asdict, dataclass, is_dataclass, replace
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    Literal,
    Protocol,
    TypeVar,
    Union,
    cast,
    runtime_checkable,
)

import tyro
from tyro.conf import OmitArgPrefixes, Positional, arg, subcommand

import bozzetto
from bozzetto.adopt.command import Rig
from bozzetto.motion.command import Animate
from bozzetto.options import BoneNames, Consent, Files, Terms
from bozzetto.prior.command import Imagine
from bozzetto.recipes import RECIPES
from bozzetto.recipes import Digitize as DigitizeRecipe
from bozzetto.recipes import Personalize as PersonalizeRecipe
from bozzetto.studio.command import Reshape, View
from bozzetto.terminal import Report, progress, say, within
from bozzetto.training.command import TrainPrior

if TYPE_CHECKING:
    from numpy import ndarray
    from PIL.Image import Image

    import bozzetto.doctor
    import bozzetto.export.formats
    import bozzetto.export.ledger
    import bozzetto.export.marks
    import bozzetto.export.rights
    import bozzetto.figure.spec
    import bozzetto.recipes
    import bozzetto.render.scene
    import bozzetto.runs
    import bozzetto.subject.words
    import bozzetto.types

FORMATS = ("glb", "vrm", "obj", "ply", "usd", "usdz", "fbx")
STATIC_VRM = "A static mesh has no skeleton, and a VRM must have one. Leave out vrm, or make it without --static."

RecipeType = TypeVar("RecipeType")


@runtime_checkable
class Verb(Protocol):
    """A dataclass of a verb's options; running it returns the exit status."""

    def run(self) -> int: ...


@dataclass(frozen=True)
class Generate(Generic[RecipeType]):
    """Make a 3D human from words: a GLB file with rig and moving face, pictures of it, and a record to repeat it."""

    prompt: Positional[str]
    """Who it is: "an old fisherman with a white beard in a yellow raincoat"."""
    out: Path
    """Folder for the result. If an earlier go was cut short, the same command takes it up again."""
    method: OmitArgPrefixes[RecipeType]
    recipe: str = "draft"
    """The method. draft: a whole figure in seconds. avatarbooth: that figure, refined by a diffusion model."""
    bone_names: BoneNames = "vrm"
    """Whose names the bones carry."""
    files: OmitArgPrefixes[Files] = Files()

    def run(self) -> int:
        from bozzetto.runs import Request
        from bozzetto.types import Subject

        request = Request(self.recipe, as_json(self.method), self.prompt, self.bone_names)
        method = cast("bozzetto.recipes.Recipe", self.method)
        return make(self.out, self.files, self.command(), method, request, Subject(self.prompt))

    def command(self) -> str:
        """What to type to make this run again."""
        words = ["bozzetto", "generate", self.prompt, "--out", str(self.out)]
        words += ["--recipe", self.recipe] if self.recipe != "draft" else []
        words += ["--bone-names", self.bone_names] if self.bone_names != "vrm" else []
        words += options_of(self.method, RECIPES[self.recipe])
        return shlex.join(words + self.files.words())


@dataclass(frozen=True)
class Digitize:
    """Make a 3D human from one photo of a person: the same files as from words, with the photo's own pixels in front.

    Full-length photos are best: of what is not seen, the rest is guessed, and the command says so. Needs the extra
    "photo"."""

    photo: Positional[Path]
    """The photo; the person should be seen from the front, well lit and not tiny."""
    out: Path
    """Folder for the result. If an earlier go was cut short, the same command begins again in it."""
    photos: tuple[Path, ...] = ()
    """More photos of the same person, from other sides and in other poses: they show what the first does not."""
    method: OmitArgPrefixes[DigitizeRecipe] = DigitizeRecipe()
    consent: OmitArgPrefixes[Consent] = Consent()
    bone_names: BoneNames = "vrm"
    """Whose names the bones carry."""
    files: OmitArgPrefixes[Files] = Files()

    def run(self) -> int:
        from bozzetto.runs import Request, sha256
        from bozzetto.subject.piles import hashes
        from bozzetto.types import Subject, UserError

        every, shape = (self.photo, *self.photos), self.method.shape
        photos = hashes(every)
        self.method.check(len(every))
        if shape is not None and not shape.is_file():
            raise UserError(f"There is no file {shape}. Give a mesh of the person in the photo, such as scan.obj.")
        if self.method.static and "vrm" in read_formats(self.files.to, self.bone_names):
            raise UserError(STATIC_VRM)
        fields = {**as_json(self.method), **self.consent.given(self.photo.name)}
        fields |= {} if shape is None else {"shape": shape.name, "shape_sha256": sha256(shape)}
        request = Request("digitize", fields, "", self.bone_names, photos)
        return make(self.out, self.files, self.command(), self.method, request, Subject("", every))

    def command(self) -> str:
        """What to type to make this run again."""
        words = ["bozzetto", "digitize", str(self.photo), "--out", str(self.out), *self.consent.words()]
        words += ["--photos", *map(str, self.photos)] if self.photos else []
        words += options_of(self.method, DigitizeRecipe())
        words += ["--bone-names", self.bone_names] if self.bone_names != "vrm" else []
        return shlex.join(words + self.files.words())


@dataclass(frozen=True)
class Personalize:
    """Make a 3D human from 1 to 20 photos of one person, and words that change them: "in a red dress".

    Whole bodies and heads, from any side, in any light: they are sorted, and two networks learn the person. Needs the
    extra "photo"."""

    photos: Positional[tuple[Path, ...]]
    """Photos of one person; those that cannot be used are named and left out."""
    out: Path
    """Folder for the result. If an earlier go was cut short, the same command takes it up again."""
    method: OmitArgPrefixes[PersonalizeRecipe] = PersonalizeRecipe()
    prompt: str = ""
    """What to change: "in a red dress", "with a brown hat". Without it the person stays as photographed."""
    consent: OmitArgPrefixes[Consent] = Consent()
    bone_names: BoneNames = "vrm"
    """Whose names the bones carry."""
    files: OmitArgPrefixes[Files] = Files()

    def run(self) -> int:
        from bozzetto.recipes.personalize import Kept
        from bozzetto.runs import Request
        from bozzetto.subject.piles import hashes
        from bozzetto.types import Subject

        photos = hashes(self.photos)
        fields = as_json(self.method)
        fields = {**fields.pop("booth"), **fields, **self.consent.given("these photos")}
        request = Request("personalize", fields, self.prompt, self.bone_names, photos)
        folder = self.out / "checkpoints" / f"tuning-{request.digest}"
        method = Kept(self.method, folder)
        return make(self.out, self.files, self.command(), method, request, Subject(self.prompt, self.photos))

    def command(self) -> str:
        """What to type to make this run again."""
        words = ["bozzetto", "personalize", *map(str, self.photos), "--out", str(self.out), *self.consent.words()]
        words += ["--prompt", self.prompt] if self.prompt else []
        words += options_of(self.method, PersonalizeRecipe())
        words += ["--bone-names", self.bone_names] if self.bone_names != "vrm" else []
        return shlex.join(words + self.files.words())


@dataclass(frozen=True)
class Export:
    """Write a figure's files again, in other formats, with other bone names or on other terms."""

    folder: Positional[Path]
    """What "bozzetto generate" or another verb wrote. A draft is built again from its figure.json, which may have been
    edited; every other character is read from its avatar.glb."""
    to: str = "glb"
    """The formats, between commas: glb, vrm, obj, ply, usd, usdz (these two need the extra "usd") and fbx (needs
    Blender)."""
    bone_names: BoneNames = "vrm"
    """Whose names the bones carry; a VRM's have their own."""
    lod: Literal[0, 1, 2, 3] = 0
    """Level of detail: 1, 2 and 3 have a half, a quarter and a tenth of the triangles, rig and expressions kept."""
    max_triangles: int | None = None
    """At most so many triangles, in place of --lod."""
    max_mb: float | None = None
    """Make GLB and VRM files so small, by plainer textures first and fewer triangles then; says what it gave up."""
    atlas: bool = False
    """One mesh with one material in place of layers, for engines that count draw calls; metal turns plain."""
    quantise: bool = False
    """Store the GLB's vertices in 8 and 16 bits (KHR_mesh_quantization): smaller, but some programs cannot read it."""
    webp: bool = False
    """Store textures of GLB and VRM as WebP (EXT_texture_webp): smaller, but some programs cannot read it."""
    blender: Annotated[Path | None, arg(metavar="PROGRAM")] = None
    """The Blender that writes FBX, or a Python that has bpy; without it, one that is found."""
    visemes: Literal["none", "oculus"] = "none"
    """Mouth shapes beside the 52 ARKit expressions: oculus adds the 15 visemes viseme_sil to viseme_U."""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """The file to write; with several formats, each with its own ending. Without it: avatar.BONE-NAMES.glb,
    avatar.vrm, avatar.obj and so on in the folder. OBJ and USD write materials and textures beside it."""
    ledger: bool = False
    """Write ledger.json beside the files: code, data and weights that were used, with their licences."""
    commercial: bool = False
    """Refuse where anything that was used does not allow commercial use."""
    overwrite: bool = False
    """Replace the files if they exist."""
    terms: OmitArgPrefixes[Terms] = Terms()

    def run(self) -> int:
        from bozzetto.types import UserError

        formats = read_formats(self.to, self.bone_names)
        outs = {each: self.place(each) for each in formats}
        spec = read_spec(self.folder)
        if self.ledger:
            outs["ledger"] = next(iter(outs.values())).with_name("ledger.json")
        own = (self.folder / "avatar.glb").resolve()
        for out in outs.values():
            if (self.quantise or self.webp) and out.resolve() == own:
                raise UserError(f"{out} is what other commands read, but not when smaller. Choose another --out.")
            if out.exists() and not self.overwrite:
                raise UserError(f"{out} exists. Choose another --out, or add --overwrite to replace it.")

        from bozzetto.export.formats import write_formats
        from bozzetto.export.ledger import write_ledger
        from bozzetto.runs import Request, read_record, unchanged, versions, written_together

        start = time.perf_counter()
        order = self.order()
        order.check()
        rights = self.terms.rights()
        record = read_record(self.folder)
        request = record.request if record else Request("draft", {}, "")
        edited = not is_built(request) and not unchanged(self.folder, record, "figure.json")
        if edited and "sexual" in rights.permits:
            raise UserError(
                f"{self.folder / 'figure.json'} was edited, so nothing says how old this character is. Leave 'sexual' "
                "out of --permit."
            )
        check_rights(rights, spec, request, self.commercial)
        if self.terms.embed_prompt and not request.prompt:
            raise UserError(f"{self.folder} holds no run.json that says the prompt. Leave out --embed-prompt.")
        marks = marks_of(request, versions(), rights, self.terms)
        avatar = character(self.folder, spec, request)
        if "vrm" in formats and "head" not in avatar.skeleton.names:
            raise UserError(STATIC_VRM)
        inside = [out for out in outs.values() if out.resolve().parent == self.folder.resolve()]
        try:
            for out in outs.values():
                out.parent.mkdir(parents=True, exist_ok=True)
            face = (face_picture(self.folder) or drawn_face(avatar, spec)) if "vrm" in formats else None
            with written_together(self.folder) if inside else nullcontext([]) as written:
                written += [out for out in inside if record and out.name in record.outputs]
                notes = write_formats(avatar, replace(order, marks=marks), face)
                if self.ledger:
                    write_ledger(used_by(request, formats), outs["ledger"])
        except OSError as error:
            place = error.filename or ", ".join(map(str, outs.values()))
            raise UserError(f"Cannot write {place}: {error.strerror or error}. Choose another --out.") from None
        for out in outs.values():
            say(str(out))
        if edited:
            say("figure.json was edited, which changes nothing here: this character is read from avatar.glb.")
        for note in notes:
            say(note)
        say(f"{', '.join(outs[each].name for each in formats)}: {rights.words()}")
        say(f"Done in {time.perf_counter() - start:.1f} s.")
        return 0

    def order(self) -> "bozzetto.export.formats.Order":
        """What is to be written where."""
        from bozzetto.export.formats import Order

        return Order(
            {each: self.place(each) for each in read_formats(self.to, self.bone_names)},
            self.bone_names,
            visemes=self.visemes == "oculus",
            lod=self.lod,
            max_triangles=self.max_triangles,
            max_mb=self.max_mb,
            atlas=self.atlas,
            quantise=self.quantise,
            webp=self.webp,
            blender=self.blender,
            overwrite=self.overwrite,
        )

    def place(self, format: str) -> Path:
        """Where a format is written.

        Raises:
            UserError: That is a folder.
        """
        from bozzetto.types import UserError

        if self.out is not None and (not self.out.name or self.out.is_dir()):
            raise UserError(f"{self.out} is a folder. Give --out the name of a file.")
        if self.out is None:
            level = f".lod{self.lod}" if self.lod else ""
            return self.folder / f"avatar{f'.{self.bone_names}' if format == 'glb' else ''}{level}.{format}"
        if len(read_formats(self.to, self.bone_names)) == 1:
            return self.out
        known = self.out.suffix.lower().removeprefix(".") in (*FORMATS, "usda", "usdc")
        return self.out.with_name(f"{self.out.stem if known else self.out.name}.{format}")


@dataclass(frozen=True)
class Doctor:
    """Check that everything bozzetto needs is here, and say what to do where it is not."""

    prior: str | None = None
    """Check a diffusion prior instead, by what it predicts: embedded, a preset (sd15, sd21), a folder or a hub id."""
    device: str = "cpu"
    """Where the prior is checked: cpu or cuda."""

    def run(self) -> int:
        failed = False
        for check in self.checks():
            say(f"{check.verdict:<4}  {check.name}: {check.found}")
            if check.verdict != "pass":
                say(f"      {check.remedy}")
            failed |= check.verdict == "FAIL"
        return 1 if failed else 0

    def checks(self) -> "Iterator[bozzetto.doctor.Check]":
        if self.prior is None:
            from bozzetto.doctor import examine

            return examine()
        from bozzetto.prior.check import examine as examine_prior

        return examine_prior(self.prior, self.device)


VERBS: dict[str, Any] = {
    "generate": Generate,
    "digitize": Digitize,
    "personalize": Personalize,
    "reshape": Reshape,
    "rig": Rig,
    "view": View,
    "imagine": Imagine,
    "animate": Animate,
    "export": Export,
    "doctor": Doctor,
    "train-prior": TrainPrior,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit status."""
    gc.set_threshold(100_000)  # imports leave many objects: looking for rubbish among them would take half a second
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a prompt may hold what the terminal cannot show
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments in (["--version"], ["-V"]):
        say(f"bozzetto {bozzetto.__version__}")
        return 0
    try:
        verb = parse(arguments or ["--help"])
        return run_verb(verb)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 2
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("Stopped, before anything was written.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the help has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def run_verb(verb: Verb) -> int:
    """The verb's exit status; a mistake of the user's is refused."""
    try:
        return verb.run()
    except (Refused, Interrupted, KeyboardInterrupt):
        raise
    except Exception as error:
        from bozzetto.types import UserError

        if isinstance(error, UserError):
            raise Refused(str(error)) from None
        if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
            raise Refused(
                f"{error.filename or 'A file'}: {error.strerror}. Look at the name, at who may read and write there, "
                "and at the room on the disk."
            ) from None
        raise


class Refused(Exception):
    """One paragraph for standard error; the exit status is 2."""


class Interrupted(Exception):
    """Ctrl-C, after the run folder was begun."""

    def __init__(self, command: str, written: tuple[str, ...]) -> None:
        whole = f"{', '.join(written)} {'is' if len(written) == 1 else 'are'} whole" if written else "Nothing is lost"
        super().__init__(f"Stopped. {whole}. To go on from here:\n  {command}")


def parse(arguments: list[str]) -> Verb:
    """The verb with its options.

    Raises:
        Refused: The arguments name no verb, recipe or option, or give an impossible value.
        SystemExit: Help was asked for and printed.
    """
    kinds = {**VERBS, "generate": Generate[type(RECIPES[recipe_name(arguments)])]}
    verbs: Any = Union[tuple(Annotated[kind, subcommand(name)] for name, kind in kinds.items())]  # noqa: UP007
    errors = io.StringIO()
    try:
        with redirect_stderr(errors):
            return tyro.cli(
                verbs,
                prog="bozzetto",
                description="Words or a photo become a rigged, textured 3D human. (bozzetto --version says which.)",
                args=arguments,
                config=(tyro.conf.FlagCreatePairsOff, tyro.conf.PositionalMetavarFromFieldName),
            )
    except SystemExit as exit:
        if exit.code:
            raise Refused(one_paragraph(errors.getvalue(), arguments)) from None
        raise


def recipe_name(arguments: Sequence[str]) -> str:
    """The recipe that ``--recipe`` names: its fields decide which other options there are."""
    name = "draft"
    for index, argument in enumerate(arguments):
        if argument == "--recipe" and index + 1 < len(arguments):
            name = arguments[index + 1]
        elif argument.startswith("--recipe="):
            name = argument.partition("=")[2]
    if name not in RECIPES:
        raise Refused(f"There is no recipe {name!r}.{nearest(name, RECIPES)} Recipes: {', '.join(RECIPES)}.")
    return name


def one_paragraph(message: str, arguments: Sequence[str]) -> str:
    """Tyro's boxed error as one paragraph, without the box's title and the help of options (rows far to the right)."""
    rows = message.translate({ord("│"): " ", ord("─"): "-"}).splitlines()
    rows = [row for row in rows[len(rows) > 1 :] if not row.startswith(("╰", 10 * " "))]
    sections: list[list[str]] = [[]]
    for words in map(str.split, rows):
        if words and not words[0].strip("-"):  # a rule across the box
            sections.append([])
        else:
            sections[-1] += words
    kept = [
        " ".join(words) for words in sections if words and words[:2] not in (["For", "full"], ["Argument", "helptext:"])
    ]
    text = ". ".join(each.rstrip(".") for each in kept)
    text = re.sub(r"invalid literal for int\(\) with base 10: ('[^']*')", r"\1 is not a whole number", text)
    text = re.sub(r"Error parsing __tyro\S*:", "In the options,", text)
    text = re.sub(r"Missing from bozzetto ([\w-]+): (\S+) (?=--)", r"bozzetto \1 needs \2 and ", text)
    text = re.sub(r"Missing from bozzetto ([\w-]+): ", r"bozzetto \1 needs ", text)
    verb = f" {arguments[0]}" if arguments and arguments[0] in VERBS else ""
    return f"{text}. See: bozzetto{verb} --help"


def nearest(name: str, choices: Sequence[str] | dict[str, Any]) -> str:
    """A suggestion, where one is close."""
    close = difflib.get_close_matches(name.lower(), list(choices), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def read_spec(folder: Path) -> Any:
    """The FigureSpec of a run folder.

    Raises:
        UserError: There is no such folder, or no figure in it that can be read.
    """
    from bozzetto.body.poses import poses
    from bozzetto.figure.spec import from_json
    from bozzetto.recipes.reshape import check_body
    from bozzetto.types import UserError

    path = folder / "figure.json"
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}. Give the folder that 'bozzetto generate' wrote.")
    if not path.is_file():
        raise UserError(f"{folder} holds no figure.json. Give the folder that 'bozzetto generate' wrote.")
    try:
        spec = from_json(path.read_text(encoding="utf-8"))
        check_body(spec.body)
        if spec.pose not in (*poses(), "lying"):
            raise ValueError(f"spec.pose is {spec.pose!r}.{nearest(spec.pose, tuple(poses()))}")
        return spec
    except (ValueError, TypeError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise UserError(f"{path} cannot be read: {error} Generate the figure again, or correct the file.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from None


def read_formats(to: str, bone_names: BoneNames) -> tuple[str, ...]:
    """The formats that were named, each once.

    Raises:
        UserError: There is no such format, or it cannot have such bones.
    """
    from bozzetto.types import UserError

    formats = tuple(dict.fromkeys(word.strip().lower() for word in to.split(",") if word.strip()))
    for name in formats or ("",):
        if name not in FORMATS:
            raise UserError(f"bozzetto cannot write {name!r}.{nearest(name, FORMATS)} It writes: {', '.join(FORMATS)}.")
    if "vrm" in formats and bone_names != "vrm":
        raise UserError(
            "The bones of a VRM file have VRM's names. Leave out --bone-names, or write that file by itself."
        )
    return formats


def priors_of(request: "bozzetto.runs.Request") -> tuple[str, ...]:
    """The diffusion priors that had a hand in a run; none for a recipe that has none."""
    named = (request.fields.get(name) for name in ("prior", "head_prior"))
    return tuple(dict.fromkeys(str(prior) for prior in named if prior not in (None, "none")))


def used_by(
    request: "bozzetto.runs.Request", formats: Sequence[str] = ()
) -> "tuple[bozzetto.export.ledger.Entry, ...]":
    """What a run's character stands on, and what writes it in these formats."""
    from bozzetto.export.ledger import ledger

    fields = request.fields
    named = ("file", "sha256") if request.recipe == "rig" else ("shape", "shape_sha256")
    meshes = {str(fields[named[0]]): str(fields.get(named[1]))} if fields.get(named[0]) else {}
    return ledger(*priors_of(request), photos=request.photos, meshes=meshes, formats=formats)


def check_rights(
    rights: "bozzetto.export.rights.Rights",
    spec: "bozzetto.figure.spec.FigureSpec",
    request: "bozzetto.runs.Request",
    commercial: bool = False,
) -> None:
    """Whether such terms may be given for such a character.

    Raises:
        UserError: It is a child's, or stands on something that allows less.
    """
    from bozzetto.export.ledger import refuse_commercial
    from bozzetto.types import UserError

    if "sexual" in rights.permits and spec.body.age < 18:
        raise UserError("A character under 18 is never permitted in sexual scenes. Leave 'sexual' out of --permit.")
    if commercial or rights.commercial:
        used = used_by(request)
        refuse_commercial(used)
        for entry in used:
            if entry.kind == "mesh":
                say(f"{entry.name}: commercial use {entry.note}, which bozzetto cannot check.")


def marks_of(
    request: "bozzetto.runs.Request",
    versions: Mapping[str, str],
    rights: "bozzetto.export.rights.Rights",
    terms: Terms,
) -> "bozzetto.export.marks.Marks":
    """What the files say of their making."""
    from bozzetto.export.marks import Given, Marks

    seed = request.fields.get("seed")
    prompt = request.prompt if terms.embed_prompt else None
    given = Given("rigged", str(request.fields.get("sha256"))) if request.recipe == "rig" else None
    priors = ", ".join(priors_of(request)) or None
    return Marks(request.recipe, priors, seed, versions, prompt, terms.title, rights, given)


def is_built(request: "bozzetto.runs.Request") -> bool:
    """Whether the run's character is nothing but what its figure.json says, however often it was reshaped."""
    return request.fields.get("origin", request.recipe) == "draft"


def character(
    folder: Path, spec: "bozzetto.figure.spec.FigureSpec", request: "bozzetto.runs.Request"
) -> "bozzetto.types.Avatar":
    """The character of a run: a draft is built again from its figure, with the motions that its file was given since;
    others are read from their file."""
    from bozzetto.export.read import clip_names, read_glb
    from bozzetto.types import UserError

    path = folder / "avatar.glb"
    if not is_built(request):
        return read_glb(path)

    from bozzetto.figure.build import build_figure

    avatar = build_figure(spec).avatar
    with suppress(UserError):  # a file that was edited elsewhere, or is gone: the figure is all that is needed
        if set(clip_names(path)) - {clip.name for clip in avatar.clips}:
            return replace(avatar, clips=read_glb(path).clips)
    return avatar


def face_picture(folder: Path) -> "Image | None":
    """The face in a run's preview; None where there is none, or the figure was edited since."""
    from PIL import Image

    from bozzetto.runs import read_record, unchanged

    record = read_record(folder)
    if not (unchanged(folder, record, "figure.json") and unchanged(folder, record, "preview.png")):
        return None
    with Image.open(folder / "preview.png") as preview:
        return preview.convert("RGB").crop((preview.width - preview.height, 0, preview.width, preview.height))


def drawn_face(avatar: "bozzetto.types.Avatar", spec: "bozzetto.figure.spec.FigureSpec") -> "Image":
    """The face, drawn anew."""
    from PIL import Image

    from bozzetto.render.pictures import portrait

    return Image.fromarray(portrait(*picture_scene(avatar, spec), 768))


def log_step(run: "bozzetto.runs.Run", step: "bozzetto.recipes.Step", began: float) -> None:
    from bozzetto.runs import sha256

    if new := {name: path for name, path in step.weights.items() if name not in run.record.weights}:
        run.note(weights={**run.record.weights, **{name: sha256(path) for name, path in new.items()}})
    seconds = time.perf_counter() - began
    run.log(step.index, step.loss, seconds)
    run.note(seconds={**run.record.seconds, step.stage: round(run.record.seconds.get(step.stage, 0.0) + seconds, 3)})


def write_figure(run: "bozzetto.runs.Run", step: "bozzetto.recipes.Step") -> None:
    """``figure.json``, and in the record how the words were read."""
    from bozzetto.figure.spec import to_json

    reading = step.reading
    run.note(
        understood=lines(reading.understood),
        guessed=lines(reading.guessed),
        not_understood=lines(reading.not_understood),
    )
    if not run.has("figure.json"):
        with run.write("figure.json") as path:
            path.write_text(to_json(reading.spec) + "\n", encoding="utf-8")


def make(
    out: Path,
    files: Files,
    command: str,
    method: "bozzetto.recipes.Recipe",
    request: "bozzetto.runs.Request",
    subject: "bozzetto.types.Subject",
) -> int:
    """Carries a recipe out in a run folder: the record, the first figure, the character, its pictures.

    Args:
        out: The folder.
        files: What is written.
        command: What to type to make this run again.
        method: The recipe.
        request: What the record says was asked.
        subject: Words and photos.
    """
    start = time.perf_counter()
    bone_names = cast(BoneNames, request.bone_names)
    formats = read_formats(files.to, bone_names)
    others = ",".join(name for name in formats if name not in ("glb", "vrm"))
    export = Export(out, others, bone_names, overwrite=files.overwrite, terms=files.terms)
    with progress() as report:
        report("starting", 0.0)
        from bozzetto.recipes import Resumable
        from bozzetto.runs import check_folder, open_run

        check_folder(out, request, files.overwrite)
        if others:
            export.order().check()
        rights = files.terms.rights()
        steps = method.fit(subject)
        report("reading", 0.05)
        began = time.perf_counter()
        step = next(steps)  # words or a photo that say nothing stop here, before anything is written
        say_reading(step.reading)
        check_rights(rights, step.reading.spec, request)
        with open_run(out, request, files.overwrite) as run:
            try:
                log_step(run, step, began)
                write_figure(run, step)
                report("building", 0.07)
                marks = marks_of(request, run.record.versions, rights, files.terms)
                write_seen(run, step)
                if isinstance(method, Resumable) and (kept := run.kept()):
                    steps = method.resume(subject, kept)
                for step in followed(run, steps, report):
                    write_seen(run, step)
                    if step.shown:
                        write_first(run, step, bone_names, marks, report)
                        if not files.no_page:
                            write_page(run, step, marks)
                write_character(run, step, bone_names, marks, report)
                if not files.no_page:
                    write_page(run, step, marks)
                write_pictures(run, step, not files.no_turntable, report)
                if "vrm" in formats:
                    write_humanoid(run, step, marks)
                run.finish()
            except KeyboardInterrupt:
                raise Interrupted(command, tuple(run.record.outputs)) from None
    for name in run.record.outputs:
        say(str(out / name))
    say(str(out / "run.json"))
    if step.doubts:
        say(f"Warning: {'; '.join(step.doubts)}. Look at preview.png before you use it.")
    if "avatar.vrm" in run.record.outputs:
        say(f"avatar.vrm: {rights.words()}")
    say(f"Done in {time.perf_counter() - start:.1f} s.")
    return export.run() if others else 0


def options_of(method: Any, default: Any) -> list[str]:
    """A recipe's fields as options, where they are not the default's; those of a recipe within it too."""
    words: list[str] = []
    for name, value in as_json(method).items():
        option, usual = name.replace("_", "-"), getattr(default, name)
        if is_dataclass(usual):
            words += options_of(getattr(method, name), usual)
        elif value == as_json(default)[name]:
            continue
        elif isinstance(value, bool):
            words += [f"--{option}" if value else f"--no-{option}"]
        else:
            words += [f"--{option}", *map(str, value if isinstance(value, list) else [value])]
    return words


def write_seen(run: "bozzetto.runs.Run", step: "bozzetto.recipes.Step") -> None:
    """The step's own pictures."""
    from PIL import Image

    for name, picture in step.pictures.items():
        with run.write(name) as path:
            Image.fromarray(picture).save(path, format="PNG")


KEEP_EVERY = 20.0
"""Seconds between checkpoints."""


def followed(
    run: "bozzetto.runs.Run", steps: "Iterator[bozzetto.recipes.Step]", report: Report
) -> "Iterator[bozzetto.recipes.Step]":
    """The steps, each logged, and now and then kept so that a stopped run goes on from there."""
    began = kept = time.perf_counter()
    stage = ""
    for step in steps:
        log_step(run, step, began)
        if step.share is not None and (step.stage != stage or sys.stderr.isatty()):
            report(step.stage, 0.07 + 0.13 * step.share)
        if step.state is not None and (step.stage != stage or time.perf_counter() - kept > KEEP_EVERY):
            run.keep(step.state())
            kept = time.perf_counter()
        stage = step.stage
        yield step
        began = time.perf_counter()


def write_first(
    run: "bozzetto.runs.Run",
    step: "bozzetto.recipes.Step",
    bone_names: BoneNames,
    marks: "bozzetto.export.marks.Marks",
    report: Report,
) -> None:
    """The first figure's ``avatar.glb`` and ``preview.png``, so that a run that is stopped leaves a character."""
    if not run.has("avatar.glb"):
        from bozzetto.export.glb import write_glb

        with run.write("avatar.glb") as path:
            write_glb(step.avatar(), path, bone_names=bone_names, marks=marks)
    if not run.record.quality:
        write_pictures(run, step, False, report)


def write_character(
    run: "bozzetto.runs.Run",
    step: "bozzetto.recipes.Step",
    bone_names: BoneNames,
    marks: "bozzetto.export.marks.Marks",
    report: Report,
) -> None:
    """``avatar.glb``: it comes before every picture of it, and takes the place of the first figure's."""
    if run.has("avatar.glb") and run.record.quality:
        return
    report("writing the character", 0.2)
    from bozzetto.export.glb import write_glb

    with run.stage("character"):
        avatar = step.avatar()
    run.forget("preview.png", "turntable.mp4", "avatar.vrm", "index.html")
    with run.write("avatar.glb") as path:
        write_glb(avatar, path, bone_names=bone_names, marks=marks)
    run.note(quality={**count(avatar), **step.quality})


def write_page(run: "bozzetto.runs.Run", step: "bozzetto.recipes.Step", marks: "bozzetto.export.marks.Marks") -> None:
    """``index.html``, with the character that has just been written."""
    if run.has("index.html"):
        return
    from bozzetto.body.poses import BASE
    from bozzetto.studio.page import page, page_settings

    dressed = step.reading.spec.body.age < 18
    settings = page_settings(step.avatar().skeleton.names, BASE, words=marks.prompt, dressed=dressed)
    character = (run.folder / "avatar.glb").read_bytes()
    with run.write("index.html") as path:
        path.write_bytes(page(settings, character))


def write_humanoid(
    run: "bozzetto.runs.Run", step: "bozzetto.recipes.Step", marks: "bozzetto.export.marks.Marks"
) -> None:
    """``avatar.vrm``, with the preview's face on it."""
    if run.has("avatar.vrm"):
        return
    from bozzetto.export.vrm import write_vrm

    avatar = step.avatar()
    if "head" not in avatar.skeleton.names:
        say(f"No avatar.vrm. {STATIC_VRM}")
        return
    face = face_picture(run.folder) or drawn_face(avatar, step.reading.spec)
    with run.write("avatar.vrm") as path:
        write_vrm(avatar, path, marks=marks, thumbnail=face)


def write_pictures(run: "bozzetto.runs.Run", step: "bozzetto.recipes.Step", film: bool, report: Report) -> None:
    """``preview.png`` and ``turntable.mp4``."""
    film = film and can_film()
    if run.has("preview.png") and (not film or run.has("turntable.mp4")):
        return
    report("drawing the preview", 0.23)

    from bozzetto.render.pictures import preview, turntable

    scene, head_box = picture_scene(step.avatar(), step.reading.spec)
    if not run.has("preview.png"):
        picture = preview(scene, head_box, progress=within(report, "drawing the preview", 0.28, 0.42))
        with run.write("preview.png") as path:
            picture.save(path, compress_level=4)
    if film and not run.has("turntable.mp4"):
        report("filming the turntable", 0.42)
        with run.write("turntable.mp4") as path:
            turntable(scene, path, progress=within(report, "filming the turntable", 0.52, 1.0))


def picture_scene(
    avatar: "bozzetto.types.Avatar", spec: "bozzetto.figure.spec.FigureSpec"
) -> "tuple[bozzetto.render.scene.Scene, ndarray]":
    """The character in its spec's pose with its ambient occlusion, and the corners of its head: lowest, highest."""
    import numpy as np

    from bozzetto.figure.build import figure_around, posed, spec_posture
    from bozzetto.figure.ground_truth import placed
    from bozzetto.render.pictures import with_sky
    from bozzetto.render.scene import scene_from_layers

    skeleton = avatar.skeleton
    if "head" not in skeleton.names:  # it stands as it is
        (layer,) = avatar.layers
        still = layer.mesh.vertices.double().numpy()
        low, high = still.min(0), still.max(0)
        return with_sky(scene_from_layers(avatar.layers, [still])), np.stack([[*low[:1], high[1] * 0.86, low[2]], high])
    head = {skeleton.index("head")}
    for joint, parent in enumerate(skeleton.parents):
        if parent in head:
            head.add(joint)
    figure = figure_around(avatar, spec)
    layers = posed(avatar, spec_posture(spec)) if figure is None else placed(figure, spec.pose)[0]
    points = [
        vertices[(np.isin(layer.skin_joints, list(head)) * layer.skin_weights.numpy()).sum(1) > 0.5]
        for layer, vertices in zip(avatar.layers, layers, strict=True)
        if not layer.name.startswith("hair")  # long hair would make the close-up a half-length
    ]
    seen = np.concatenate(points)
    return with_sky(scene_from_layers(avatar.layers, layers)), np.stack([seen.min(0), seen.max(0)]).astype(float)


def can_film() -> bool:
    """Whether there is a program that writes films; says so where there is none."""
    from bozzetto.doctor import ffmpeg

    if ffmpeg():
        return True
    say("No turntable.mp4: it needs ffmpeg. Install it with: pip install 'bozzetto[video]'", aside=True)
    return False


def count(avatar: "bozzetto.types.Avatar") -> dict[str, Any]:
    """How large the character is."""
    expressions = {name for layer in avatar.layers for name in layer.expressions}
    return {
        "layers": [layer.name for layer in avatar.layers],
        "vertices": sum(len(layer.mesh.vertices) for layer in avatar.layers),
        "triangles": sum(len(layer.mesh.faces) for layer in avatar.layers),
        "joints": len(avatar.skeleton.names),
        "expressions": len(expressions),
    }


def say_reading(reading: "bozzetto.subject.words.Reading") -> None:
    """One line each: what the words said, what was left open, what was not understood."""
    for title, items in (("Understood", reading.understood), ("Guessed", reading.guessed)):
        if items:
            say(f"{title}: {', '.join(lines(items))}.")
    if reading.not_understood:
        say(f"Not understood: {', '.join(lines(reading.not_understood))}.")


def lines(items: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in items)


def as_json(recipe: Any) -> dict[str, Any]:
    """A recipe's fields as they come back from a file."""
    return json.loads(json.dumps(asdict(recipe), default=str))
