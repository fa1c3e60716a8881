"""bozzetto imagine, without the command line around it."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import tyro
from PIL import Image

from bozzetto.prior.command import Imagine, read_picture, write_picture
from bozzetto.types import UserError


@pytest.fixture
def ask(embedded, tmp_path):
    return Imagine("a red man", tmp_path / "out" / "man.png", prior=str(embedded), steps=2)


def test_a_picture_is_written_and_the_seed_decides(ask, capsys, tmp_path):
    assert ask.run() == 0
    assert capsys.readouterr().out.strip() == str(ask.out)
    with Image.open(ask.out) as picture:
        assert picture.size == (64, 64) and picture.mode == "RGB"
    again = replace(ask, out=tmp_path / "again.png")
    other = replace(ask, out=tmp_path / "other.png", seed=1)
    assert again.run() == other.run() == 0
    assert again.out.read_bytes() == ask.out.read_bytes() != other.out.read_bytes()
    assert not list(ask.out.parent.glob(".*"))


def test_several_pictures_are_numbered_and_sized(ask, capsys):
    many = replace(ask, count=2, size=32, seed=5)
    assert many.run() == 0
    names = [path.name for path in sorted(ask.out.parent.iterdir())]
    assert names == ["man-1.png", "man-2.png"]
    one, two = (np.asarray(Image.open(ask.out.parent / name)) for name in names)
    assert one.shape == (32, 32, 3) and (one != two).any()
    second = replace(ask, size=32, seed=6)  # each is what its own seed gives
    assert second.run() == 0
    assert (np.asarray(Image.open(ask.out)) == two).all()


def test_controls_change_the_picture(ask, tmp_path):
    write_picture(torch.rand(40, 40, 3), tmp_path / "normal.png")
    ask.run()
    shown = replace(ask, out=tmp_path / "shown.png", control=(f"normal={tmp_path / 'normal.png'}",))
    assert shown.run() == 0 and shown.out.read_bytes() != ask.out.read_bytes()
    assert read_picture(tmp_path / "normal.png", 64).shape == (1, 64, 64, 3)


def test_unknown_words_and_a_long_prompt_are_named(ask, capsys):
    assert replace(ask, prompt="a red dragon with a glorp").run() == 0
    error = capsys.readouterr().err
    assert "has never seen: dragon, with, glorp." in error
    assert replace(ask, prompt="a red man " * 5 + "in dress", overwrite=True).run() == 0
    assert 'ignores: "' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"prompt": "  "}, "empty"),
        ({"steps": 0}, "--steps must be at least 1"),
        ({"count": -1}, "--count"),
        ({"size": 62}, "Try --size 64"),
        ({"control": ("depth=a.png",)}, "NAME=FILE"),
        ({"control": ("normal",)}, "NAME=FILE"),
        ({"control": ("normal=nowhere.png",)}, "no picture nowhere.png"),
        ({"prior": "nowhere"}, "no prior 'nowhere'"),
    ],
)
def test_mistakes(changes, says, ask):
    with pytest.raises(UserError, match=says):
        replace(ask, **changes).run()
    assert not ask.out.exists()


def test_more_mistakes(ask, tmp_path, sd15):
    with pytest.raises(UserError, match="PNG"):
        replace(ask, out=tmp_path / "man.jpg").run()
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(UserError, match="cannot be read as a picture"):
        replace(ask, control=(f"pose={tmp_path / 'text.png'}",)).run()
    ask.run()
    with pytest.raises(UserError, match="--overwrite"):
        ask.run()
    write_picture(torch.rand(8, 8, 3), tmp_path / "pose.png")
    with pytest.raises(UserError, match="control/pose"):
        replace(ask, out=tmp_path / "b.png", prior=str(sd15), control=(f"pose={tmp_path / 'pose.png'}",)).run()


def test_the_command_line_reads_controls():
    parsed = tyro.cli(Imagine, args=["a man", "--out", "a.png", "--control", "normal=n.png", "--control", "pose=p.png"])
    assert parsed.control == ("normal=n.png", "pose=p.png") and parsed.prompt == "a man"


def test_the_command_is_light_to_import():
    heavy = ("torch", "diffusers", "transformers", "numpy")
    code = f"import sys, bozzetto.prior.command; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
