"""``bozzetto train-prior``: one part after another, in stretches that a kill does not lose."""

import shutil
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from filelock import FileLock, Timeout
from safetensors.torch import load_file
from transformers import CLIPTextModel, CLIPTokenizer

from bozzetto.evaluate.judge import WEIGHTS, Judge
from bozzetto.evaluate.landmarks import Landmarks, export_landmarks, load_landmarks
from bozzetto.files import atomic_path
from bozzetto.kept import folder as cache_folder
from bozzetto.prior.autoencoder import PatchAutoencoder
from bozzetto.prior.load import load
from bozzetto.prior.tune import RESULT
from bozzetto.training.back import SETTINGS, TOKEN, back_error, learn_back
from bozzetto.training.codec import Codec, train_codec
from bozzetto.training.command import EMBEDDED, Part, TrainPrior
from bozzetto.training.control import Control, new_control, train_control, tune
from bozzetto.training.data import Shard, Split, default_folder, make_shards, shards
from bozzetto.training.diffusion import Base, Store, new_unet, scheduler, store, train_base
from bozzetto.training.export import atomic_folder, export_model, export_towers, read_card, write_card
from bozzetto.training.identity import Identity, train_identity
from bozzetto.training.judge import Judging, export_judge, train_judge
from bozzetto.training.landmarks import Measuring, train_landmarks
from bozzetto.training.loop import CHECKPOINT, Pace, Start, Training, seconds_of
from bozzetto.training.reading import Reading, train_text
from bozzetto.training.shape import PEOPLE, PHOTOS, Photos, Shape, make_photos, train_shape
from bozzetto.training.text import train_tokenizer, words
from bozzetto.training.vision import Vision, train_vision
from bozzetto.types import UserError

MEASURED = 20
"""Shards of people that are only measured on."""

ALONE = "together", "decoder"
"""Parts that are trained only when they are named."""


def train_prior(options: TrainPrior, say: Callable[[str], None] = print) -> None:
    """Trains what the options ask for and exports it.

    Raises:
        UserError: A checkpoint is in the way, another training works in the folder, or an earlier part is missing.
    """
    pace = _pace(options)
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        raise UserError("There is no CUDA device here. Leave --device out to train on the processor.")
    if options.threads:
        torch.set_num_threads(options.threads)
    work = options.work or cache_folder() / "prior"
    work.mkdir(parents=True, exist_ok=True)
    parts = (options.part,) if options.part else tuple(part for part in get_args(Part) if part not in ALONE)
    torch.set_flush_denormal(True)  # silent control layers begin with numbers so small that they are slow
    try:
        with FileLock(work / ".lock", timeout=0):
            for part in parts:
                _PARTS[part](options, work, pace, say)
    except Timeout:
        raise UserError(f"Another training works in {work}. Wait for it, or give another --work.") from None
    finally:
        torch.set_flush_denormal(False)


def _pace(options: TrainPrior) -> Pace:
    cool = seconds_of(options.cool) if options.cool else 0.0
    if cool > seconds_of(options.budget):
        raise UserError(f"--cool {options.cool} is longer than the stretch, --budget {options.budget}.")
    return Pace(seconds_of(options.budget), cool_seconds=cool)


def _data(options: TrainPrior, work: Path, pace: Pace, say: Callable[[str], None]) -> None:
    start = time.monotonic()
    for path, have in make_shards(options.data or default_folder(), options.pictures):
        say(f"{path.name}: {have:,} of {options.pictures:,} pictures")
        if time.monotonic() - start > pace.seconds:
            return


def _vae(options: TrainPrior, work: Path, pace: Pace, say: Callable[[str], None]) -> None:
    folder = work / f"vae-{options.size}"
    _check_resume(folder, options)
    recipe = Codec(size=options.size, seed=options.seed)
    found, held = _shards(options, "train"), _shards(options, "held")
    training = train_codec(recipe, found, held, folder, pace, options.device)
    done, quality = _finish(training, say)
    export_model(done.averages["vae"], options.export / "vae")
    _card(options, "vae", (recipe,), done, quality, _counted(found), instead_of=("decoder",))


