"""Teaching a prior what it never saw: a word (textual inversion), or a person (DreamBooth, whole or LoRA).

Each tuning is a generator of steps and changes the prior it is given. With a folder it keeps a checkpoint there, one
file, replaced whole; the same call takes it up again, and ends as if it had never been stopped, because what a step
draws follows from the seed and its number alone. ``apply_tuning`` gives the result to a fresh prior.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bozzetto.files import atomic_path
from bozzetto.prior.denoiser import Prior
from bozzetto.prior.load import add_tokens
from bozzetto.prior.sample import Guidance, imagine
from bozzetto.types import UserError

CHECKPOINT = "checkpoint.safetensors"
RESULT = "tuned.safetensors"
CLASS_PICTURES = "class.safetensors"
TOKEN_SENTENCES = ("a photo of a {}", "a rendering of a {}", "a picture of the {}", "the {}", "a close-up of a {}")
LORA_LAYERS = ("to_q", "to_k", "to_v", "to_out.0")


@dataclass(frozen=True, eq=False)
class Examples:
    """Pictures that show what is to be learned, each with its words."""

    images: Float[Tensor, "b h w 3"]
    """In [0, 1]; all of one size, usually the prior's native one."""
    prompts: tuple[str, ...]
    """One for each picture."""

    def __post_init__(self) -> None:
        if len(self.images) != len(self.prompts) or not self.prompts:
            raise ValueError(
                f"Examples need a prompt for each picture; got {len(self.images)} and {len(self.prompts)}."
            )


@dataclass(frozen=True)
class TuneStep:
    """What a tuning tells after each step."""

    index: int
    loss: float
    """Mean square error of what the network puts out, on this step's pictures."""


@dataclass(frozen=True)
class TextualInversion:
    """One new word for what the examples show; the networks stay as they are (Gal et al. 2022, arXiv:2208.01618)."""

    token: str = "<back-view>"
    """As it stands in the examples' prompts."""
    like: str = "back"
    """Ordinary words to begin from; as many vectors are learned as they have tokens."""
    steps: int = 3000
    learning_rate: float = 5e-3
    """Of Adam, for a batch as below."""
    batch: int = 4
    seed: int = 0
    checkpoint_every: int = 100


@dataclass(frozen=True)
class DreamBooth:
    """A person's likeness, tied to a rare word (Ruiz et al. 2022, arXiv:2208.12242)."""

    class_prompts: tuple[str, ...] = ("a photo of a person",)
    """What the subject is one of: what the network has to say about them is kept."""
    steps: int = 800
    learning_rate: float = 2e-6
    """Of AdamW: 2e-6 for the whole network, 1e-4 for a LoRA."""
    batch: int = 1
    prior_weight: float = 1.0
    """Of keeping the class pictures against learning the examples; 0 goes without."""
    class_pictures: int = 100
    """How many the network makes of the class before it is changed."""
    class_steps: int = 25
    """Calls of the network for each of them."""
    rank: int = 0
    """Of the LoRA; 0 tunes the whole U-Net."""
    t_range: tuple[float, float] = (0.0, 1.0)
    save_memory: bool = False
    """Computes parts of the network twice instead of keeping them."""
    seed: int = 0
    checkpoint_every: int = 100


def learn_token(
    prior: Prior, examples: Examples, settings: TextualInversion, folder: Path | None = None
) -> Iterator[TuneStep]:
    """Learns a word; afterwards the prior knows it, and the folder holds it for others.

    Args:
        prior: It must not know the token yet.
        examples: Their prompts contain the token.
        settings: How.
        folder: For checkpoints, and for the result, which ``load`` takes as roles={"back": FILE}.

    Raises:
        UserError: A prompt lacks the token, or the folder holds another tuning.
    """
    for prompt in examples.prompts:
        if settings.token not in prompt:
            raise UserError(f"The prompt {prompt!r} does not contain {settings.token}, the word that is to be learned.")
    if settings.token not in prior.text.learned:
        prior.text.add_token(settings.token, prior.text.trained_vectors(settings.like))
    vectors = prior.text.vectors(settings.token)
    parameters = {settings.token + (f"@{i}" if len(vectors) > 1 else ""): each for i, each in enumerate(vectors)}
    latents = _latents(prior, examples.images)

    def loss(index: int) -> Tensor:
        draw = _Draw(settings.seed, index)
        chosen = draw.choose(len(latents), settings.batch)
        text = prior.embed([examples.prompts[i] for i in chosen])
        return _loss(prior, latents[chosen], text, draw).mean()

    yield from _descend(parameters, loss, settings, settings.learning_rate, 0.0, folder)


