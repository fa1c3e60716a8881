"""Priors from the package, a preset, a folder or the hub. Only safetensors are read; nothing is ever unpickled.

What lies on this machine is used without asking the network; with HF_HUB_OFFLINE=1 the network is never asked.
"""

import json
import os
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from bozzetto.prior.denoiser import CONTROLS, Network, Prior, Roles
from bozzetto.prior.presets import PRESETS, Place, remedy
from bozzetto.prior.schedule import Schedule, schedule_from_config
from bozzetto.prior.text import TextEncoder
from bozzetto.types import UserError

if TYPE_CHECKING:
    from bozzetto.prior.shape import ShapeNetwork

EMBEDDED = Path(__file__).parent / "embedded"
PICKLES = (".ckpt", ".bin", ".pt", ".pth", ".pkl")
TEXT_ENCODERS = ("CLIPTextModel", "CLIPTextModelWithProjection")


def load(
    source: str | Path = "embedded",
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    needs: Sequence[str] = (),
    roles: Mapping[str, str | Path | Place] | None = None,
) -> Prior:
    """A text-to-image prior, ready to use.

    Args:
        source: "embedded", a preset's name ("sd15", "sd21"), a folder in the layout of ``diffusers``, or a hub id,
            which may end in "@REVISION".
        device: Where the networks live.
        dtype: Of U-Net, control networks and text encoders; the autoencoder stays in float32, because its gradients
            overflow in less. Without it: float32 on the CPU, float16 elsewhere.
        needs: Roles that will be used ("control/normal", "inpaint", "edit", "back"): loaded and checked at once
            instead of at their first use.
        roles: Other weights for single roles, "base" among them, as a hub id, a folder or a Place; an empty name
            takes a role away.

    Raises:
        UserError: There is no such prior, it is damaged, incomplete or of a kind that is not supported, or it would
            have to be downloaded while offline.
    """
    device = torch.device(device)
    dtype = dtype or (torch.float32 if device.type == "cpu" else torch.float16)
    name = str(source)
    places = dict(_places(name))
    if (EMBEDDED / "identity" / "config.json").is_file():
        places.setdefault("identity", Place(str(EMBEDDED), "identity"))  # serves every family
    for role, place in (roles or {}).items():
        if place:
            places[role] = place if isinstance(place, Place) else _place(str(place))
        else:
            places.pop(role, None)
    with _quiet():
        prior = _load_base(name, places, device, dtype)
    prior.need(*needs)
    return prior


@cache
def load_shape() -> "ShapeNetwork":
    """The network of surfaces behind photos that ships with the package.

    Raises:
        UserError: It does not, or it is damaged.
    """
    from bozzetto.prior.shape import ShapeNetwork

    if not (EMBEDDED / "shape" / "config.json").is_file():
        raise UserError(
            "The network of surfaces behind photos is not installed. Train it: bozzetto train-prior --part photos, "
            "then --part shape."
        )
    with _quiet():
        return _model(ShapeNetwork, EMBEDDED / "shape", torch.float32)


def shape_weights() -> dict[str, Path]:
    """The file of ``load_shape``, for the record of a run."""
    return dict(zip(("shape",), _files(EMBEDDED / "shape"), strict=False))


def check_safetensors(path: Path) -> None:
    """Whether a file is as long as its header says.

    Raises:
        UserError: It is cut short or no safetensors file.
    """
    size = path.stat().st_size
    damaged = f"{path} is damaged"
    again = "Download or copy it again."
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(size, 100_000_000):
                raise ValueError
            header = json.loads(file.read(length))
        end = (
            8
            + length
            + max((int(each["data_offsets"][1]) for name, each in header.items() if name != "__metadata__"), default=0)
        )
    except (struct.error, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"{damaged}: its first bytes are not those of a safetensors file. {again}") from None
    if end != size:
        raise UserError(f"{damaged}: it should have {end:,} bytes and has {size:,}. {again}")


# Places