def _decoder(options: TrainPrior, work: Path, pace: Pace, say: Callable[[str], None]) -> None:
    folder = work / f"decoder-{options.size}"
    _check_resume(folder, options)
    recipe = Codec(size=options.size, seed=options.seed)
    found, held = _shards(options, "train"), _shards(options, "held")
    exported = exported_vae(options.export, options.device)
    before = _before(options, "decoder", say) if "decoder" in read_card(options.export) else (0, 0.0)
    training = train_codec(recipe, found, held, folder, pace, options.device, exported, *before)
    done, quality = _finish(training, say)
    export_model(done.averages["vae"], options.export / "vae")
    _card(options, "decoder", (recipe,), done, quality, _counted(found))


def _text(options: TrainPrior, work: Path, pace: Pace, say: Callable[[str], None]) -> None:
    folder = work / "text"
    _check_resume(folder, options)
    recipe = Reading(seed=options.seed)
    training = train_text(recipe, _tokenizer(options.export), folder, pace, options.device)
    done, quality = _finish(training, say)
    export_model(done.averages["reader"].text_encoder, options.export / "text_encoder")  # type: ignore[arg-type]
    _card(options, "text", (recipe,), done, quality, _counted([]))


def _base(options: TrainPrior, work: Path, pace: Pace, say: Callable[[str], None]) -> None:
    folder = work / f"base-{options.size}"
    _check_resume(folder, options)
    text, tokenizer = _exported_text(options.export), _tokenizer(options.export)
    start, before = None, (0, 0.0)
    if options.resume and not (folder / CHECKPOINT).exists() and _has(options.export, "unet"):
        start, before = _exported_unet(options, text), _before(options, "base", say)
    vae, found, data, held = _learnt(options, work, say)
    recipe = Base(size=options.size, seed=options.seed)
    training = train_base(recipe, vae, tokenizer, text, data, held, folder, pace, options.device, start, *before)
    done, quality = _finish(training, say)
    scheduler().save_pretrained(options.export / "scheduler")
    export_model(done.averages["unet"], options.export / "unet")
    _card(options, "base", (recipe,), done, quality, _counted(found), instead_of=("control", "together"))


def _together(options: TrainPrior, work: Path, pace: Pace, say: Callable[[str], None]) -> None:
    _control(options, work, pace, say, together=True)


def _control(options: TrainPrior, work: Path, pace: Pace, say: Callable[[str], None], together: bool = False) -> None:
    part: Part = "together" if together else "control"
    folder = work / f"{part}-{options.size}"
    _check_resume(folder, options)
    if together:
        recipe = Control(seed=options.seed, together=True)
    elif "together" in read_card(options.export):
        recipe = tune(options.seed)
    else:
        recipe = Control(seed=options.seed, learning_rate=5e-4)
    tokenizer, text = _tokenizer(options.export), _exported_text(options.export)
    go_on = options.resume and not (folder / CHECKPOINT).exists()
    if together and not (go_on and _has(options.export, "unet")):
        unet = _new_unet(options, text)  # to learn from nothing, or to take the checkpoint's weights
    else:
        unet = _exported_unet(options, text)
    start, before = None, (0, 0.0)
    if go_on and _has(options.export, "controlnet"):
        start, before = new_control(unet, recipe), _before(options, part, say)
        _fill(start, ControlNetModel, options.export / "controlnet", "control")
    vae, found, data, held = _learnt(options, work, say)
    base = {"unet": unet, "text_encoder": text}
    training = train_control(recipe, vae, tokenizer, base, data, held, folder, pace, options.device, start, *before)
    done, quality = _finish(training, say)
    for name, network in done.averages.items():
        export_model(network, options.export / name)
    if together:
        scheduler().save_pretrained(options.export / "scheduler")
    recipes = (Base(size=options.size, seed=options.seed), recipe) if together else (recipe,)
    _card(options, part, recipes, done, quality, _counted(found), instead_of=("base", "control") if together else ())


def _vision(options: TrainPrior, work: Path, pace: Pace, say: Callable[[str], None]) -> None:
    folder = work / f"vision-{options.size}"
    _check_resume(folder, options)
    recipe = Vision(seed=options.seed)
    text = _exported_text(options.export)
    _, found, data, held = _learnt(options, work, say)
    tokenizer = _tokenizer(options.export)
    exported = options.export / "vision_encoder"
    towers = {"vision.": exported, "words.": exported / "text_projection"}
    start = _start(options, folder, "vision", "towers", towers, say)
    training = train_vision(recipe, text, tokenizer, data, held, folder, pace, options.device, start)
    done, quality = _finish(training, say)
    export_towers(done.averages["towers"], options.export / "vision_encoder")
    _card(options, "vision", (recipe,), done, quality, _counted(found))