def dreambooth(
    prior: Prior, examples: Examples, settings: DreamBooth, folder: Path | None = None
) -> Iterator[TuneStep]:
    """Learns a subject.

    Args:
        prior: Its base network is changed, in float32.
        examples: Their prompts name the subject by a rare word: "a photo of sks person".
        settings: How.
        folder: For the class pictures, checkpoints and the result.

    Raises:
        UserError: The prior is in half precision, or the folder holds another tuning.
    """
    if prior.dtype != torch.float32:
        raise UserError(
            "Tuning needs float32: small steps vanish in half precision. Load the prior with dtype float32."
        )
    latents = _latents(prior, examples.images)
    with torch.no_grad():
        text = prior.embed(list(examples.prompts))
    kept: tuple[Tensor, Tensor] | None = None
    if settings.prior_weight > 0 and settings.class_pictures > 0:
        kept = _class_latents(prior, settings, (examples.images.shape[1], examples.images.shape[2]), folder)
    unet = prior.base.unet
    if settings.save_memory:
        unet.enable_gradient_checkpointing()  # type: ignore[operator]
    if settings.rank:
        add_lora(unet, settings.rank, settings.seed)
        parameters = {name: value for name, value in unet.named_parameters() if "lora_" in name}
    else:
        parameters = dict(unet.named_parameters())

    def loss(index: int) -> Tensor:
        draw = _Draw(settings.seed, index)
        chosen = draw.choose(len(latents), settings.batch)
        total = _loss(prior, latents[chosen], text[chosen], draw, settings.t_range).mean()
        if kept is not None:
            chosen = draw.choose(len(kept[0]), settings.batch)
            preserved = _loss(prior, kept[0][chosen], kept[1][chosen], draw, settings.t_range).mean()
            total = total + settings.prior_weight * preserved
        return total

    yield from _descend(parameters, loss, settings, settings.learning_rate, 1e-2, folder)


def add_lora(unet: nn.Module, rank: int, seed: int = 0) -> None:
    """Small trainable matrices beside the attention's, which change nothing yet; what is there is frozen."""
    from peft import LoraConfig

    config = LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(LORA_LAYERS))
    unet.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet.add_adapter(config, adapter_name="subject")  # type: ignore[operator]
    unet.requires_grad_(False)


def apply_tuning(prior: Prior, folder: Path) -> None:
    """Gives a prior what a tuning wrote in a folder.

    Raises:
        UserError: There is no finished tuning, or it is another prior's.
    """
    path = folder / RESULT
    if not path.is_file():
        raise UserError(
            f"{folder} holds no finished tuning ({RESULT}). Run the tuning again: it goes on where it stopped."
        )
    tensors, notes = _read(path)
    settings = json.loads(notes["settings"])
    if notes["kind"] == TextualInversion.__name__:
        add_tokens(prior.text, path)
        return
    if settings["rank"]:
        add_lora(prior.base.unet, settings["rank"])
    named = dict(prior.base.unet.named_parameters())
    if any(name not in named or named[name].shape != value.shape for name, value in tensors.items()):
        raise UserError(
            f"The tuning in {folder} is that of another prior than {prior.name}. Name the one it was made with."
        )
    with torch.no_grad():
        for name, value in tensors.items():
            named[name].copy_(value)


# Inside


class _Draw:
    """The random numbers of one step."""

    def __init__(self, seed: int, index: int) -> None:
        self.generator = torch.Generator().manual_seed((seed * 1_000_003 + index) % 2**62)

    def choose(self, count: int, batch: int) -> list[int]:
        return torch.randint(count, (batch,), generator=self.generator).tolist()

    def noise(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self.generator).to(like.device)

    def times(self, like: Tensor, low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(len(like), generator=self.generator)).to(like.device)


def _loss(
    prior: Prior, latents: Tensor, text: Tensor, draw: _Draw, t_range: tuple[float, float] = (0.0, 1.0)
) -> Float[Tensor, "b"]:
    """Mean square error of the network's output, whatever that is, for each picture."""
    noise, t = draw.noise(latents), draw.times(latents, *t_range)
    network = prior.base
    output = prior.output(network, prior.add_noise(latents, noise, t), t, text)
    return (output - network.schedule.target(latents, noise, t)).square().mean((1, 2, 3))