def _places(source: str) -> Mapping[str, Place]:
    """Role by role, where the weights of a source lie."""
    if source == "embedded":
        if not (EMBEDDED / "unet" / "config.json").is_file():
            raise UserError(
                "The embedded prior's weights are not in this installation. Install bozzetto again; in a clone, make "
                "them with: bozzetto train-prior (hours), or name another prior: a preset "
                f"({', '.join(PRESETS)}), a folder or a hub id."
            )
        return _folder_places(EMBEDDED)
    if source in PRESETS:
        return PRESETS[source]
    place = _place(source)
    return _folder_places(Path(place.source)) if Path(place.source).is_dir() else {"base": place}


def _place(text: str) -> Place:
    """A folder, a learned token's file, or ID[@REVISION][:SUBFOLDER] on the hub.

    Raises:
        UserError: It is none of these.
    """
    path = Path(text).expanduser()
    if path.is_dir() or (path.is_file() and path.suffix == ".safetensors" and path.stat().st_size < 1_000_000):
        return Place(str(path))
    if path.is_file():
        raise UserError(_no_folder(path))
    match = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?(?::([\w./-]+))?", text)
    if match is None or text.startswith((".", "/", "~")):
        raise UserError(
            f"There is no prior {text!r}: no folder of that name is here. Give embedded, a preset "
            f"({', '.join(PRESETS)}), a folder that save_pretrained wrote, or a hub id like "
            f"{PRESETS['sd15']['base'].source}."
        )
    return Place(match[1], match[3] or "", match[2])


def _no_folder(path: Path) -> str:
    if path.suffix in PICKLES:
        return (
            f"{path} is a pickle checkpoint, which may run any code when it is opened, so bozzetto never opens one. "
            "Get the same weights as a folder of safetensors in the layout of diffusers, and give that folder."
        )
    if path.suffix == ".safetensors":
        return (
            f"{path} is a checkpoint in a single file; bozzetto reads folders in the layout of diffusers. Convert it "
            "with diffusers: StableDiffusionPipeline.from_single_file(FILE).save_pretrained(FOLDER)."
        )
    return f"{path} is a file, not a folder that save_pretrained wrote."


def _folder_places(folder: Path) -> dict[str, Place]:
    """The roles in a folder: a pipeline, control networks under controlnet/, tokens under tokens/."""
    places = {"base": Place(str(folder))}
    control = folder / "controlnet"
    if _channels(control) == 3 * len(CONTROLS):
        places |= {f"control/{name}": Place(str(folder), "controlnet") for name in CONTROLS}
    for name in CONTROLS:
        if _channels(control / name):
            places[f"control/{name}"] = Place(str(folder), f"controlnet/{name}")
    for role in ("inpaint", "edit"):
        if (folder / role / "unet").is_dir():
            places[role] = Place(str(folder / role))
    if (folder / "vision_encoder" / "config.json").is_file():
        places["vision"] = Place(str(folder), "vision_encoder")
    if (folder / "identity" / "config.json").is_file():
        places["identity"] = Place(str(folder), "identity")
    if (folder / "tokens" / "back.safetensors").is_file():
        places["back"] = Place(str(folder / "tokens" / "back.safetensors"))
    return places


