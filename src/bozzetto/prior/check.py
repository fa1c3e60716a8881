"""``bozzetto doctor --prior ID``: does a prior do what bozzetto will rely on?

Nothing here looks at samples. A network that has learned something predicts the noise on a picture better when it is
told the truth about that picture than when it is told something else; so each check compares the two on the same
pictures and noise (Li et al. 2023, arXiv:2303.16203, classify with that).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from bozzetto.doctor import Check
from bozzetto.prior.denoiser import Conditions, Prior
from bozzetto.prior.load import load
from bozzetto.prior.schedule import Kind, Schedule
from bozzetto.types import UserError

TIMES = (0.4, 0.6, 0.8)
"""Where what a picture shows is decided; above and below, the noise says little about it."""
KINDS: tuple[Kind, ...] = ("epsilon", "v_prediction", "sample")
SHARE = 0.7
"""Of the comparisons that must come out right; chance is one half."""
NORMAL_MISREADINGS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "red pointing right": lambda normal: torch.stack([1 - normal[..., 0], normal[..., 1], normal[..., 2]], -1),
    "green pointing down": lambda normal: torch.stack([normal[..., 0], 1 - normal[..., 1], normal[..., 2]], -1),
    "blue pointing away": lambda normal: torch.stack([normal[..., 0], normal[..., 1], 1 - normal[..., 2]], -1),
    "red and blue exchanged": lambda normal: normal.flip(-1),
}


@dataclass(frozen=True, eq=False)
class Specimen:
    """A picture and the truth about it."""

    image: Float[Tensor, "1 h w 3"]
    caption: str
    view: str
    """ "front view", "side view" or "back view"."""
    controls: Mapping[str, Float[Tensor, "1 _ _ 3"]]


def examine(
    source: str, device: str = "cpu", specimens: Sequence[Specimen] | None = None, draws: int = 2
) -> Iterator[Check]:
    """Every check that the prior has the networks for, as they are made.

    Args:
        source: As for ``load``.
        device: Where to compute; Stable Diffusion takes minutes on a GPU, the better part of an hour without.
        specimens: Pictures to ask about; figures are rendered where none are given.
        draws: Of noise, for each picture and time.
    """
    try:
        prior = load(source, device=device)
    except UserError as error:
        yield Check("prior", False, str(error), "Give another prior, or mend this one.")
        return
    count = 8 if prior.native_size <= 128 else 4
    size = f"{prior.native_size} px, {prior.latent_channels} x 1/{prior.factor}, {prior.base.schedule.kind}"
    yield Check("prior", True, f"{prior.name}: {size}; roles: {', '.join(prior.roles)}", "")
    yield from examine_prior(prior, specimens or render_specimens(prior.native_size, count), draws)


@torch.no_grad()
def examine_prior(prior: Prior, specimens: Sequence[Specimen], draws: int = 2) -> Iterator[Check]:
    """The checks of a prior that is loaded."""
    latents = [prior.encode(specimen.image.to(prior.device)) for specimen in specimens]
    ask = _Asker(prior, latents, draws)
    yield _autoencoder(prior, specimens)
    yield _noise(prior, specimens, latents, ask)
    yield _words(specimens, ask)
    yield _views(specimens, ask)
    if prior.back_token:
        yield _back(prior.back_token, specimens, ask)
    names = [role.removeprefix("control/") for role in prior.roles if role.startswith("control/")]
    for name in names:
        if name != "source" and all(name in specimen.controls for specimen in specimens):
            try:
                prior.need(f"control/{name}")
            except UserError as error:
                yield Check(f"control {name}", False, str(error), "The prior works without it.", needed=False)
                continue
            yield _control(name, specimens, ask)
            if name == "normal":
                yield _normals(specimens, ask)
    if "normal" not in names:
        yield Check("control normal", False, "the prior has none", "Recipes that show normals need it.", needed=False)


@torch.no_grad()
def render_specimens(size: int, count: int = 4) -> list[Specimen]:
    """Figures of different looks, from the front and from the back in turn."""
    from bozzetto.figure.ground_truth import random, stand

    found = []
    for index in range(count):
        person = random(20_260 + index, "low" if size <= 128 else "full")
        stance = stand(person.figure, "standing")
        view = stance.view(15.0 if index % 2 == 0 else 170.0, 0.0, size)
        controls = {name: _tensor(picture) for name, picture in view.conditions.items() if name != "depth"}
        found.append(Specimen(_tensor(view.rgb), person.captions[0], view.words, controls))
    return found


class _Asker:
    """The error of the predicted noise, always on the same noise, so that two numbers can be compared."""

    def __init__(self, prior: Prior, latents: Sequence[Tensor], draws: int) -> None:
        self.prior, self.latents, self.draws = prior, latents, draws

    def questions(self, index: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Noisy latents, noise and time."""
        latents = self.latents[index]
        for draw in range(self.draws):
            generator = torch.Generator().manual_seed(1000 * index + draw)
            for time in TIMES:
                noise = torch.randn(latents.shape, generator=generator).to(latents.device)
                t = torch.full((1,), time, device=latents.device)
                yield self.prior.add_noise(latents, noise, t), noise, t

    def __call__(self, index: int, prompt: str, controls: Mapping[str, Tensor] | None = None) -> float:
        text = self.prior.embed([prompt])
        conditions = Conditions(controls) if controls else None
        errors = [
            (self.prior.predict_noise(noisy, t, text, conditions) - noise).square().mean().item()
            for noisy, noise, t in self.questions(index)
        ]
        return sum(errors) / len(errors)