def _descend(
    parameters: Mapping[str, nn.Parameter],
    loss: Callable[[int], Tensor],
    settings: TextualInversion | DreamBooth,
    learning_rate: float,
    weight_decay: float,
    folder: Path | None,
) -> Iterator[TuneStep]:
    """AdamW from the last checkpoint on; the parameters are left frozen, as they were found."""
    optimizer = torch.optim.AdamW(parameters.values(), learning_rate, weight_decay=weight_decay)
    first = _resume(parameters, optimizer, settings, folder) if folder else 0
    try:
        for index in range(first, settings.steps):
            # Not while the consumer holds the step: between steps the prior is as frozen as any.
            for parameter in parameters.values():
                parameter.requires_grad_(True)
            with torch.enable_grad():
                value = loss(index)
                optimizer.zero_grad()
                value.backward()
            torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
            optimizer.step()
            for parameter in parameters.values():
                parameter.requires_grad_(False)
            if folder and (index + 1) % settings.checkpoint_every == 0 and index + 1 < settings.steps:
                _save(folder / CHECKPOINT, parameters, settings, index + 1, optimizer)
            yield TuneStep(index, value.item())
    finally:
        for parameter in parameters.values():
            parameter.requires_grad_(False)
            parameter.grad = None
    if folder:
        _save(folder / RESULT, parameters, settings, settings.steps)
        (folder / CHECKPOINT).unlink(missing_ok=True)


def _resume(
    parameters: Mapping[str, nn.Parameter],
    optimizer: torch.optim.Optimizer,
    settings: TextualInversion | DreamBooth,
    folder: Path,
) -> int:
    """Brings parameters and optimizer where an earlier go stood; returns the next step's number."""
    path = next((folder / name for name in (RESULT, CHECKPOINT) if (folder / name).is_file()), None)
    if path is None:
        return 0
    tensors, notes = _read(path)
    before, now = json.loads(notes["settings"]), json.loads(json.dumps(asdict(settings)))
    changed = [name for name in now if name not in ("steps", "checkpoint_every") and before.get(name) != now[name]]
    more = path.name == RESULT and now["steps"] != before["steps"]
    if notes["kind"] != type(settings).__name__ or changed or more or set(parameters) - set(tensors):
        what = changed[0].replace("_", " ") if changed else "steps" if more else "the kind of tuning"
        raise UserError(f"{folder} holds another tuning ({what} differs). Choose another folder, or remove this one.")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[name])
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("adam/"):
            _, index, key = name.split("/")
            state.setdefault(int(index), {})[key] = tensor
    if state:
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return int(notes["step"])


def _save(
    path: Path,
    parameters: Mapping[str, nn.Parameter],
    settings: TextualInversion | DreamBooth,
    step: int,
    optimizer: torch.optim.Optimizer | None = None,
) -> None:
    """One file with everything in it, whole or not at all."""
    from safetensors.torch import save_file

    tensors = {name: parameter.detach().cpu().contiguous() for name, parameter in parameters.items()}
    for index, state in (optimizer.state_dict()["state"] if optimizer else {}).items():
        tensors |= {f"adam/{index}/{key}": value.detach().cpu().contiguous() for key, value in state.items()}
    notes = {"kind": type(settings).__name__, "settings": json.dumps(asdict(settings)), "step": str(step)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial:
        save_file(tensors, partial, notes)


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            notes = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dictionary
    except SafetensorError:
        raise UserError(f"{path} is damaged. Remove it; the tuning starts anew.") from None
    if not {"kind", "settings", "step"} <= set(notes):
        raise UserError(f"{path} is no tuning of bozzetto's. Choose another folder.")
    return tensors, notes


def _latents(prior: Prior, images: Tensor) -> Tensor:
    """Of each picture by itself: their memory is not multiplied."""
    with torch.no_grad():
        return torch.cat([prior.encode(image[None].to(prior.device)) for image in images])


def _class_latents(
    prior: Prior, settings: DreamBooth, size: tuple[int, int], folder: Path | None
) -> tuple[Tensor, Tensor]:
    """Latents and text of what the untouched network makes of the class; made once for a folder."""
    from safetensors.torch import save_file

    prompts = [settings.class_prompts[i % len(settings.class_prompts)] for i in range(settings.class_pictures)]
    wanted = {"prompts": json.dumps(prompts), "size": json.dumps(size), "seed": str(settings.seed)}
    path = folder / CLASS_PICTURES if folder else None
    latents: Tensor | None = None
    if path and path.is_file():
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            if file.metadata() == wanted:
                latents = file.get_tensor("latents")
    if latents is None:
        made = []
        for index, prompt in enumerate(prompts):
            generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + index)
            picture = imagine(
                prior, [prompt], steps=settings.class_steps, guidance=Guidance(4.0), size=size, generator=generator
            )
            made.append(prior.encode(picture).detach().cpu())
        latents = torch.cat(made)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as partial:
                save_file({"latents": latents.contiguous()}, partial, wanted)
    with torch.no_grad():
        texts = {prompt: prior.embed([prompt]) for prompt in dict.fromkeys(prompts)}
    return latents.to(prior.device), torch.cat([texts[prompt] for prompt in prompts])
