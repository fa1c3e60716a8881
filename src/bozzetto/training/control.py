"""Training the control network: a copy of the U-Net's encoder that is shown pictures; the U-Net itself stays, or, where
there is too little time for one after the other, both learn together.

One network for every kind of picture and any subset of them (Zhang et al. 2023, arXiv:2302.05543, with the kinds side
by side as channels). Pictures to edit are one of the kinds: their samples' words are an instruction, and what should
come out is the same person in the same pose and light with one thing changed.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPTokenizer

from bozzetto.prior.autoencoder import PatchAutoencoder
from bozzetto.prior.denoiser import CONTROLS, Conditions, Prior, Roles
from bozzetto.prior.sample import Guidance, imagine
from bozzetto.training.diffusion import (
    PREVIEW,
    Known,
    Store,
    as_prior,
    base_loss,
    batch_of,
    captions_of,
    evened,
    schedule,
    times,
)
from bozzetto.training.loop import Pace, Training, draws, normal_noise, quick, train
from bozzetto.training.optimizer import Muon
from bozzetto.training.sheets import save_sheet
from bozzetto.training.text import tokens


@dataclass(frozen=True)
class Control:
    """The control network's recipe."""

    embedding: tuple[int, ...] = (16, 48, 96)
    """Channels of the layers that make the pictures as small as the latents."""
    single: float = 0.5
    """Share of samples that are shown one kind and nothing else."""
    shown: float = 0.5
    """Share of the others that are shown each kind."""
    edits: float = 0.3
    """Share of samples that edit a picture, every sort of edit equally often: other colours are easy to learn and in
    half of the pairs, another hairstyle or hat takes many."""
    batch: int = 48
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    without_text: float = 0.1
    other_colours: float = 0.7
    """Share of samples, edits aside, whose clothes and hair take other colours, where they can."""
    covered: float = 4.0
    """How many times as often as others a body is drawn, edits aside, of whose top a coat shows but a little."""
    faces: float = 1.0
    """How many times as often as others a head is drawn whose face is seen, edits aside."""
    lines: float = 3.0
    """How much more than elsewhere the loss counts where face landmarks that are shown have lines."""
    snr_limit: float = 5.0
    evened: float = 0.5
    """How far the loss is taken from large things to small ones, 0 to 1: see ``diffusion.evened``."""
    together: bool = False
    """Whether the U-Net learns along. A control tells where things are, which leaves less to learn
    from each picture; so that the U-Net can also do without, some samples are shown nothing."""
    alone: float = 0.2
    """Share of samples without the control network, when together."""
    inpainted: float = 0.25
    """Share of samples that are partly known."""
    tire_samples: int = 100_000
    """From here on the learning rate falls with the square root of the pictures seen."""
    seed: int = 0


def tune(seed: int = 0) -> Control:
    """The control network alone, after it learned together with the U-Net: faces want more than their turn."""
    return Control(edits=0.15, faces=8.0, seed=seed)


SINGLE = {
    "body": {"normal": 0.5, "pose": 0.3, "silhouette": 0.2},
    "head": {"landmarks": 0.5, "normal": 0.3, "silhouette": 0.1, "pose": 0.1},
}
"""What a picture that is shown one kind is shown, by its crop. A body's face is a few pixels: nothing to draw."""


def visible_edits(data: Store, least: float = 1.0) -> Int[ndarray, "n"]:
    """Pictures whose source differs from them to the eye, by ``least`` of 255 in the mean."""
    found = []
    for index, record in enumerate(data.records):
        if "source" in record:
            before = data.pictures[_source(data, index)].astype(np.int16)
            if np.abs(before - data.pictures[index]).mean() >= least:
                found.append(index)
    return np.array(found, np.int64)


def evenly(data: Store, edits: Int[ndarray, "n"]) -> Float[ndarray, "n"]:
    """How likely each edit is drawn so that all sorts (colour, kind, style, extras, look, expression) come up alike."""
    sorts = []
    for index in edits:
        shard, _ = data.shards[index]
        before = data.records[_source(data, int(index))]["person"]
        sorts.append(_changed(shard.specs[before], shard.specs[data.records[index]["person"]]))
    _, which, counts = np.unique(sorts, return_inverse=True, return_counts=True)
    return 1 / (len(counts) * counts[which])