def _identity(options: TrainPrior, work: Path, pace: Pace, say: Callable[[str], None]) -> None:
    folder = work / f"identity-{options.size}"
    _check_resume(folder, options)
    recipe = Identity(options.size, seed=options.seed + 500)
    found, held = _shards(options, "train"), _shards(options, "held")
    start = _start(options, folder, "identity", "identity", {"": options.export / "identity"}, say)
    done, quality = _finish(train_identity(recipe, found, held, folder, pace, start), say)
    export_model(done.averages["identity"], options.export / "identity")
    _card(replace(options, seed=recipe.seed), "identity", (recipe,), done, quality, _counted(found))


def _photos(options: TrainPrior, work: Path, pace: Pace, say: Callable[[str], None]) -> None:
    start = time.monotonic()
    for path, have in make_photos((options.data or default_folder()) / PHOTOS, options.pictures):
        say(f"{path.name}: {have:,} of {options.pictures:,} photos")
        if time.monotonic() - start > pace.seconds:
            return


def _shape(options: TrainPrior, work: Path, pace: Pace, say: Callable[[str], None]) -> None:
    folder, recipe = work / "shape", Shape(seed=Shape.seed + options.seed)
    _check_resume(folder, options)
    data = (options.data or default_folder()) / PHOTOS
    found, held = (sorted(data.glob(f"{split}-*.safetensors")) for split in ("train", "held"))
    if not found or not held:
        raise UserError(
            f"{data} holds too few photos to learn from and to measure on. Make at least 2,400: bozzetto train-prior "
            "--part photos --pictures 2400"
        )
    own = Photos(found)
    start = _start(options, folder, "shape", "shape", {"": options.export / "shape"}, say)
    done, quality = _finish(train_shape(recipe, own, Photos(held), folder, pace, start), say)
    export_model(done.averages["shape"], options.export / "shape")
    counts = {"pictures": len(own.places), "people": PEOPLE * len(found)}
    _card(replace(options, seed=recipe.seed), "shape", (recipe,), done, quality, counts)


def _back(options: TrainPrior, work: Path, pace: Pace, say: Callable[[str], None]) -> None:
    folder, start = work / f"back-{options.size}", time.monotonic()
    if not options.resume:
        shutil.rmtree(folder, ignore_errors=True)
    found, held = _shards(options, "train"), _shards(options, "held")
    prior = load(options.export, options.device, roles={"back": ""})
    ordinary = back_error(prior, held, "back view")
    for step in learn_back(prior, found, folder):
        if step.index % 50 == 0:
            say(f"step {step.index}, loss {step.loss:.4f}")
        if time.monotonic() - start > pace.seconds:
            say("Out of time. Go on with --resume.")
            return
    quality = {"held_error_word": round(back_error(prior, held, TOKEN), 4), "held_error_said": round(ordinary, 4)}
    say(str(quality))
    (options.export / "tokens").mkdir(exist_ok=True)
    with atomic_path(options.export / "tokens" / "back.safetensors") as path:
        shutil.copyfile(folder / RESULT, path)
    hours = round((time.monotonic() - start) / 3600, 3)
    seen = SETTINGS.steps * SETTINGS.batch
    write_card(options.export, "back", samples=seen, hours=hours, seed=SETTINGS.seed, recipe=asdict(SETTINGS), data={},
               quality=quality)  # fmt: skip


def _of_the_judge(options: TrainPrior) -> TrainPrior:
    """The same, with the folder of what judges in place of the prior's."""
    return replace(options, export=WEIGHTS if options.export == EMBEDDED else options.export / "judge")


def _judge(options: TrainPrior, work: Path, pace: Pace, say: Callable[[str], None]) -> None:
    folder = work / "judge"
    _check_resume(folder, options)
    recipe = Judging(seed=options.seed + 1_000)
    found, held = _shards(options, "judge"), _shards(options, "held")
    options = _of_the_judge(options)
    start = _start(options, folder, "judge", "judge", {"": options.export}, say)
    done, quality = _finish(train_judge(recipe, found, held, folder, pace, start), say)
    judge = done.averages["judge"]
    assert isinstance(judge, Judge)
    export_judge(judge, options.export)
    _card(replace(options, seed=recipe.seed), "judge", (recipe,), done, quality, _counted(found))


