"""Priors from folders, presets and ids; what is wrong with a folder is said in one paragraph."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from bozzetto.prior import load as loading
from bozzetto.prior.denoiser import CONTROLS, Conditions, Inpainting
from bozzetto.prior.load import check_safetensors, load
from bozzetto.prior.presets import PRESETS, Place
from bozzetto.prior.sample import imagine
from bozzetto.types import UserError

from . import tiny


@pytest.fixture
def copied(sd15, tmp_path):
    """A pipeline that may be broken."""
    return shutil.copytree(sd15, tmp_path / "copy")


def refused(*args, **options) -> str:
    with pytest.raises(UserError) as error:
        load(*args, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("kind", ["sd15", "sd21", "sdxl", "embedded"])
def test_every_architecture_loads_and_predicts(kind, request):
    folder = request.getfixturevalue(kind)
    prior = load(folder)
    assert prior.native_size == 64 and prior.factor == (4 if kind == "embedded" else 8)
    assert prior.latent_channels == (16 if kind == "embedded" else 4)
    images = torch.rand(2, 64, 48, 3)
    latents = prior.encode(images)
    assert latents.shape == (2, prior.latent_channels, 64 // prior.factor, 48 // prior.factor)
    text = prior.embed(["a red dress", ""])
    prediction = prior.predict(latents, torch.tensor([0.3, 0.8]), text)
    assert prediction.noise.shape == latents.shape
    assert prediction.noise.isfinite().all() and prediction.clean.isfinite().all()
    a, b = (factor.view(-1, 1, 1, 1) for factor in prior.signal(torch.tensor([0.3, 0.8])))
    torch.testing.assert_close(a * prediction.clean + b * prediction.noise, latents, atol=1e-4, rtol=1e-4)
    assert prior.decode(latents).shape == images.shape
    words = prior.predict_noise(latents[:1], torch.tensor([0.5]), text[:1])
    nothing = prior.predict_noise(latents[:1], torch.tensor([0.5]), text[1:])
    assert (words - nothing).abs().max() > 1e-6


@pytest.mark.parametrize("kind", ["sd15", "sd21", "sdxl"])
def test_the_noise_is_what_diffusers_own_pipeline_computes(kind, request):
    """Text features, time, SDXL's extras and the reading of eps and v agree with the reference implementation."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline

    folder = request.getfixturevalue(kind)
    prior = load(folder)
    parts = dict(
        vae=prior.autoencoder, text_encoder=prior.text.encoders[0], tokenizer=prior.text.tokenizers[0],
        unet=prior.base.unet,
        scheduler=DDIMScheduler.from_config(
            json.loads((folder / "scheduler" / "scheduler_config.json").read_text()),
            clip_sample=False, set_alpha_to_one=True, timestep_spacing="trailing",
        ),
    )  # fmt: skip
    if kind == "sdxl":
        pipe = StableDiffusionXLPipeline(
            text_encoder_2=prior.text.encoders[1], tokenizer_2=prior.text.tokenizers[1], **parts,
            force_zeros_for_empty_prompt=True, add_watermarker=False,
        )  # fmt: skip
    else:
        pipe = StableDiffusionPipeline(**parts, safety_checker=None, feature_extractor=None)
    pipe.set_progress_bar_config(disable=True)
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    asked = {}

    def listen(module, args, kwargs, output):
        asked.setdefault("noisy", args[0].clone())
        asked.setdefault("output", output[0].clone())

    handle = prior.base.unet.register_forward_hook(listen, with_kwargs=True)
    # At a scale of 1 there is one pass, with the words only.
    pipe(
        "a red dress",
        height=64,
        width=64,
        num_inference_steps=1,
        guidance_scale=1.0,
        latents=noise,
        output_type="latent",
    )
    handle.remove()
    text = prior.embed(["a red dress"])
    t = torch.tensor([1.0])  # the last of the training steps, where trailing steps begin
    torch.testing.assert_close(prior.output(prior.base, asked["noisy"], t, text), asked["output"], atol=2e-5, rtol=1e-4)


