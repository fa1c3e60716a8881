"""The U-Net's training at toy size: deterministic, resumable, and what it exports is a prior."""

import json
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path
from shutil import copy, rmtree
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from bozzetto.figure.colours import colour
from bozzetto.figure.spec import FigureSpec, Garment, HairSpec
from bozzetto.prior.autoencoder import PatchAutoencoder
from bozzetto.prior.denoiser import CONTROLS
from bozzetto.prior.load import load
from bozzetto.prior.score import load_likeness
from bozzetto.prior.text import TextEncoder
from bozzetto.training import control as control_module
from bozzetto.training import diffusion, run
from bozzetto.training.command import TrainPrior
from bozzetto.training.control import (
    Control,
    control_pictures,
    covered,
    evenly,
    facing,
    new_control,
    train_control,
    visible_edits,
    where_lines,
)
from bozzetto.training.data import CONTOUR_LENGTHS, Shard
from bozzetto.training.diffusion import (
    Base,
    Known,
    Store,
    base_loss,
    batch_of,
    evened,
    loss_weights,
    random_mask,
    schedule,
    scheduler,
    store,
    times,
    train_base,
)
from bozzetto.training.export import card_text, export_model, export_towers, read_card, write_card
from bozzetto.training.loop import Pace
from bozzetto.training.text import END, new_text, tokens, train_tokenizer
from bozzetto.training.vision import Vision, pixels, pooled, train_vision
from bozzetto.types import UserError

torch.set_num_threads(1)
TINY = Base(size=32, channels=(32,), heads=(1,), blind=0, batch=4, warmup_steps=2, other_colours=0)
WIDTH = 64


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(people=3, vocabulary=700)


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    model = PatchAutoencoder(4, 8, 1, 1)
    images = torch.rand(8, 3, 32, 32) * 2 - 1
    model.start_from_components(images)
    model.normalise(images)
    return model.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """Six coloured squares; the last is an edit of the first."""
    rng = np.random.default_rng(0)
    rgb = np.full((6, 64, 64, 3), 255, np.uint8)
    layer = np.zeros((6, 64, 64), np.uint8)
    for picture, ids in zip(rgb, layer, strict=True):
        picture[16:48, 16:48] = rng.integers(0, 255, 3)
        ids[16:48, 16:48] = 1
    arrays = {
        "rgb": rgb,
        "normal": np.full_like(rgb, 128),
        "alpha": (layer * 255).astype(np.uint8),
        "layer": layer,
        "keypoints": rng.uniform(5, 60, (6, 21, 2)).astype(np.float32),
        "visible": np.ones((6, 21), bool),
        "contours": rng.uniform(5, 60, (6, sum(CONTOUR_LENGTHS), 2)).astype(np.float32),
    }
    record = {"captions": ["a woman in a red coat"], "view": "front view", "crop": "body", "flat": False}
    records = [{**record, "person": 0} for _ in range(6)]
    records[5] |= {"person": 1, "source": 0, "instructions": ["make the coat blue"]}
    specs = FigureSpec(), FigureSpec(top=Garment("shirt", colour("red")))
    people = [{"seed": 0, "spec": asdict(spec), "layers": ["skin"]} for spec in specs]
    path = tmp_path_factory.mktemp("shards") / "train-00000.safetensors"
    save_file(arrays, path, {"pictures": json.dumps(records), "people": json.dumps(people)})
    return Shard(path)


@pytest.fixture(scope="module")
def data(shard, vae, tmp_path_factory):
    return store([shard], vae, 32, tmp_path_factory.mktemp("cache"))


def base(folder, data, vae, tokenizer, samples, recipe=TINY):
    text = new_text(tokenizer, WIDTH, 1, 0)
    rows = train_base(recipe, vae, tokenizer, text, data, data, folder, Pace(samples=samples, log_steps=1))
    while True:
        try:
            next(rows)
        except StopIteration as end:
            return end.value


def weights(training):
    return [p for part in (training.modules, training.averages) for m in part.values() for p in m.state_dict().values()]