def covered(data: Store, few: int = 20, many: int = 200) -> Bool[ndarray, "n"]:
    """The pictures of bodies under whose coats so many pixels of the top can be seen.

    Two colours are said and the one has hardly a place: there the coat's is easily painted twice.
    """
    found = np.zeros(len(data), bool)
    for index, record in enumerate(data.records):
        worn = data.shards[index][0].people[record["person"]]["layers"]
        if record["crop"] == "body" and "outer" in worn and "top" in worn:
            found[index] = few <= (data.layers[index] == worn.index("top") + 1).sum() <= many
    return found


def facing(data: Store) -> Bool[ndarray, "n"]:
    """The pictures of heads that have face landmarks."""
    seen = {id(shard): np.all(np.isfinite(shard["contours"]), axis=(1, 2)) for shard, _ in data.shards}
    heads = np.array([record["crop"] == "head" for record in data.records])
    return heads & np.array([seen[id(shard)][place] for shard, place in data.shards])


def where_lines(pictures: Float[Tensor, "b k s s"], places: int) -> Float[Tensor, "b 1 y x"]:
    """1 at those of ``places`` by ``places`` latents through which face landmarks go, 0 elsewhere."""
    first = 3 * CONTROLS.index("landmarks")
    drawn = pictures[:, first : first + 3].amax(1, keepdim=True)
    return (F.adaptive_max_pool2d(drawn, places) > 0).float()


def _changed(before: Any, after: Any) -> str:
    """The name of the innermost field in which two specs differ."""
    for field in fields(before):
        one, other = getattr(before, field.name), getattr(after, field.name)
        if one != other:
            return _changed(one, other) if is_dataclass(one) and is_dataclass(other) else field.name
    return "nothing"


def _source(data: Store, index: int) -> int:
    """Where the picture is that this one is an edit of."""
    return index - data.shards[index][1] + int(data.records[index]["source"])


def control_pictures(
    data: Store, indices: Int[ndarray, "b"], edited: int, single: float, shown: float, rng: np.random.Generator
) -> Float[Tensor, "b k s s"]:
    """Subsets of the control pictures in the order of ``CONTROLS``, zeros for what is absent.

    Args:
        data: Where the pictures are.
        indices: Which.
        edited: So many of the first are shown the picture they are an edit of.
        single: The probability that another is shown one kind alone.
        shown: The probability of each kind, otherwise.
        rng: Draws the subsets.
    """
    size = data.pictures.shape[1]
    out = np.zeros((len(indices), len(CONTROLS), size, size, 3), np.float32)
    for row, index in enumerate(indices):
        if row >= edited and rng.random() < single:
            chances = SINGLE[data.records[index]["crop"]]
            kinds = [str(rng.choice(list(chances), p=list(chances.values())))]
        else:
            share = shown if row >= edited else 0.1
            kinds = [name for name in CONTROLS if name != "source" and rng.random() < share]
        if row < edited:
            out[row, CONTROLS.index("source")] = data.pictures[_source(data, int(index))] / np.float32(255)
        shard, place = data.shards[index]
        for name, picture in shard.controls(place, kinds, size).items():
            out[row, CONTROLS.index(name)] = picture / np.float32(255)
    return torch.from_numpy(out).permute(0, 1, 4, 2, 3).reshape(len(indices), -1, size, size)


def new_control(unet: nn.Module, recipe: Control) -> ControlNetModel:
    """The U-Net's encoder, shown five pictures, saying nothing yet.

    The layers that make the pictures small begin with weights that keep a signal's size, the last one included: as
    they come they shrink it ten-thousandfold, and learning to obey takes thousands of steps. What keeps the network
    silent at first are the zero layers behind it.
    """
    torch.manual_seed(recipe.seed + 2)
    control = ControlNetModel.from_unet(
        unet,  # type: ignore[arg-type]
        conditioning_channels=3 * len(CONTROLS),
        conditioning_embedding_out_channels=recipe.embedding,
    )
    awaken(control)
    return control


def awaken(control: ControlNetModel) -> None:
    """Gives the layers that make the pictures small their first weights."""
    for layer in control.controlnet_cond_embedding.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            with torch.no_grad():
                layer.weight *= 1.2  # SiLU lets through a little less than ReLU
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


