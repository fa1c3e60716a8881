"""The ruler of faces: pictures bend with their contours, it learns from them, and what ships sees where faces are."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bozzetto.evaluate.landmarks import Landmarks, contour_error, export_landmarks, load_landmarks
from bozzetto.figure.build import build_figure
from bozzetto.figure.colours import colour
from bozzetto.figure.ground_truth import stand
from bozzetto.figure.spec import FigureSpec, Garment, HairSpec
from bozzetto.training import data
from bozzetto.training.data import CONTOUR_LENGTHS, CONTOUR_NAMES, shards
from bozzetto.training.landmarks import (
    LIPS,
    Heads,
    Measuring,
    bent,
    dulled,
    heads_of,
    measured,
    pushed_mouth,
    random_shifts,
    read,
    shown,
)
from bozzetto.types import UserError

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def heads(tmp_path_factory):
    """Of three people."""
    folder = tmp_path_factory.mktemp("landmarks")
    data.make_shard(folder / "judge-00000.safetensors", "judge", 21, people=3, each=12)
    found = shards(folder, "judge")
    heads = heads_of(found, Measuring())
    facing = [r for r in found[0].records if r["crop"] == "head" and abs(r["azimuth"]) <= 60]
    assert 2 < len(heads.pictures) <= len(facing) and np.isfinite(heads.contours).all()
    return heads


def test_contours_go_where_pictures_are_bent():
    places = torch.tensor([[[20.0, 20.0], [44.0, 20.0], [32.0, 40.0], [20.0, 48.0]]]).repeat(3, 1, 1)
    grid = torch.stack(torch.meshgrid(torch.arange(64) + 0.5, torch.arange(64) + 0.5, indexing="xy"), -1)
    near = (grid[None, None] - places[:, :, None, None]).square().sum(-1)
    dots = torch.exp(-near / 8).amax(1)[..., None].repeat(1, 1, 1, 3)
    shifts = random_shifts(3, Measuring(), torch.Generator().manual_seed(3))
    moved, landed = bent(dots, places, shifts)
    assert (landed - places).norm(dim=-1).max() > 2
    for picture, points in zip(moved[..., 0], landed, strict=True):
        for point in points:
            weight = picture * ((grid - point).norm(dim=-1) < 5)
            assert ((weight[..., None] * grid).sum((0, 1)) / weight.sum() - point).norm() < 0.7
    assert torch.allclose(bent(dots, places, torch.zeros_like(shifts))[0], dots, atol=1e-5)


def test_a_pushed_mouth_takes_no_eyes_along(heads):
    pictures, contours = shown(heads, np.arange(len(heads.pictures)))
    moved, landed = bent(pictures, contours, pushed_mouth(contours, 64))
    down = (landed - contours)[..., 1]
    ends = np.cumsum(CONTOUR_LENGTHS)
    eyes = slice(int(ends[CONTOUR_NAMES.index("left_eye") - 1]), int(ends[CONTOUR_NAMES.index("right_brow")]))
    assert down[:, -LIPS:].mean() == pytest.approx(3, abs=0.5) and down[:, eyes].abs().max() < 0.3
    assert not torch.allclose(moved, pictures, atol=0.05)


def test_dull_pictures_are_pictures(heads):
    pictures, _ = shown(heads, np.arange(3))
    dull = dulled(pictures, torch.Generator().manual_seed(0))
    assert dull.shape == pictures.shape and 0 <= dull.min() < dull.max() <= 1
    assert (dull - pictures).abs().mean() > 0.02


def test_it_learns_where_faces_are_and_comes_back_from_disk(heads, tmp_path):
    torch.manual_seed(0)
    ruler = Landmarks()
    optimizer = torch.optim.Adam(ruler.parameters(), 1e-2)
    pictures, contours = shown(heads, np.arange(len(heads.pictures)))
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = (ruler(pictures) - contours).norm(dim=-1).mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
    export_landmarks(ruler, tmp_path / "landmarks")
    again = load_landmarks(tmp_path / "landmarks")
    assert (again(pictures) - read(ruler, pictures)).norm(dim=-1).mean() < 0.1
    found = measured(again, Heads(heads.pictures, heads.contours), Measuring())
    assert set(found) == {"held_error", "held_error_bent", "held_push_seen"}
    with pytest.raises(UserError, match="train-prior --part landmarks"):
        load_landmarks(tmp_path / "nowhere")
    path = tmp_path / "landmarks" / "model.safetensors"
    save_file({"stem": torch.zeros(2)}, path)
    with pytest.raises(UserError, match="another architecture"):
        load_landmarks(path.parent)
    path.write_bytes(b"half")
    with pytest.raises(UserError, match="damaged"):
        load_landmarks(path.parent)


def test_what_ships_sees_a_face_move():
    spec = FigureSpec(hair=HairSpec("short"), top=Garment("t-shirt", colour("grey")), bottom=None, shoes=None)
    view = stand(build_figure(spec, "low"), "standing").view(8, 0, 64, "head", background=(0.8, 0.8, 0.8))
    picture = torch.from_numpy(view.rgb).float()[None] / 255
    contours = torch.from_numpy(np.concatenate([view.contours[name] for name in CONTOUR_NAMES])).float()[None]
    ruler = load_landmarks()
    assert contour_error(ruler(picture), contours) < 6
    aside = ruler(picture.roll((2, 3), (1, 2))) - ruler(picture)
    assert torch.allclose(aside.mean(1), torch.tensor([[3.0, 2.0]]), atol=0.6)
    pushed, lower = bent(picture, contours, pushed_mouth(contours, 64))
    seen = (ruler(pushed) - ruler(picture))[:, -LIPS:, 1].mean() / (lower - contours)[:, -LIPS:, 1].mean()
    assert seen > 0.6