def test_resumed_equals_uninterrupted_and_the_export_is_a_prior(tmp_path, data, vae, tokenizer, monkeypatch):
    monkeypatch.setattr(diffusion, "preview", lambda *_: torch.zeros(8, 8, 8, 3))
    whole = base(tmp_path / "whole", data, vae, tokenizer, 16)
    base(tmp_path / "parts", data, vae, tokenizer, 8)
    parts = base(tmp_path / "parts", data, vae, tokenizer, 16)
    assert whole.samples == parts.samples == 16
    assert all(torch.equal(one, two) for one, two in zip(weights(whole), weights(parts), strict=True))
    plain = base(tmp_path / "plain", data, vae, tokenizer, 16, replace(TINY, evened=0.0))
    assert not all(torch.equal(one, two) for one, two in zip(weights(whole), weights(plain), strict=True))

    export = tmp_path / "export"
    export_model(vae, export / "vae")
    for name, module in whole.averages.items():
        export_model(module, export / name)
    export_model(new_text(tokenizer, WIDTH, 1, 0), export / "text_encoder")
    tokenizer.save_pretrained(export / "tokenizer")
    scheduler().save_pretrained(export / "scheduler")
    control = new_control(whole.averages["unet"], Control(embedding=(16, 16, 16)))
    export_model(control, export / "controlnet")
    export_model(type(whole.averages["unet"]).from_pretrained(export / "unet"), tmp_path / "again")
    assert str(tmp_path) not in (tmp_path / "again" / "config.json").read_text()
    prior = load(export)
    assert (prior.native_size, prior.latent_channels, prior.factor) == (32, 4, 4)
    assert {"base", "inpaint", "control/normal", "control/source"} <= set(prior.roles)
    assert prior.signal(torch.ones(1))[0].item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("together", [False, True])
def test_control_starts_silent_and_learns_resumably(tmp_path, data, vae, tokenizer, monkeypatch, together):
    monkeypatch.setattr(control_module, "_sheet", lambda *_: torch.zeros(8, 3, 8, 8))
    monkeypatch.setattr(control_module, "controlled_error", lambda *_: 1.0)
    unet = diffusion.new_unet(TINY, 4, WIDTH)
    recipe = Control(embedding=(16, 16, 16), batch=4, warmup_steps=1, together=together, other_colours=0)
    trained = []

    def go(folder, samples, recipe=recipe):
        modules = {"unet": diffusion.new_unet(TINY, 4, WIDTH), "text_encoder": new_text(tokenizer, WIDTH, 1, 0)}
        trained.append(modules["unet"])
        rows = train_control(recipe, vae, tokenizer, modules, data, data, folder, Pace(samples=samples))
        while True:
            try:
                next(rows)
            except StopIteration as end:
                return end.value

    control = new_control(unet, recipe)
    down, middle = control(
        torch.zeros(1, 9, 8, 8), torch.tensor([3]), torch.zeros(1, 48, 64), torch.ones(1, 15, 32, 32), return_dict=False
    )
    assert not any(part.any() for part in (*down, middle))
    whole = go(tmp_path / "whole", 12)
    go(tmp_path / "parts", 4)
    parts = go(tmp_path / "parts", 12)
    assert all(torch.equal(one, two) for one, two in zip(weights(whole), weights(parts), strict=True))
    plain = go(tmp_path / "plain", 12, replace(recipe, evened=0.0))
    assert not all(torch.equal(one, two) for one, two in zip(weights(whole), weights(plain), strict=True))
    stayed = all(torch.equal(a, b) for a, b in zip(unet.parameters(), trained[0].parameters(), strict=True))
    assert stayed is not together


def test_editing_is_shown_the_picture_before(data):
    assert visible_edits(data).tolist() == [5]
    shown = control_pictures(data, np.array([5, 2]), 1, 0.0, 1.0, np.random.default_rng(0))
    source = torch.from_numpy(data.pictures[0]).movedim(-1, 0) / 255
    assert torch.allclose(shown[0, 12:], source) and not shown[1, 12:].any()
    assert all(shown[1, 3 * kind : 3 * kind + 3].any() for kind in range(4))
    for seed in range(8):  # one kind alone
        shown = control_pictures(data, np.array([5, 2]), 1, 1.0, 1.0, np.random.default_rng(seed))
        assert sum(bool(shown[1, 3 * kind : 3 * kind + 3].any()) for kind in range(4)) == 1