def test_weights_in_the_first_layout_of_stable_diffusion_15_load(sd15, copied):
    """The public files name the autoencoder's attention and the text encoder's layers the old way."""
    prior = load(sd15)
    path = copied / "vae" / "diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = {}
    for name, tensor in load_file(path).items():
        for new, before in old.items():
            name = name.replace(f"attentions.0.{new}.", f"attentions.0.{before}.")
        tensors[name] = tensor
    assert any("query" in name for name in tensors)
    save_file(tensors, path, {"format": "pt"})
    path = copied / "text_encoder" / "model.safetensors"
    tensors = load_file(path)
    if not any(name.startswith("text_model.") for name in tensors):
        tensors = {f"text_model.{name}": tensor for name, tensor in tensors.items()}
    tensors["text_model.embeddings.position_ids"] = torch.arange(16)[None]
    save_file(tensors, path, {"format": "pt"})
    again = load(copied)
    images = tiny.smooth_pictures(1, 64)
    torch.testing.assert_close(again.encode(images), prior.encode(images))
    torch.testing.assert_close(again.embed(["a red dress"]), prior.embed(["a red dress"]))


def test_half_precision_on_disk_and_in_use(embedded, tmp_path):
    folder = shutil.copytree(embedded, tmp_path / "half")
    for path in folder.rglob("*.safetensors"):
        tensors = {
            name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in load_file(path).items()
        }
        save_file(tensors, path, {"format": "pt"})
    for path in (folder / "unet", folder / "text_encoder"):  # as the hub's variants are named
        (file,) = path.glob("*.safetensors")
        file.rename(file.with_suffix(".fp16.safetensors"))
    prior = load(folder)
    assert prior.dtype == torch.float32
    assert load(folder, dtype=torch.bfloat16).dtype == torch.bfloat16
    whole, images = load(embedded), tiny.smooth_pictures(1, 64)
    t, text = torch.tensor([0.5]), whole.embed(["a man"])
    latents = whole.encode(images)
    half = prior.predict_noise(latents, t, prior.embed(["a man"]))
    torch.testing.assert_close(half, whole.predict_noise(latents, t, text), atol=0.02, rtol=0.02)
    rough = load(folder, dtype=torch.bfloat16)
    assert rough.encode(images).dtype == torch.float32
    close = rough.predict_noise(latents, t, rough.embed(["a man"]))
    assert close.dtype == torch.float32 and (close - half).abs().max() < 0.2


def test_weights_in_several_files(sd15, copied):
    from diffusers import UNet2DConditionModel

    shutil.rmtree(copied / "unet")
    UNet2DConditionModel.from_pretrained(sd15 / "unet").save_pretrained(copied / "unet", max_shard_size="300KB")
    whole, prior = load(sd15), load(copied)
    shards = [name for name in prior.weights if name.startswith("unet/")]
    assert len(shards) > 2 and set(whole.weights) - set(prior.weights) == {"unet/diffusion_pytorch_model.safetensors"}
    for one, two in zip(whole.base.unet.parameters(), prior.base.unet.parameters(), strict=True):
        assert (one == two).all()
    (copied / shards[0]).unlink()
    assert "cannot be loaded" in refused(copied)


def test_what_is_no_pipeline(tmp_path, copied):
    (tmp_path / "empty").mkdir()
    assert "no text-to-image pipeline" in refused(tmp_path / "empty")
    pickled = tmp_path / "model.ckpt"
    pickled.write_bytes(b"pickle")
    assert "pickle" in refused(pickled)
    (tmp_path / "empty" / "v1-5.ckpt").write_bytes(b"pickle")
    assert "v1-5.ckpt" in refused(tmp_path / "empty")
    single = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(600_000)}, single)
    assert "from_single_file" in refused(single)
    shutil.move(copied / "unet", copied / "transformer")
    assert "transformer" in refused(copied)


def test_a_component_that_is_missing_pickled_truncated_or_foreign(copied, sd21):
    weights = copied / "unet" / "diffusion_pytorch_model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    assert "damaged" in refused(copied) and f"{len(content):,}" in refused(copied)
    weights.write_bytes(b"<html>not found</html>")
    assert "safetensors" in refused(copied)
    weights.write_bytes(b"")
    assert "damaged" in refused(copied)
    weights.unlink()
    (weights.parent / "diffusion_pytorch_model.bin").write_bytes(b"pickle")
    assert "diffusion_pytorch_model.bin" in refused(copied)
    (weights.parent / "diffusion_pytorch_model.bin").unlink()
    assert "no weights" in refused(copied)
    shutil.copy(sd21 / "unet" / weights.name, weights)
    config = json.loads((weights.parent / "config.json").read_text())
    (weights.parent / "config.json").write_text(json.dumps({**config, "layers_per_block": 3}))
    assert "config.json" in refused(copied) or "cannot be loaded" in refused(copied)
    shutil.rmtree(copied / "vae")
    assert "vae/config.json is missing" in refused(copied)