def train_control(
    recipe: Control,
    vae: PatchAutoencoder,
    tokenizer: CLIPTokenizer,
    base: Mapping[str, nn.Module],
    data: Store,
    held: Store,
    folder: Path,
    pace: Pace,
    device: str = "cpu",
    start: nn.Module | None = None,
    seen: int = 0,
    seconds: float = 0.0,
) -> Generator[dict[str, float], None, Training]:
    """Trains until the pace says stop.

    Args:
        recipe: Sizes and rates.
        vae: Trained, on ``device``.
        tokenizer: Of the captions.
        base: ``unet`` and ``text_encoder``, both trained; they stay as they are, but for the U-Net of a recipe that
            says together, which learns along and may be new.
        data: Pictures to learn from.
        held: Pictures to measure on.
        folder: Of checkpoint, log and sheets.
        pace: When to stop and to write.
        device: Where the networks live.
        start: Weights to begin with where there is no checkpoint.
        seen: Pictures they have seen.
        seconds: What that took.
    """
    unet, text = (nn.Module.to(base[name], device).eval() for name in ("unet", "text_encoder"))
    unet.train(recipe.together).requires_grad_(recipe.together)
    text.requires_grad_(False)
    control = new_control(unet, recipe)
    if start is not None:
        control.load_state_dict({key: value.float() for key, value in start.state_dict().items()})
    nn.Module.to(control, device).train()
    learning: dict[str, nn.Module] = {"controlnet": control}
    if recipe.together:
        learning["unet"] = unet
    optimizer = Muon(learning.values(), recipe.learning_rate)
    training = Training(folder, learning, optimizer, samples=seen, seconds=seconds)
    training.load()
    known, levels, edits = Known(vae, data.pictures.shape[1]), schedule(), visible_edits(data)
    chances = evenly(data, edits)
    often = np.where(covered(data), recipe.covered, 1.0) * np.where(facing(data), recipe.faces, 1.0)
    often /= often.sum()

    def one_step(step: int) -> tuple[int, dict[str, float]]:
        rate = training.set_rate(recipe.learning_rate, recipe.warmup_steps, recipe.tire_samples)
        rng = draws(recipe.seed, 17, training.samples)
        edited = int(rng.binomial(recipe.batch, recipe.edits)) if len(edits) else 0
        indices = rng.choice(len(data), recipe.batch, p=often)
        if edited:
            indices[:edited] = rng.choice(edits, edited, p=chances)
        batch = batch_of(data, indices, vae, recipe.other_colours, rng, keep=edited)
        ids = captions_of(batch.records, tokenizer, recipe.without_text, rng)
        if edited:
            orders = [str(rng.choice(data.records[index]["instructions"])) for index in indices[:edited]]
            told = rng.random(edited) >= 0.25  # the others are given a caption of what should come out
            ids[:edited][torch.from_numpy(told)] = torch.from_numpy(tokens(tokenizer, orders))[torch.from_numpy(told)]
        alone = int(recipe.alone * recipe.batch) if recipe.together else 0
        pictures = control_pictures(data, indices[: recipe.batch - alone], edited, recipe.single, recipe.shown, rng).to(
            device
        )
        channels = known(batch, recipe.inpainted, rng)
        latents = batch.latents.to(device)
        noise = normal_noise(tuple(latents.shape), recipe.seed, 17, training.samples, 1).to(device)
        steps = times(recipe.batch, levels.steps, rng)
        steps[:edited] = levels.steps - 1 - (levels.steps - 1 - steps[:edited]).square() // levels.steps
        steps = steps.to(device)  # an edit's are mostly high: what is not decided there is copied from the source
        with torch.no_grad():
            words = text(ids.to(device)).last_hidden_state
        places = evened(batch.layers, latents.shape[-1], recipe.evened).to(device)
        places[: len(pictures)] *= 1 + recipe.lines * where_lines(pictures, latents.shape[-1])
        places /= places.mean((1, 2, 3), keepdim=True)
        with quick(device):
            loss, error = _loss(
                unet, control, latents, channels, words, steps, noise, pictures, recipe.snr_limit, places
            )
        loss.backward()
        return recipe.batch, {"loss": float(loss.detach()), "error": float(error.mean()), "rate": rate}

    def look() -> dict[str, float]:
        mean, networks = training.averages["controlnet"], {**base, **training.averages}
        found = {
            f"held_error_{name}": controlled_error(mean, networks, vae, tokenizer, held, name, device)
            for name in ("nothing", "pose", "normal", "silhouette")
        }
        save_sheet(_sheet(mean, networks, vae, tokenizer, held), folder / f"controls-{training.samples:08d}.png", 8, 3)
        return found

    yield from train(training, one_step, pace, look)
    return training