def _channels(folder: Path) -> int:
    """How many channels of pictures a control network takes; 0 where there is none."""
    try:
        return int(json.loads((folder / "config.json").read_text())["conditioning_channels"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _here(place: Place, parts: Sequence[str]) -> Path:
    """The folder of a place, with all of its parts, on this machine: downloaded where allowed and needed."""
    folder = Path(place.source)
    if folder.is_dir():
        return folder / place.subfolder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    offline = _offline()
    prefix = f"{place.subfolder}/" if place.subfolder else ""
    wanted = [prefix + part for part in parts]
    download = partial(snapshot_download, place.source, revision=place.revision, allow_patterns=wanted)
    try:
        folder = Path(download(local_files_only=True)) / place.subfolder
        if offline or _whole(folder, parts):
            return folder
    except LocalEntryNotFoundError:
        pass
    at = f" at revision {place.revision}" if place.revision else ""
    if offline:
        raise UserError(
            f"{place.source}{at} is not on this machine, and the hub may not be asked (HF_HUB_OFFLINE is set). Unset "
            "it to download, or copy the weights here and give their folder instead of the id."
        )
    try:
        return Path(download()) / place.subfolder
    except LocalEntryNotFoundError:
        raise UserError(
            f"{place.source}{at} is not on this machine, and the hub cannot be reached. Try again when the network is "
            "there, or copy the weights here and give their folder instead of the id."
        ) from None
    except HfHubHTTPError as error:
        raise UserError(
            f"The hub does not give {place.source}{at} (status {error.response.status_code}). Is the id right? If the "
            "repository asks for consent, give it on its page and log in with: hf auth login. Repositories also "
            "vanish: the folder of another copy will do as well."
        ) from None
    except Exception as error:  # whatever a connection that breaks may raise
        short = " ".join(str(error).split())[:200]
        raise UserError(
            f"Downloading {place.source}{at} failed: {short}. Run the same again: it goes on where it stopped."
        ) from None


def _offline() -> bool:
    return any(
        os.environ.get(name, "").upper() in ("1", "TRUE", "YES", "ON")
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    )


PIPELINE = (
    "model_index.json", "scheduler/*.json", "tokenizer*/*", "text_encoder*/config.json",
    "text_encoder*/model.safetensors", "vae/config.json", "vae/diffusion_pytorch_model.safetensors",
)  # fmt: skip
UNET = ("unet/config.json", "unet/diffusion_pytorch_model.safetensors", "scheduler/*.json")
CONTROL = ("config.json", "diffusion_pytorch_model.safetensors")
VISION = ("config.json", "model.safetensors", "*.json", "*.txt")


def _whole(folder: Path, parts: Sequence[str]) -> bool:
    """Whether something is there for every part that has no alternative."""
    return all(any(folder.glob(part)) for part in parts if part != "model_index.json")


# Parts


def _load_base(name: str, places: Mapping[str, Place], device: torch.device, dtype: torch.dtype) -> Prior:
    place = places["base"]
    folder = _here(place, (*PIPELINE, *UNET))
    _check_pipeline(folder)
    unet = _unet(folder, device, dtype)
    autoencoder = _model(_autoencoder_class(folder), folder / "vae", torch.float32).to(device)
    index = _json(folder / "model_index.json") if (folder / "model_index.json").is_file() else {}
    text = _text_encoder(folder, device, dtype, bool(index.get("force_zeros_for_empty_prompt")))
    parts = ("unet", "vae", "text_encoder", "text_encoder_2")
    weights = {f"{part}/{file.name}": file for part in parts for file in _files(folder / part)}
    base = Network(unet, _schedule(folder))
    loaders: dict[str, Callable[[], Any]] = {}
    controls: dict[Place, nn.Module] = {}
    for role, where in places.items():
        if role.startswith("control/"):
            loaders[role] = partial(_control, where, controls, device, dtype)
        elif role in ("inpaint", "edit"):
            loaders[role] = partial(_network, where, base, device, dtype)
        elif role == "vision":
            loaders[role] = partial(_vision, where, text, device)
        elif role == "identity":
            loaders[role] = partial(_identity, where, device)
    if "back" in places:
        add_tokens(text, Path(places["back"].source))
    prior = Prior(name, autoencoder, base, text, Roles(loaders, partial(remedy, source=name)), weights)
    return prior


def _check_pipeline(folder: Path) -> None:
    """Raises UserError where a folder is not in the layout that is needed."""
    if not (folder / "unet" / "config.json").is_file():
        pickles = sorted(path.name for path in folder.glob("*") if path.suffix in PICKLES)
        if (folder / "transformer").is_dir():
            found = "it holds a transformer (SD 3, Flux and the like), and bozzetto drives U-Nets (SD 1.5, 2.1, SDXL)"
        elif pickles:
            found = f"it holds only {pickles[0]}, a pickle checkpoint, which is never opened"
        elif (folder / "config.json").is_file():
            found = "it holds one model, not a whole pipeline"
        else:
            found = "there is no unet/ in it"
        raise UserError(
            f"{folder} is no text-to-image pipeline: {found}. Give a folder that save_pretrained wrote, with unet/, "
            "vae/, text_encoder/, tokenizer/ and scheduler/."
        )
    for part in ("vae/config.json", "text_encoder/config.json", "tokenizer", "scheduler/scheduler_config.json"):
        if not (folder / part).exists():
            raise UserError(f"{folder} is incomplete: {part} is missing. Copy or download the whole folder again.")


def _unet(folder: Path, device: torch.device, dtype: torch.dtype) -> nn.Module:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return _model(UNet2DConditionModel, folder / "unet", dtype).to(device)


def _network(place: Place, base: Network, device: torch.device, dtype: torch.dtype) -> Network:
    """A U-Net of another role; where no scheduler lies beside it, the base's holds."""
    folder = _here(place, UNET)
    with _quiet():
        if not (folder / "unet" / "config.json").is_file():
            _check_pipeline(folder)
        own = (folder / "scheduler" / "scheduler_config.json").is_file()
        return Network(_unet(folder, device, dtype), _schedule(folder) if own else base.schedule)


def _control(place: Place, loaded: dict[Place, nn.Module], device: torch.device, dtype: torch.dtype) -> nn.Module:
    from diffusers.models.controlnets.controlnet import ControlNetModel

    if place not in loaded:
        folder = _here(place, CONTROL)
        if not (folder / "config.json").is_file():
            raise UserError(
                f"{folder} holds no control network: config.json is missing. Give a folder that save_pretrained wrote."
            )
        with _quiet():
            loaded[place] = _model(ControlNetModel, folder, dtype).to(device)
    return loaded[place]


def _vision(place: Place, text: TextEncoder, device: torch.device) -> Any:
    from bozzetto.prior.score import load_likeness

    folder = _here(place, VISION)
    with _quiet():
        return load_likeness(folder, text, _model, device)


def _identity(place: Place, device: torch.device) -> nn.Module:
    from bozzetto.prior.identity import IdentityEncoder

    with _quiet():
        return _model(IdentityEncoder, _here(place, CONTROL), torch.float32).to(device)


def _autoencoder_class(folder: Path) -> Any:
    name = _json(folder / "vae" / "config.json").get("_class_name", "AutoencoderKL")
    if name == "PatchAutoencoder":
        from bozzetto.prior.autoencoder import PatchAutoencoder

        return PatchAutoencoder
    if name == "AutoencoderKL":
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

        return AutoencoderKL
    raise UserError(
        f"The autoencoder in {folder} is a {name}; bozzetto knows AutoencoderKL and its own PatchAutoencoder."
    )


def _text_encoder(folder: Path, device: torch.device, dtype: torch.dtype, empty_is_zero: bool) -> TextEncoder:
    import transformers

    tokenizers, encoders = [], []
    for suffix in ("", "_2") if (folder / "text_encoder_2").is_dir() else ("",):
        part = folder / f"text_encoder{suffix}"
        names = _json(part / "config.json").get("architectures") or ["CLIPTextModel"]
        if names[0] not in TEXT_ENCODERS:
            raise UserError(
                f"The text encoder in {part} is a {names[0]}; bozzetto knows {' and '.join(TEXT_ENCODERS)}."
            )
        tokenizers.append(_tokenizer(folder / f"tokenizer{suffix}"))
        encoders.append(_model(getattr(transformers, names[0]), part, dtype).to(device))
    words = folder / "tokenizer" / "words.txt"
    vocabulary = words.read_text(encoding="utf-8").split() if words.is_file() else None
    return TextEncoder(tokenizers, encoders, empty_is_zero, vocabulary)


def _tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"The tokenizer in {folder} cannot be read: {error} Copy or download it again.") from None


def _schedule(folder: Path) -> Schedule:
    path = folder / "scheduler" / "scheduler_config.json"
    try:
        return schedule_from_config(_json(path))
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def _model(kind: Any, folder: Path, dtype: torch.dtype) -> Any:
    """One model of a pipeline, frozen, every weight of it from the file.

    Raises:
        UserError: The weights are missing, pickled, damaged, or of another architecture.
    """
    files = _files(folder)
    if not files:
        pickles = [path for path in folder.glob("*") if path.suffix in PICKLES]
        if pickles:
            raise UserError(
                f"{folder} has its weights only as {pickles[0].name}, a pickle, which may run any code when it is "
                "opened, so bozzetto never opens one. Get the same weights as safetensors."
            )
        raise UserError(
            f"{folder} holds no weights (a .safetensors file). Copy or download the whole folder again; if its source "
            "has only pickles, look for another copy."
        )
    for file in files:
        check_safetensors(file)
    variant = "fp16" if ".fp16." in files[0].name else None
    try:
        model, report = kind.from_pretrained(
            folder,
            torch_dtype=dtype,
            variant=variant,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
        short = " ".join(str(error).split())[:300]
        raise UserError(f"{folder} cannot be loaded as {kind.__name__}: {short}") from None
    missing = [key for key in report["missing_keys"] if not key.endswith("position_ids")]
    if missing or report.get("mismatched_keys"):
        raise UserError(
            f"The weights in {folder} are not those of its config.json: {len(missing)} tensors are missing, "
            f"{missing[0] if missing else 'and sizes differ'} for one. Copy or download both again."
        )
    return model.eval().requires_grad_(False)


def _files(folder: Path) -> list[Path]:
    """The files a model is read from: one, or its shards."""
    whole = _weights(folder)
    return [whole] if whole else sorted(folder.glob("*-of-*.safetensors"))


def _weights(folder: Path) -> Path | None:
    """The one file of weights that a model of diffusers or transformers is read from."""
    names = ("diffusion_pytorch_model.safetensors", "model.safetensors")
    found = (folder / name for name in (*names, *(name.replace(".safe", ".fp16.safe") for name in names)))
    return next((path for path in found if path.is_file()), None)


def add_tokens(text: TextEncoder, path: Path) -> None:
    """Learned tokens of a file, in the form textual inversion is shared in: vectors by token ("@1": second encoder).

    Raises:
        UserError: The file is none such, or its tokens are another text encoder's.
    """
    from safetensors.torch import load_file

    check_safetensors(path)
    tensors = load_file(path)
    if set(tensors) == {"clip_l", "clip_g"}:  # SDXL's pair has no name of its own
        tensors = {f"<{path.stem}>@0": tensors["clip_l"], f"<{path.stem}>@1": tensors["clip_g"]}
    tokens: dict[str, list[torch.Tensor]] = {}
    for key in sorted(tensors):
        tokens.setdefault(key.partition("@")[0], []).append(tensors[key].reshape(-1, tensors[key].shape[-1]))
    for name, rows in tokens.items():
        try:
            text.add_token(name, rows)
        except ValueError as error:
            raise UserError(f"The learned token in {path} does not fit this prior: {error}") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}. Copy or download it again.") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged. Copy or download it again.")
    return content


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the libraries' progress bars and notes on weights that were expected to be unused."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    levels = diffusers_logging.get_verbosity(), transformers_logging.get_verbosity()
    bars = [each for each in (diffusers_logging, transformers_logging) if each.is_progress_bar_enabled()]
    try:
        diffusers_logging.set_verbosity_error()
        transformers_logging.set_verbosity_error()
        diffusers_logging.disable_progress_bar()
        transformers_logging.disable_progress_bar()
        yield
    finally:
        diffusers_logging.set_verbosity(levels[0])
        transformers_logging.set_verbosity(levels[1])
        for each in bars:
            each.enable_progress_bar()