def test_rare_sorts_of_edits_are_drawn_as_often_as_common_ones():
    spec = FigureSpec(top=Garment("shirt", colour("red")))
    reds = [replace(spec, top=Garment("shirt", colour(name))) for name in ("blue", "green", "navy")]
    people = [spec, *reds, replace(spec, hair=HairSpec("afro")), replace(spec, top=Garment("hoodie", colour("red")))]
    shard = Shard(Path("none.safetensors"))
    shard.__dict__["specs"] = people
    records = [{"person": 0}, *({"person": number, "source": 0} for number in range(1, 6))]
    none = np.zeros((6, 4, 4, 4), np.float16), np.zeros((6, 4, 4, 3), np.uint8), np.zeros((6, 4, 4), np.uint8)
    data = Store(*none, records, [(shard, place) for place in range(6)])
    assert evenly(data, np.arange(1, 6)) == pytest.approx([1 / 9, 1 / 9, 1 / 9, 1 / 3, 1 / 3])


def test_tops_under_coats_are_found_and_drawn_oftener(tmp_path, data, vae, tokenizer, monkeypatch):
    shard = Shard(Path("none.safetensors"))
    names = ["skin", "top", "outer"], ["skin", "outer"], ["skin", "top"]
    shard.__dict__["people"] = [{"layers": each} for each in names]
    layers = np.full((6, 16, 16), 3, np.uint8)
    for picture, count in enumerate((0, 19, 20, 200, 201)):
        layers[picture].flat[:count] = 2
    layers[5].flat[:50] = 2
    records = [{"person": 0, "crop": "body"} for _ in range(6)]
    none = np.zeros((9, 4, 4, 4), np.float16), np.zeros((9, 16, 16, 3), np.uint8)
    more = [{"person": 0, "crop": "head"}, {"person": 1, "crop": "body"}, {"person": 2, "crop": "body"}]
    every = Store(*none, np.concatenate([layers, layers[[2, 2, 2]]]), records + more, [(shard, i) for i in range(9)])
    assert np.flatnonzero(covered(every)).tolist() == [2, 3, 5]


def test_faces_that_are_seen_are_found(tmp_path):
    turned = np.zeros((4, 128, 2), np.float32)
    turned[[1, 2]] = np.nan
    save_file({"contours": turned}, tmp_path / "train-00000.safetensors")
    shard = Shard(tmp_path / "train-00000.safetensors")
    none = np.zeros((4, 4, 4, 4), np.float16), np.zeros((4, 4, 4, 3), np.uint8), np.zeros((4, 4, 4), np.uint8)
    crops = [{"crop": crop} for crop in ("head", "head", "body", "body")]
    assert facing(Store(*none, crops, [(shard, place) for place in range(4)])).tolist() == [True, False, False, False]


def test_lines_of_landmarks_are_where_they_are_drawn():
    pictures = torch.zeros(2, 15, 64, 64)
    pictures[0, 3 * CONTROLS.index("landmarks") + 1, 9, 22] = 0.1
    pictures[1, 3 * CONTROLS.index("pose") + 1, 9, 22] = 0.1
    found = where_lines(pictures, 16)
    assert found.nonzero().tolist() == [[0, 0, 2, 5]] and found.max() == 1


@pytest.mark.parametrize("which", ["covered", "faces"])
def test_what_is_asked_for_is_drawn_oftener(tmp_path, data, vae, tokenizer, monkeypatch, which):
    seen = []
    plain = control_module.batch_of
    monkeypatch.setattr(control_module, "batch_of", lambda data, at, *rest, **more: seen.extend(at) or plain(
        data, at, *rest, **more))  # fmt: skip
    finder = {"covered": "covered", "faces": "facing"}[which]
    monkeypatch.setattr(control_module, finder, lambda data: np.arange(len(data)) == 3)
    monkeypatch.setattr(control_module, "_sheet", lambda *_: torch.zeros(8, 3, 8, 8))
    monkeypatch.setattr(control_module, "controlled_error", lambda *_: 1.0)
    recipe = Control(embedding=(16, 16, 16), batch=4, other_colours=0, edits=0.0, **{which: 1e9})
    modules = {"unet": diffusion.new_unet(TINY, 4, WIDTH), "text_encoder": new_text(tokenizer, WIDTH, 1, 0)}
    list(train_control(recipe, vae, tokenizer, modules, data, data, tmp_path, Pace(samples=8)))
    assert seen == [3] * 8


def test_times_cover_every_noise_level_evenly():
    drawn = torch.cat([times(8, 1000, np.random.default_rng(seed)) for seed in range(200)])
    assert drawn.min() >= 0 and drawn.max() <= 999
    assert torch.histc(drawn.float(), 8, 0, 1000).tolist() == [200.0] * 8


