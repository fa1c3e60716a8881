"""Who is who: batches, a loss that falls, and a folder that comes back as a role of the prior."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bozzetto.evaluate.judge import Judge
from bozzetto.evaluate.landmarks import SCALE, Landmarks, export_landmarks
from bozzetto.prior.identity import IdentityEncoder
from bozzetto.prior.load import EMBEDDED, load
from bozzetto.training import back, data, run
from bozzetto.training.back import SETTINGS, TOKEN, backs_of_heads
from bozzetto.training.command import TrainPrior
from bozzetto.training.data import shards
from bozzetto.training.export import export_model, read_card, write_card
from bozzetto.training.identity import Identity, apart, gathering
from bozzetto.training.judge import PROBES, album, contrast, export_judge
from bozzetto.training.run import train_prior

torch.set_num_threads(1)
RECIPE = Identity(people=3, each=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three people, ten pictures each."""
    folder = tmp_path_factory.mktemp("identity")
    data.make_shard(folder / "train-00000.safetensors", "train", 31, people=3, each=10)
    return folder


def test_it_learns_who_is_who_and_comes_back_from_disk(folder, tmp_path):
    people = album(shards(folder, "train"))
    torch.manual_seed(0)
    encoder = IdentityEncoder(widths=(8, 8, 16, 16), features=8)
    optimizer = torch.optim.Adam(encoder.parameters(), 3e-3)
    pictures, who = gathering(people, RECIPE, np.random.default_rng(0))
    assert pictures.shape[1:] == (64, 64, 3) and who.tolist() == [0, 0, 1, 1, 2, 2]
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        loss = contrast(encoder(pictures), who, 0.1)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    export_model(encoder, tmp_path / "identity")
    again = IdentityEncoder.from_pretrained(tmp_path / "identity", torch_dtype=torch.float32)
    with torch.no_grad():
        assert torch.allclose(again(pictures), encoder(pictures), atol=0.02)
        assert torch.allclose(again(pictures).norm(dim=1), torch.ones(6), atol=1e-4)
    assert 0 <= apart(again, people, RECIPE, batches=2) <= 1


def test_parts_go_on_from_the_exported_weights(folder, tmp_path):
    (folder / "held-00000.safetensors").write_bytes((folder / "train-00000.safetensors").read_bytes())
    (folder / "judge-00000.safetensors").write_bytes((folder / "train-00000.safetensors").read_bytes())
    networks = {"identity": IdentityEncoder(64), "judge": Judge(PROBES), "landmarks": Landmarks()}
    for part, network in networks.items():
        export = tmp_path / "export"
        into = export if part != "landmarks" else export / "judge"
        card = export if part == "identity" else export / "judge"
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
        if isinstance(network, Judge):
            export_judge(network, export / part)
        elif isinstance(network, Landmarks):
            export_landmarks(network, into / part)
        else:
            export_model(network, into / part)
        write_card(card, part, samples=5000, hours=0.1, seed=0, recipe={}, data={}, quality={})
        told: list[str] = []
        options = TrainPrior(part, "0s", resume=True, data=folder, work=tmp_path / "work", export=export, threads=1)
        train_prior(options, told.append)
        assert "Going on from the exported weights, which have seen 5,000 pictures." in told
        kept = load_file(next((into / part).glob("*.safetensors")))
        assert not any(tensor.any() for name, tensor in kept.items() if not name.endswith(SCALE)), part
        entry = read_card(card)[part]
        assert (entry["samples"], entry["hours"]) == (5000, pytest.approx(0.1, abs=0.002)), "what it took before counts"


def test_the_word_for_backs_is_learned_and_found_by_whoever_loads_the_folder(folder, tmp_path, monkeypatch):
    (folder / "held-00000.safetensors").write_bytes((folder / "train-00000.safetensors").read_bytes())
    monkeypatch.setattr(run, "SETTINGS", replace(SETTINGS, steps=2))
    monkeypatch.setattr(back, "SETTINGS", replace(SETTINGS, steps=2))
    export = tmp_path / "export"
    shutil.copytree(EMBEDDED, export, ignore=shutil.ignore_patterns("tokens"))

    def knows():
        return any(word.startswith(TOKEN[:-1]) for word in load(str(export)).text.tokenizers[0].get_vocab())

    assert not knows()
    train_prior(TrainPrior("back", "1h", data=folder, work=tmp_path / "work", export=export, threads=1), print)
    assert knows()


def test_backs_of_heads_are_said_by_the_token(folder):
    found = backs_of_heads(shards(folder, "train"), 64, TOKEN, 3)
    records = [record for shard in shards(folder, "train") for record in shard.records]
    backs = [r for r in records if r["crop"] == "head" and abs((r["azimuth"] + 180) % 360 - 180) >= 130]
    assert 0 < len(found.images) == min(3, len(backs))
    assert all(prompt.endswith(f", {TOKEN}") for prompt in found.prompts)
    assert not any("view of" in prompt for prompt in found.prompts)