def _loss(
    unet: nn.Module,
    control: nn.Module,
    latents: Float[Tensor, "b c y x"],
    known: Float[Tensor, "b k y x"],
    words: Float[Tensor, "b n d"],
    steps: Int[Tensor, "b"],
    noise: Float[Tensor, "b c y x"],
    pictures: Float[Tensor, "shown p s s"],
    limit: float,
    places: Float[Tensor, "b 1 y x"] | float = 1.0,
) -> tuple[Float[Tensor, ""], Float[Tensor, "b"]]:
    """The U-Net's loss under control; where there are fewer pictures than samples, the last ones go without."""
    levels = schedule()
    assert levels.signal_power is not None
    power = levels.signal_power.to(latents.device)[steps].view(-1, 1, 1, 1)
    seen = torch.cat([power.sqrt() * latents + (1 - power).sqrt() * noise, known], 1)
    count = len(pictures)
    if not count:
        return base_loss(unet, latents, known, words, steps, noise, levels, limit, places)
    down, middle = control(
        seen[:count], steps[:count], encoder_hidden_states=words[:count], controlnet_cond=pictures, return_dict=False
    )
    rest = (0, 0, 0, 0, 0, 0, 0, len(seen) - count)
    return base_loss(
        unet, latents, known, words, steps, noise, levels, limit, places,
        down_block_additional_residuals=[F.pad(each, rest) for each in down],
        mid_block_additional_residual=F.pad(middle, rest),
    )  # fmt: skip


@torch.no_grad()
def controlled_error(
    control: nn.Module,
    base: Mapping[str, nn.Module],
    vae: PatchAutoencoder,
    tokenizer: CLIPTokenizer,
    held: Store,
    kind: str,
    device: str,
    count: int = 128,
) -> float:
    """Squared error of v on people never trained on, shown one kind of picture; "nothing": without the network."""
    picks = np.linspace(0, len(held) - 1, min(count, len(held))).astype(int)
    rng = draws(98, 0)
    batch = batch_of(held, picks, vae)
    ids = captions_of(batch.records, tokenizer, 0.0, rng).to(device)
    channels, latents = Known(vae, held.pictures.shape[1])(batch, 0.0, rng), batch.latents.to(device)
    noise = normal_noise(tuple(latents.shape), 98, 0, 1).to(device)
    steps = times(len(picks), schedule().steps, rng).to(device)
    words = base["text_encoder"](ids).last_hidden_state
    pictures = _only(held, picks, kind).to(device)
    return float(_loss(base["unet"], control, latents, channels, words, steps, noise, pictures, 5.0)[1].mean())


def _only(data: Store, indices: Int[ndarray, "b"], kind: str) -> Float[Tensor, "b k s s"]:
    size = data.pictures.shape[1]
    out = torch.zeros(0 if kind == "nothing" else len(indices), 3 * len(CONTROLS), size, size)
    for row, index in enumerate(indices[: len(out)]):
        first = 3 * CONTROLS.index(kind)
        shard, place = data.shards[index]
        picture = torch.from_numpy(shard.controls(place, (kind,), size)[kind]).float() / 255
        out[row, first : first + 3] = picture.movedim(-1, 0)
    return out


def _sheet(
    control: nn.Module,
    base: Mapping[str, nn.Module],
    vae: PatchAutoencoder,
    tokenizer: CLIPTokenizer,
    held: Store,
) -> Float[Tensor, "n 3 h w"]:
    """Truth, control and result for eight people: normals, then poses."""
    plain = as_prior(vae, base, tokenizer)
    loaders = {f"control/{name}": lambda: control.eval() for name in CONTROLS}
    prior = Prior("training", vae, plain.base, plain.text, Roles(loaders))
    picks = np.linspace(0, len(held) - 1, len(PREVIEW)).astype(int)
    prompts = [held.records[index]["captions"][0] for index in picks]
    truth = torch.from_numpy(held.pictures[picks]).float().movedim(-1, 1) / 255
    rows = [truth]
    for kind in ("normal", "pose"):
        first = 3 * CONTROLS.index(kind)
        shown = _only(held, picks, kind)[:, first : first + 3]
        made = imagine(
            prior, prompts, steps=16, guidance=Guidance(4.0), conditions=Conditions({kind: shown.movedim(1, -1)})
        )
        rows += [shown, made.clamp(0, 1).movedim(-1, 1).cpu()]
    return torch.cat(rows)