def test_loss_weights_are_min_snr_where_there_is_signal_and_one_in_noise():
    power = torch.tensor([0.0, 0.5, 0.9, 0.99])
    snr = power / (1 - power)
    assert loss_weights(power, 5.0).tolist() == pytest.approx(torch.clamp(5 / (snr + 1), max=1).tolist())
    assert loss_weights(power, 5.0)[0] == 1


def test_small_things_count_by_their_area_to_the_power_asked():
    layers = np.zeros((2, 64, 64), np.uint8)
    layers[:, 8:56, 16:48] = 1
    layers[:, 16:48, 28:32] = 2
    one, half, none = (evened(layers, 16, power) for power in (1.0, 0.5, 0.0))
    strip, coat, back = (0, 0, slice(4, 12), 7), (0, 0, slice(4, 12), 5), (0, 0, slice(None), 0)
    areas = (32 * 4, 48 * 32 - 32 * 4, 64 * 64 - 48 * 32)
    for weights, power in ((one, 1.0), (half, 0.5)):
        assert weights[strip].mean() / weights[coat].mean() == pytest.approx((areas[1] / areas[0]) ** power)
        assert weights[back].mean() / weights[coat].mean() == pytest.approx((areas[1] / areas[2]) ** power)
        assert weights.mean((1, 2, 3)).tolist() == pytest.approx([1.0, 1.0])
    assert none.eq(1).all()


def test_the_loss_counts_places_and_the_error_does_not():
    levels, latents = schedule(), torch.zeros(1, 2, 4, 4)
    wrong = torch.zeros(1, 2, 4, 4)
    wrong[..., 0] = 1.0

    class Wrong(torch.nn.Module):
        def forward(self, seen, steps, encoder_hidden_states):
            return SimpleNamespace(sample=wrong)

    given = (latents, latents, torch.zeros(1, 1, 1), torch.tensor([999]), torch.zeros(1, 2, 4, 4), levels, 5.0)
    places = torch.zeros(1, 1, 4, 4)
    places[..., 0] = 4.0
    loss, error = base_loss(Wrong(), *given, places)
    assert float(loss) == pytest.approx(1.0) and float(error) == pytest.approx(0.25)
    assert float(base_loss(Wrong(), *given)[0]) == pytest.approx(0.25)


def test_from_nothing_is_ones_and_grey(data, vae):
    batch = batch_of(data, np.array([0, 1]), vae)
    known = Known(vae, 32)(batch, 0.0, np.random.default_rng(0))
    grey = vae.encode(torch.zeros(1, 3, 32, 32)).latent_dist.mean[0]
    assert known[:, 0].eq(1).all() and torch.allclose(known[0, 1:], grey)
    painted = Known(vae, 32)(batch, 1.0, np.random.default_rng(0))
    assert set(painted[:, 0].unique().tolist()) <= {0.0, 1.0}


def test_masks_are_zeros_and_ones_and_never_nothing():
    layers = np.zeros((64, 64), np.uint8)
    layers[20:40, 20:40] = 2
    masks = [random_mask(layers, np.random.default_rng(seed)) for seed in range(60)]
    assert all(set(np.unique(mask)) <= {0.0, 1.0} and mask.shape == (64, 64) for mask in masks)
    assert np.mean([mask.any() for mask in masks]) > 0.9


def test_any_text_survives_the_tokenizer(tokenizer):
    ids = tokens(tokenizer, ["A naïve 日本 T-shirt!", "word " * 100])
    assert ids.shape == (2, 48)
    assert tokenizer.decode(ids[0], skip_special_tokens=True).replace(" ", "") == "anaïve日本t-shirt!"
    assert ids[1, -1] == tokenizer.convert_tokens_to_ids(END)


def test_the_card_keeps_other_parts(tmp_path):
    write_card(tmp_path, "vae", samples=10, hours=0.1, seed=0, quality={"held_psnr": 31.0})
    write_card(tmp_path, "base", samples=2000, hours=1.5, seed=0, quality={}, recipe=asdict(TINY))
    card = read_card(tmp_path)
    assert card["vae"]["samples"] == 10 and card["base"]["recipe"]["batch"] == 4
    text = (tmp_path / "card.md").read_text()
    assert "| base | 2,000 | 1.50 |" in text and text.startswith("# The embedded prior")


@pytest.mark.parametrize("folder", ["prior/embedded", "evaluate/judge"])
def test_the_cards_that_ship_are_told_as_they_are(folder):
    shipped = resources.files("bozzetto") / folder
    card = json.loads((shipped / "card.json").read_text(encoding="utf-8"))
    text = (shipped / "card.md").read_text(encoding="utf-8")
    assert text == card_text(card)
    assert text.startswith("# The judge") == ("judge" in card)