def _autoencoder(prior: Prior, specimens: Sequence[Specimen]) -> Check:
    errors = [
        (prior.decode(prior.encode(each.image.to(prior.device))).cpu() - each.image).square().mean()
        for each in specimens
    ]
    decibels = -10 * torch.stack(errors).mean().clamp(min=1e-10).log10().item()
    remedy = "The autoencoder's weights or its scaling_factor are not those the prior was trained with."
    return Check("autoencoder", decibels > 22, f"{decibels:.1f} dB on rendered figures", remedy)


def _noise(prior: Prior, specimens: Sequence[Specimen], latents: Sequence[Tensor], ask: _Asker) -> Check:
    """Better than the best guess without a network, and read as the kind of output it is."""
    network = prior.base
    errors: dict[Kind, float] = {kind: 0.0 for kind in (network.schedule.kind, *KINDS)}
    guess, count = 0.0, 0
    for index, specimen in enumerate(specimens):
        text = prior.embed([specimen.caption])
        variance = latents[index].var()
        for noisy, noise, t in ask.questions(index):
            output = prior.output(network, noisy, t, text)
            a, b = (factor.view(-1, 1, 1, 1) for factor in prior.signal(t))
            guess += (b * noisy / (a**2 * variance + b**2) - noise).square().mean().item()
            count += 1
            for kind in errors:
                if kind == network.schedule.kind or network.schedule.kind != "flow":
                    seen = Schedule(kind, network.schedule.signal_power, network.schedule.steps).read(output, noisy, t)
                    errors[kind] += (seen.noise - noise).square().mean().item()
    if network.schedule.kind == "flow":
        errors = {"flow": errors["flow"]}
    best = min(errors, key=lambda kind: errors[kind])
    mine = errors[network.schedule.kind] / count
    found = f"error {mine:.3f}; guessing without a network has {guess / count:.3f}"
    remedy = "The U-Net is hardly trained, or belongs to another autoencoder or text encoder."
    if best != network.schedule.kind and errors[best] < 0.7 * errors[network.schedule.kind]:
        found += f"; read as {best} it would be {errors[best] / count:.3f}"
        remedy = f'scheduler/scheduler_config.json should say "prediction_type": "{best}".'
        return Check("noise prediction", False, found, remedy)
    return Check("noise prediction", mine < 0.8 * guess / count, found, remedy)