def _landmarks(options: TrainPrior, work: Path, pace: Pace, say: Callable[[str], None]) -> None:
    folder = work / "landmarks"
    _check_resume(folder, options)
    recipe = Measuring(seed=options.seed + 2_000)
    found, held = _shards(options, "judge"), _shards(options, "held")
    options = _of_the_judge(options)
    start = None
    if options.resume and not (folder / CHECKPOINT).exists() and (options.export / "landmarks").exists():
        start = Start(
            {"landmarks": load_landmarks(options.export / "landmarks").state_dict()},
            *_before(options, "landmarks", say),
        )
    done, quality = _finish(train_landmarks(recipe, found, held, folder, pace, start), say)
    ruler = done.averages["landmarks"]
    assert isinstance(ruler, Landmarks)
    export_landmarks(ruler, options.export / "landmarks")
    _card(replace(options, seed=recipe.seed), "landmarks", (recipe,), done, quality, _counted(found))


_PARTS: dict[Part, Callable[[TrainPrior, Path, Pace, Callable[[str], None]], None]] = {
    "data": _data,
    "text": _text,
    "vae": _vae,
    "decoder": _decoder,
    "base": _base,
    "control": _control,
    "together": _together,
    "vision": _vision,
    "identity": _identity,
    "photos": _photos,
    "shape": _shape,
    "back": _back,
    "judge": _judge,
    "landmarks": _landmarks,
}


def _learnt(
    options: TrainPrior, work: Path, say: Callable[[str], None]
) -> tuple[PatchAutoencoder, list[Shard], Store, Store]:
    """The autoencoder, and the pictures to learn from and to measure on with their latents."""
    vae = exported_vae(options.export, options.device)
    found, held = _shards(options, "train"), _shards(options, "held")
    data = store(found, vae, options.size, work / "latents")
    tests = store(held[:MEASURED], vae, options.size, work / "latents")
    say(f"{len(data):,} pictures to learn from, {len(tests):,} to measure on")
    return vae, found, data, tests


def _check_resume(folder: Path, options: TrainPrior) -> None:
    if (folder / CHECKPOINT).exists() and not options.resume:
        raise UserError(
            f"{folder} holds a checkpoint of an earlier stretch. Add --resume to go on from it, or move it away."
        )


def _shards(options: TrainPrior, split: Split) -> list[Shard]:
    folder = options.data or default_folder()
    found = shards(folder, split)
    if not found:
        raise UserError(
            f"There are no pictures to learn from in {folder}. Make them with: bozzetto train-prior --part data"
        )
    return found


def _finish(
    rows: Generator[dict[str, float], None, Training], say: Callable[[str], None]
) -> tuple[Training, dict[str, float]]:
    """Runs the training to its end; what it measured last."""
    quality: dict[str, float] = {}
    while True:
        try:
            row = next(rows)
        except StopIteration as end:
            return end.value, quality
        say(", ".join(f"{name} {value:.5g}" for name, value in row.items()))
        quality |= {name: round(value, 4) for name, value in row.items() if name.startswith("held")}


def _counted(found: Sequence[Shard]) -> dict[str, int]:
    return {"pictures": sum(len(shard.records) for shard in found), "people": sum(len(s.people) for s in found)}


def _card(
    options: TrainPrior,
    part: str,
    recipes: Sequence[Any],
    done: Training,
    quality: dict[str, float],
    data: dict[str, int],
    instead_of: Sequence[str] = (),
) -> None:
    """Notes what was trained.

    Args:
        recipes: How; what a later one says holds.
        data: Pictures and people that were learned from.
        instead_of: Parts whose weights these take the place of.
    """
    write_card(
        options.export,
        part,
        instead_of=instead_of,
        samples=done.samples,
        hours=round(done.seconds / 3600, 3),
        seed=options.seed,
        recipe={name: value for each in recipes for name, value in asdict(each).items()},
        data=data,
        quality=quality,
    )