def test_other_kinds_of_parts_are_named(copied):
    config = copied / "scheduler" / "scheduler_config.json"
    config.write_text(json.dumps({**tiny.SCHEDULER, "prediction_type": "dreams"}))
    assert "'dreams' is unknown" in refused(copied)
    config.write_text("{")
    assert "scheduler_config.json cannot be read" in refused(copied)
    config.write_text(json.dumps(tiny.SCHEDULER))
    config = copied / "text_encoder" / "config.json"
    content = json.loads(config.read_text())
    config.write_text(json.dumps({**content, "architectures": ["T5EncoderModel"]}))
    assert "T5EncoderModel" in refused(copied)
    config.write_text(json.dumps(content))
    config = copied / "vae" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "_class_name": "VQModel"}))
    assert "VQModel" in refused(copied)


def test_the_hub_is_not_asked_while_offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    message = refused("sd15")
    assert PRESETS["sd15"]["base"].source in message and "HF_HUB_OFFLINE" in message
    assert "somebody/some-model" in refused("somebody/some-model")
    assert "abc123" in refused("somebody/some-model@abc123")


def test_a_hub_that_fails(monkeypatch, tmp_path):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    monkeypatch.delenv("HF_HUB_OFFLINE")
    answer = SimpleNamespace(status_code=404, headers={}, request=None)
    for failure, says in (
        (LocalEntryNotFoundError("no\nnetwork"), "cannot be reached"),
        (RepositoryNotFoundError("no such", response=answer), "status 404"),
        (ConnectionResetError("reset\nby peer"), "reset by peer"),
    ):

        def download(*_, local_files_only=False, failure=failure, **__):
            raise LocalEntryNotFoundError("not here") if local_files_only else failure

        monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
        assert says in refused("somebody/some-model")


def test_a_name_that_is_nothing(tmp_path):
    message = refused("sd16")
    assert "sd15" in message and "embedded" in message
    assert "no folder" in refused(str(tmp_path / "nowhere"))
    assert "no folder" in refused("./models/mine")


def test_the_hubs_cache_is_used_without_the_hub(sd15, monkeypatch, tmp_path):
    """A snapshot that is on this machine loads while offline, at the pinned revision."""
    place = PRESETS["sd15"]["base"]
    cached = tmp_path / ("models--" + place.source.replace("/", "--"))
    shutil.copytree(sd15, cached / "snapshots" / str(place.revision))
    real = loading._here

    def here(place, parts):
        import huggingface_hub

        monkeypatch.setattr(
            huggingface_hub, "snapshot_download",
            lambda *args, _real=snapshot_download, **options: _real(*args, cache_dir=tmp_path, **options),
        )  # fmt: skip
        return real(place, parts)

    from huggingface_hub import snapshot_download

    monkeypatch.setattr(loading, "_here", here)
    prior = load("sd15")
    assert prior.name == "sd15" and "control/normal" in prior.roles
    with pytest.raises(UserError, match="control_v11p_sd15_normalbae"):
        prior.need("control/normal")


def test_without_its_weights_the_embedded_prior_says_how_they_are_made(monkeypatch, tmp_path):
    monkeypatch.setattr(loading, "EMBEDDED", tmp_path / "none")
    assert "bozzetto train-prior" in refused("embedded")


def test_missing_roles_teach(sd15, embedded, monkeypatch):
    assert 'load("sd15"' in refused(sd15, needs=["control/normal"])
    assert "learn_token" in refused(sd15, needs=["back"])
    assert "no such role" in refused(sd15, needs=["control/lineart"])
    prior = load(sd15)
    picture = torch.rand(1, 64, 64, 3)
    noisy, t, text = torch.randn(1, 4, 8, 8), torch.tensor([0.5]), prior.embed(["a man"])
    for asked in (
        dict(conditions=Conditions({"normal": picture})),
        dict(conditions=Conditions({"source": picture})),
        dict(inpainting=Inpainting(torch.ones(1, 64, 64, 1), picture)),
    ):
        with pytest.raises(UserError, match="It has: base"):
            prior.predict_noise(noisy, t, text, **asked)
    with pytest.raises(UserError, match="vision"):
        prior.score(picture, ["a man"])
    monkeypatch.setattr(loading, "EMBEDDED", embedded)
    assert "bozzetto train-prior --part back" in refused("embedded", needs=["back"])
    assert "control/silhouette" in refused(sd15, needs=["control/silhouette"])