def test_a_vision_tower_learns_resumably_and_scores(tmp_path, data, tokenizer):
    text = new_text(tokenizer, WIDTH, 1, 0)
    recipe = Vision(width=32, layers=1, projection=16, batch=2)

    def go(folder, samples):
        rows = train_vision(recipe, text, tokenizer, data, data, folder, Pace(samples=samples))
        while True:
            try:
                next(rows)
            except StopIteration as end:
                return end.value

    whole = go(tmp_path / "whole", 3)
    go(tmp_path / "parts", 1)
    parts = go(tmp_path / "parts", 3)
    assert all(torch.equal(one, two) for one, two in zip(weights(whole), weights(parts), strict=True))

    towers = whole.averages["towers"]
    export_towers(towers, tmp_path / "vision_encoder")
    words = TextEncoder([tokenizer], [text])
    likeness = load_likeness(tmp_path / "vision_encoder", words, _loaded, torch.device("cpu"))
    prompts = ["a woman in a red coat", "a man"]
    ids = torch.from_numpy(tokens(tokenizer, prompts))
    scores = towers(pixels(data, np.array([0, 1])), pooled(text, ids)).diagonal() / towers.log_scale.exp()
    shown = torch.from_numpy(data.pictures[:2]).float() / 255
    assert torch.allclose(likeness(shown, prompts), scores, atol=0.01)


def _loaded(kind, folder, dtype):
    return kind.from_pretrained(folder, dtype=dtype).eval()


def test_a_new_control_network_hears_its_pictures():
    """What makes pictures small must not make them faint, or nothing is learned for thousands of steps."""
    control = new_control(diffusion.new_unet(TINY, 4, WIDTH), Control())
    pictures = torch.rand(2, 15, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        heard = control.controlnet_cond_embedding(pictures) - control.controlnet_cond_embedding(0 * pictures)
    assert heard.std() > 0.05


def test_together_starts_anew_goes_on_and_refuses_other_architectures(tmp_path, vae, tokenizer, shard, monkeypatch):
    monkeypatch.setattr(control_module, "_sheet", lambda *_: torch.zeros(8, 3, 8, 8))
    monkeypatch.setattr(control_module, "controlled_error", lambda *_: 1.0)
    monkeypatch.setattr(run, "Base", lambda size, seed: replace(TINY, size=size, seed=seed))
    small = Control(embedding=(16, 16, 16), batch=4, warmup_steps=1, other_colours=0)
    monkeypatch.setattr(run, "Control", lambda **changes: replace(small, **changes))
    for split in ("train", "held"):
        (tmp_path / "data").mkdir(exist_ok=True)
        copy(shard.path, tmp_path / "data" / f"{split}-00000.safetensors")
    export, work = tmp_path / "export", tmp_path / "work"
    options = TrainPrior("together", "0.5s", data=tmp_path / "data", work=work, export=export, threads=1)

    def go(says: str = "", **changes) -> int:
        told: list[str] = []
        run.train_prior(replace(options, **changes), told.append)
        assert any(says in line for line in told)
        return read_card(export)["together"]["samples"]

    with pytest.raises(UserError, match="comes first"):
        go()
    export_model(vae, export / "vae")
    export_model(new_text(tokenizer, WIDTH, 1, 0), export / "text_encoder")
    tokenizer.save_pretrained(export / "tokenizer")
    write_card(export, "base", samples=5, hours=0.1, seed=0, recipe={}, data={}, quality={})
    first = go()
    assert load(export).native_size == 64 and "base" not in read_card(export), "its weights are no longer there"
    assert read_card(export)["together"]["recipe"]["channels"] == list(TINY.channels)
    with pytest.raises(UserError, match="--resume"):
        go()
    second = go(resume=True)
    assert second > first
    rmtree(work / "together-64")
    assert go(f"have seen {second:,} pictures", resume=True) > second

    rmtree(work / "together-64")
    export_model(diffusion.new_unet(replace(TINY, channels=(64,), heads=(2,)), 4, WIDTH), export / "unet")
    with pytest.raises(UserError, match="another architecture"):
        go(resume=True)
    config = json.loads((export / "vae" / "config.json").read_text())
    (export / "vae" / "config.json").write_text(json.dumps({**config, "encoder_depth": [1, 1]}))
    with pytest.raises(UserError, match="is of another architecture"):
        go()
