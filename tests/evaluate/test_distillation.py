"""The loop paints what a prior asks for, where it asks for it."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from PIL import Image

from bozzetto.evaluate import distillation
from bozzetto.evaluate.distillation import (
    METHODS,
    Case,
    Painting,
    Seen,
    Stage,
    compare,
    look,
    mannequin,
    named_colours,
    paint,
    shoot,
    shots_around,
    table,
)
from bozzetto.figure.colours import colour
from bozzetto.guidance import Objective, PicturePrior

TEXELS = 48
SMALL = Painting(2, texture=TEXELS, bodies=20, heads=8)


class OneColour:
    """A prior that sees every picture of a prompt in one colour: red in front, blue from behind, else half of each."""

    native_size = 32

    def encode(self, images, generator=None):
        return 2 * images.movedim(-1, 1) - 1

    def decode(self, latents):
        return (latents / 2 + 0.5).movedim(1, -1)

    def embed(self, prompts):
        red, blue = (torch.tensor(colour(name).srgb) for name in ("red", "blue"))
        means = [red if "front" in p else blue if "back" in p else (red + blue) / 2 for p in prompts]
        return torch.stack([2 * mean.float() - 1 for mean in means])[:, None]

    def signal(self, t):
        return torch.cos(t * torch.pi / 2), torch.sin(t * torch.pi / 2)

    def predict_noise(self, noisy, t, text, conditions=None, inpainting=None):
        a, b = (each.view(-1, 1, 1, 1) for each in self.signal(t))
        return b * (noisy - a * text[:, 0, :, None, None]) / (a**2 * 0.1**2 + b**2)


@pytest.fixture(scope="module")
def body():
    return mannequin()


@pytest.fixture(scope="module")
def sides(body):
    return {side: shoot(body, angle, 0, "body", 48, TEXELS) for side, angle in (("front", 0), ("back", 180))}


@pytest.fixture(scope="module")
def shots(body):
    return shots_around(body, OneColour.native_size, SMALL)


def test_the_toy_is_a_prior():
    assert isinstance(OneColour(), PicturePrior)


def test_a_plain_texture_gives_a_plain_body_before_its_background(sides):
    plain = torch.full((TEXELS**2, 3), 0.3)
    picture = look([sides["front"]], plain, torch.tensor([[0.7, 0.8, 0.9]]))[0]
    alpha = sides["front"].alpha
    expected = alpha * 0.3 + (1 - alpha) * torch.tensor([0.7, 0.8, 0.9])
    torch.testing.assert_close(picture, expected, rtol=0, atol=1e-5)
    assert 0.05 < float(alpha.mean()) < 0.5


def test_pictures_pass_their_gradient_to_the_texels_they_show(sides):
    texture = torch.rand(TEXELS**2, 3, dtype=torch.float64, requires_grad=True)
    shot = sides["front"]
    weight = torch.rand(48, 48, 3, dtype=torch.float64)

    def value(texture):
        shares = type(shot)(**{**vars(shot), "shares": shot.shares.double(), "alpha": shot.alpha.double()})
        return (look([shares], texture)[0] * weight).sum()

    value(texture).backward()
    seen = int(shot.texels[1000])
    step = torch.zeros_like(texture)
    step[seen, 1] = 1e-3
    with torch.no_grad():
        measured = (value(texture + step) - value(texture - step)) / 2e-3
    assert float(texture.grad[seen, 1]) == pytest.approx(float(measured), rel=1e-6)
    hidden = torch.ones(TEXELS**2, dtype=torch.bool)
    hidden[shot.texels] = False
    assert texture.grad[hidden].abs().max() == 0


def test_regions_lie_where_people_wear_them(sides):
    rows = {index: np.nonzero(sides["front"].region == index)[0].mean() for index in range(3)}
    assert rows[2] < rows[0] < rows[1]


def test_sds_paints_the_front_and_the_back_as_asked(shots, sides):
    method = (Stage(Objective("sds", 1.0), learning_rate=0.15),)
    texture = list(paint(OneColour(), shots, "anyone", method, replace(SMALL, steps=60), seed=0))[-1]
    front = named_colours(texture, {"front": sides["front"]}, Case("", "red", "red"))
    back = named_colours(texture, {"back": sides["back"]}, Case("", "blue", "blue", "blue"))
    assert [seen.region for seen in front + back] == ["top", "bottom", "top", "bottom", "hair"]
    assert all(seen.right for seen in front + back), front + back
    wrong = named_colours(texture, {"front": sides["front"]}, Case("", "green", "white"))
    assert not any(seen.right for seen in wrong)


def test_controls_are_shown_where_there_is_a_network_for_them(shots):
    class Controlled(OneColour):
        roles = ("control/normal", "control/landmarks")

        def __init__(self):
            self.shown = []

        def predict_noise(self, noisy, t, text, conditions=None, inpainting=None):
            self.shown.append(conditions)
            return super().predict_noise(noisy, t, text)

    prior = Controlled()
    list(paint(prior, shots, "anyone", METHODS["x0 4"], replace(SMALL, steps=4), seed=0))
    asked = [sorted(each.pictures) for each in prior.shown]
    assert asked[0] == ["normal"] and asked[-1] == ["landmarks", "normal"]
    drawn = prior.shown[-1].pictures["landmarks"].amax((1, 2, 3)) > 0
    assert drawn[0] and not drawn[2], "lines of the face in front, none behind"
    blind = Controlled()
    list(paint(blind, shots, "anyone", METHODS["x0 4"], replace(SMALL, steps=1, control=False), seed=0))
    assert blind.shown[0] is None


def test_every_method_runs_and_repeats(shots):
    for name, method in METHODS.items():
        if name.startswith("vsd"):  # needs a network to copy
            continue
        textures = [list(paint(OneColour(), shots, "a", method, SMALL, seed=1)) for _ in range(2)]
        assert len(textures[0]) == 2, name
        assert torch.equal(textures[0][-1], textures[1][-1]), name
        assert torch.isfinite(textures[0][-1]).all(), name
        assert not torch.equal(textures[0][0], textures[0][1]), name


def test_a_stopped_comparison_goes_on(tmp_path, capsys):
    cases = [Case("anyone", "red", "red"), Case("another", "blue", "blue")]
    arguments = (OneColour(), [METHODS["sds 7.5"]], ["sds 7.5"])
    compare(*arguments, cases[:1], [0], SMALL, tmp_path)
    first = tmp_path / "sds_7.5-00-0.json"
    kept = first.stat().st_mtime_ns
    capsys.readouterr()
    compare(*arguments, cases, [0], SMALL, tmp_path)
    assert first.stat().st_mtime_ns == kept
    said = capsys.readouterr().out
    assert "sds_7.5-01-0: " in said
    assert "sds_7.5-00-0: " not in said
    assert (tmp_path / "sheet-0.png").exists()
    assert len(json.loads(first.read_text())["seen"]) == 4
    assert "| sds 7.5 | 2 | " in table(tmp_path, ["sds 7.5", "x0 4"])
    assert "x0 4" not in table(tmp_path, ["sds 7.5", "x0 4"])


def test_faces_are_looked_for_in_front_and_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(distillation, "shows_face", lambda picture: bool(picture.mean() > 100))
    run = {"method": "x0 4", "seconds": 1.0, "seen": [asdict(Seen("top", "front", "red", 3.0, True))]}
    for seed, bright in enumerate(((3,), (3, 5))):
        row = np.zeros((8, 48, 3), np.uint8)
        for tile in bright:
            row[:, 8 * tile : 8 * tile + 8] = 255
        Image.fromarray(row).save(tmp_path / f"x0_4-00-{seed}.png")
        (tmp_path / f"x0_4-00-{seed}.json").write_text(json.dumps(run))
    assert table(tmp_path, ["x0 4"], faces=True).splitlines()[-1] == "| x0 4 | 2 | 100 % |  |  |  |  | 3.0 | 1 | 2, 1 |"