def exported_vae(export: Path, device: str) -> PatchAutoencoder:
    """The finished autoencoder.

    Raises:
        UserError: There is none.
    """
    if not (export / "vae" / "config.json").exists():
        raise UserError("The autoencoder comes first. Make it with: bozzetto train-prior --part vae")
    try:
        vae = PatchAutoencoder.from_pretrained(export / "vae", torch_dtype=torch.float32, low_cpu_mem_usage=False)
    except (TypeError, RuntimeError, ValueError):
        raise UserError(
            f"The autoencoder in {export / 'vae'} is of another architecture than this version trains. "
            "Make it anew with: bozzetto train-prior --part vae"
        ) from None
    torch.nn.Module.to(vae, device)
    return vae.eval().requires_grad_(False)


def _tokenizer(export: Path) -> CLIPTokenizer:
    """The exported tokenizer; the first training makes it."""
    folder = export / "tokenizer"
    if not folder.exists():
        tokenizer = train_tokenizer()
        with atomic_folder(folder) as partial:
            tokenizer.save_pretrained(partial)
            (partial / "words.txt").write_text("\n".join(words()) + "\n", encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder)


def _has(export: Path, name: str) -> bool:
    return (export / name / "config.json").exists()


def _start(
    options: TrainPrior,
    folder: Path,
    part: Part,
    name: str,
    exported: Mapping[str, Path],
    say: Callable[[str], None],
) -> Start | None:
    """The exported weights of a network, to go on from where that is asked for and there is no checkpoint.

    Args:
        options: What was asked for.
        folder: Of the checkpoint.
        part: Whose entry in the card tells what they have seen.
        name: Of the network in training.
        exported: Folders of its weights, by what their names begin with there.
        say: Told.
    """
    files = {prefix: sorted(where.glob("*.safetensors")) for prefix, where in exported.items()}
    if not options.resume or (folder / CHECKPOINT).exists() or not all(files.values()):
        return None
    weights = {
        prefix + key: tensor
        for prefix, found in files.items()
        for file in found
        for key, tensor in load_file(file).items()
    }
    return Start({name: weights}, *_before(options, part, say))


def _before(options: TrainPrior, part: Part, say: Callable[[str], None]) -> tuple[int, float]:
    """Pictures that the exported weights have seen, and the seconds that took."""
    card = read_card(options.export)
    entry = card.get(part, card.get("together", {}))
    seen = entry.get("samples", 0)
    say(f"Going on from the exported weights, which have seen {seen:,} pictures.")
    return seen, 3600 * entry.get("hours", 0.0)


def _new_unet(options: TrainPrior, text: CLIPTextModel) -> UNet2DConditionModel:
    vae = exported_vae(options.export, "cpu")
    return new_unet(Base(size=options.size, seed=options.seed), vae.config.latent_channels, text.config.hidden_size)  # type: ignore[attr-defined]


def _exported_unet(options: TrainPrior, text: CLIPTextModel) -> UNet2DConditionModel:
    """The finished U-Net.

    Raises:
        UserError: There is none, or one of another architecture.
    """
    if not _has(options.export, "unet"):
        raise UserError("The U-Net comes first. Make it with: bozzetto train-prior --part base")
    unet = _new_unet(options, text)
    _fill(unet, UNet2DConditionModel, options.export / "unet", "base")
    return unet


def _fill(network: torch.nn.Module, kind: Any, exported: Path, part: Part) -> None:
    """Gives a network the exported weights.

    Raises:
        UserError: They are of another architecture.
    """
    found = kind.from_pretrained(exported, torch_dtype=torch.float32).state_dict()
    wanted = network.state_dict()
    if {key: value.shape for key, value in found.items()} != {key: value.shape for key, value in wanted.items()}:
        raise UserError(
            f"The network in {exported} is of another architecture than this version trains. "
            f"Make it anew, without --resume: bozzetto train-prior --part {part}"
        )
    network.load_state_dict(found)


def _exported_text(export: Path) -> CLIPTextModel:
    """The finished text encoder.

    Raises:
        UserError: There is none.
    """
    if not (export / "text_encoder" / "config.json").exists():
        raise UserError("The text encoder comes first. Make it with: bozzetto train-prior --part text")
    return CLIPTextModel.from_pretrained(export / "text_encoder", dtype=torch.float32)