def _words(specimens: Sequence[Specimen], ask: _Asker) -> Check:
    captions = [specimen.caption for specimen in specimens]
    pairs = [
        (ask(index, caption), ask(index, captions[(index + 1) % len(captions)]))
        for index, caption in enumerate(captions)
    ]
    return _compared(
        "words",
        "its own caption, against another picture's",
        pairs,
        "The prior does not know such words, or its text encoder is another's.",
    )


def _views(specimens: Sequence[Specimen], ask: _Asker) -> Check:
    wrong = {"front view": "back view", "back view": "front view", "side view": "back view"}
    pairs = [
        (ask(i, f"{each.caption}, {each.view}"), ask(i, f"{each.caption}, {wrong.get(each.view, 'front view')}"))
        for i, each in enumerate(specimens)
    ]
    remedy = (
        "The prior does not know where it looks from: use controls, and a back-view token (prior.tune.learn_token)."
    )
    return replace(_compared("view words", "the right view, against the opposite one", pairs, remedy), needed=False)


def _back(token: str, specimens: Sequence[Specimen], ask: _Asker) -> Check:
    pairs = [
        (ask(i, f"{each.caption}, {token}"), ask(i, each.caption))
        for i, each in enumerate(specimens)
        if each.view == "back view"
    ]
    remedy = "Learn the token again, from pictures like these: prior.tune.learn_token."
    return replace(_compared("back token", f"{token} at the back, against no view word", pairs, remedy), needed=False)


def _control(name: str, specimens: Sequence[Specimen], ask: _Asker) -> Check:
    """Each picture's own control picture must help more than that of another, and more than none."""
    pairs = []
    for index, specimen in enumerate(specimens):
        own = ask(index, specimen.caption, {name: specimen.controls[name]})
        other = _another(specimens, index, name)
        pairs += [(own, ask(index, specimen.caption, {name: other})), (own, ask(index, specimen.caption))]
    remedy = "These weights do not fit the base, or expect other colours."
    return _compared(f"control {name}", "its own control picture, against a mirrored other's and none", pairs, remedy)


def _normals(specimens: Sequence[Specimen], ask: _Asker) -> Check:
    """Blue towards the viewer, red left, green up, as the public network learned from ScanNet."""
    errors = dict.fromkeys(("as drawn", *NORMAL_MISREADINGS), 0.0)
    for index, specimen in enumerate(specimens):
        normal = specimen.controls["normal"]
        seen = (normal - 0.5).square().sum(-1, keepdim=True) < 0.7  # the background, black, stays
        for name in errors:
            read = NORMAL_MISREADINGS[name](normal) if name in NORMAL_MISREADINGS else normal
            errors[name] += ask(index, specimen.caption, {"normal": torch.where(seen, read, normal)})
    best = min(errors, key=lambda name: errors[name])
    listed = ", ".join(f"{name} {error / len(specimens):.4f}" for name, error in errors.items())
    remedy = (
        f"This network reads normals with {best}: convert the maps, or use control_v11p_sd15_normalbae's convention."
    )
    return Check("normal-map convention", best == "as drawn", listed, remedy)


def _another(specimens: Sequence[Specimen], index: int, name: str) -> Tensor:
    return specimens[(index + 1) % len(specimens)].controls[name].flip(2)


def _compared(name: str, what: str, pairs: Sequence[tuple[float, float]], remedy: str) -> Check:
    """Whether the first of each pair is the smaller, mostly and on average."""
    right = sum(true < false for true, false in pairs)
    gain = sum(false - true for true, false in pairs) / max(sum(false for _, false in pairs), 1e-12)
    passed = bool(pairs) and right >= SHARE * len(pairs) and gain > 0
    return Check(name, passed, f"{what}: right {right} of {len(pairs)} times, error {gain:+.1%} smaller", remedy)


def _tensor(picture: object) -> Tensor:
    return torch.as_tensor(picture)[None].float() / 255