def test_roles_may_come_from_elsewhere_and_be_taken_away(sd15, sd21, tmp_path):
    control = tiny.controlnet(tmp_path / "control", sd15)
    prior = load(sd15, roles={"control/normal": control})
    assert "control/normal" in prior.roles
    prior.need("control/normal")
    assert "control/normal" not in load(sd15, roles={"control/normal": ""}).roles
    assert load(sd15, roles={"base": sd21}).base.schedule.kind == "v_prediction"
    assert load(sd15, roles={"control/pose": Place(str(tmp_path), "control")}, needs=["control/pose"])
    assert "holds no control network" in refused(sd15, roles={"control/pose": tmp_path}, needs=["control/pose"])


def test_networks_of_another_family_are_refused(sd15, tmp_path):
    other = tiny.pipeline(tmp_path / "other", channels=12)
    assert "12 channels" in refused(other)
    assert "must be 9" in refused(sd15, roles={"inpaint": sd15}, needs=["inpaint"])


def test_a_learned_token_travels_in_a_file(sd15, tmp_path):
    rows = torch.randn(2, 32)
    save_file({"<back-view>": rows}, tmp_path / "back.safetensors")
    prior = load(sd15, roles={"back": tmp_path / "back.safetensors"}, needs=["back"])
    assert prior.back_token == "<back-view>"
    assert (prior.embed(["a man, <back-view>"]) - prior.embed(["a man,"])).abs().max() > 1e-3
    save_file({"<back-view>": torch.randn(2, 31)}, tmp_path / "back.safetensors")
    assert "width 32" in refused(sd15, roles={"back": tmp_path / "back.safetensors"})


def test_safetensors_of_every_length(tmp_path):
    path = tmp_path / "some.safetensors"
    save_file({"a": torch.zeros(3), "b": torch.zeros(2, 2)}, path)
    check_safetensors(path)
    whole = path.read_bytes()
    for size in (0, 4, 8, 20, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match="damaged"):
            check_safetensors(path)
    path.write_bytes(whole + b"x")
    with pytest.raises(UserError, match="damaged"):
        check_safetensors(path)


def test_the_vision_tower_scores(sd15, tmp_path):
    """A CLIP model of its own, and a tower for the prior's own text encoder."""
    from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    folder = tmp_path / "clip"
    tokens = tiny.tokenizer(folder)
    sizes = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2)
    vision = dict(image_size=32, patch_size=8, projection_dim=24, **sizes)
    ends = dict(bos_token_id=tokens - 2, eos_token_id=tokens - 1)
    words = dict(vocab_size=tokens, max_position_embeddings=16, projection_dim=24, **ends, **sizes)
    clip = CLIPModel(CLIPConfig(text_config=words, vision_config=vision, projection_dim=24))
    clip.save_pretrained(folder)
    prior = load(sd15, roles={"vision": folder})
    images = torch.rand(2, 64, 64, 3, requires_grad=True)
    scores = prior.score(images, ["a man", "a red dress"])
    assert scores.shape == (2,) and scores.abs().max() <= 1
    (gradient,) = torch.autograd.grad(scores.sum(), images)
    assert gradient.abs().max() > 0
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(folder)
    ids = tokenizer(["a man", "a red dress"], padding="max_length", max_length=16, return_tensors="pt").input_ids
    small = torch.nn.functional.interpolate(images.movedim(-1, 1), (32, 32), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(each).view(-1, 1, 1) for each in (loading_mean(), loading_std()))
    clip.eval()
    logits = clip(input_ids=ids, pixel_values=(small - mean) / std).logits_per_text.diagonal() / clip.logit_scale.exp()
    torch.testing.assert_close(scores, logits, atol=1e-5, rtol=1e-4)

    own = tmp_path / "own" / "vision_encoder"
    CLIPVisionModelWithProjection(CLIPVisionConfig(**vision)).save_pretrained(own)
    (own / "text_projection").mkdir()
    save_file({"weight": torch.randn(24, 32)}, own / "text_projection" / "model.safetensors")
    assert load(sd15, roles={"vision": own}).score(images, ["a man", "a man"]).shape == (2,)


def loading_mean():
    from bozzetto.prior.score import CLIP_MEAN

    return CLIP_MEAN


def loading_std():
    from bozzetto.prior.score import CLIP_STD

    return CLIP_STD


def test_the_embedded_layout_has_every_control_in_one_network(embedded):
    prior = load(embedded, needs=[f"control/{name}" for name in CONTROLS] + ["inpaint"])
    assert len({id(prior._network(f"control/{name}")) for name in CONTROLS}) == 1
    picture = imagine(prior, ["a man"], steps=2, conditions=Conditions({"pose": torch.rand(1, 64, 64, 3)}))
    assert picture.shape == (1, 64, 64, 3)
