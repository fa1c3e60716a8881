"""Many photos, sorted: what each is used for, which are left out and why; no detector is asked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bozzetto.subject.photos import Face, Keypoints, Photo
from bozzetto.subject.piles import (
    MOST,
    Square,
    file_names,
    hashes,
    head_square,
    of_one_person,
    sort_photos,
    trunk_turn,
)
from bozzetto.types import UserError


def photo(path, part="full body", turn=0.0, scale=1.0, face=True):
    """A person 400 pixels tall, the head 60, seen from ``turn`` degrees to their left."""
    height = int(440 * scale)
    mask = np.zeros((height, height), np.float32)
    mask[int(20 * scale) : int(420 * scale), int(150 * scale) : int(290 * scale)] = 1
    pixels = np.tile(np.array([220.0, 60.0]), (33, 1))
    pixels[7], pixels[8], pixels[11], pixels[12] = (240, 60), (200, 60), (260, 120), (180, 120)
    a = np.radians(turn)
    world = np.zeros((33, 3))
    for left, right, half in ((11, 12, 0.2), (23, 24, 0.12)):
        world[left] = half * np.array([np.cos(a), 0, -np.sin(a)])
        world[right] = -world[left]
    points = np.zeros((468, 3))
    points[10], points[152] = (220, 30, 0), (220, 90, 0)
    side = 25 * np.array([np.cos(a), 0, -np.sin(a)])
    points[454], points[234] = np.add([220, 60, 0], side), np.subtract([220, 60, 0], side)
    keys = Keypoints(pixels * scale, np.ones(33), world)
    seen = Face(points * scale) if face else None
    return Photo(path, np.full((height, height, 3), 0.5), mask, keys, seen, part, (), path.name)


@pytest.fixture
def files(tmp_path):
    def write(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
            (tmp_path / name).write_bytes(name.encode())
        return [tmp_path / name for name in names]

    return write


def test_bodies_and_heads_are_told_apart_and_the_best_comes_first(files):
    found = {
        "back.jpg": photo(Path("back.jpg"), turn=180, face=False), "front.jpg": photo(Path("front.jpg"), turn=10),
        "head.jpg": photo(Path("head.jpg"), "portrait", turn=40, scale=3), "far.jpg": photo(Path("far.jpg"), scale=0.4),
    }  # fmt: skip
    piles = sort_photos(files(*found), lambda path: found[path.name])
    assert [each.name for each in piles.photos] == ["front.jpg", "far.jpg", "back.jpg", "head.jpg"]
    assert {each.name for each in piles.bodies} == {"front.jpg", "far.jpg", "back.jpg"}
    assert {each.name for each in piles.heads} == {"front.jpg", "back.jpg", "head.jpg"}
    said = dict(line.split(": ", 1) for line in piles.words())
    assert said["front.jpg"].startswith("for the body (full body, 440 pixels tall, from the front), for the head")
    assert "from behind" in said["back.jpg"] and "from the person's left" in said["head.jpg"]
    assert "not for the head: its head has 53 pixels, 64 are the least" in said["far.jpg"]


def test_unusable_photos_are_named_and_the_others_used(files):
    def read(path):
        if path.name == "cat.jpg":
            raise UserError("Nobody was found in cat.jpg.")
        return replace(photo(path), sha256="same" if "copy" in path.name or path.name == "a.jpg" else path.name)

    piles = sort_photos(files("cat.jpg", "a.jpg", "copy.jpg", "b.jpg"), read)
    assert len(piles.photos) == 2
    assert piles.refused == (
        "cat.jpg is not used. Nobody was found in cat.jpg.", "copy.jpg is not used: it is the same file as a.jpg.",
    )  # fmt: skip


def test_half_bodies_teach_the_body_only_where_no_photo_shows_more(files):
    def read(path):
        return photo(path, "half body" if path.name == "half.jpg" else "full body")

    alone = sort_photos(files("half.jpg"), read)
    both = sort_photos(files("half.jpg", "whole.jpg"), read)
    assert len(alone.bodies) == 1 and [each.name for each in both.bodies] == ["whole.jpg"]
    assert len(both.heads) == 2


def test_nothing_usable_is_one_paragraph(files, tmp_path):
    def refuse(path):
        raise UserError(f"Nobody was found in {path.name}.")

    with pytest.raises(UserError, match=r"None of the photos.*a\.jpg.*b\.jpg") as caught:
        sort_photos(files("a.jpg", "b.jpg"), refuse)
    assert "\n" not in str(caught.value)
    for wrong, said in (([], "1 to 20"), ([tmp_path], "is a folder"), ([tmp_path / "no.jpg"], "There is no photo")):
        with pytest.raises(UserError, match=said):
            sort_photos(wrong)
    with pytest.raises(UserError, match="these are 21"):
        hashes([tmp_path] * (MOST + 1))


def test_a_photo_may_be_called_what_it_likes(files):
    def read(path):
        if path.name != "a.jpg":
            raise UserError(f"Nobody was found in {path.name}.")
        return photo(path)

    piles = sort_photos(files("made by MediaPipe.jpg", "a.jpg"), read)
    assert [each.name for each in piles.photos] == ["a.jpg"] and "MediaPipe" in piles.refused[0]


def test_files_of_one_name_are_told_apart(files):
    paths = files("a/me.jpg", "b/me.jpg", "c.jpg")
    assert file_names(paths) == ["me.jpg", "me (2).jpg", "c.jpg"]
    assert len(set(hashes(paths).values())) == 3


def test_the_largest_group_of_alike_heads_is_used(files):
    piles = sort_photos(files("a.jpg", "b.jpg", "c.jpg", "d.jpg"), photo)
    vectors = {"a.jpg": [1.0, 0.0], "b.jpg": [0.0, 1.0], "c.jpg": [0.8, 0.6], "d.jpg": [-0.6, 0.8]}
    chosen = of_one_person(piles, lambda heads: np.array([vectors[each.name] for each in heads]), 0.7)
    assert {each.name for each in chosen.photos} == {"a.jpg", "c.jpg"} or {e.name for e in chosen.photos} == {
        "b.jpg", "d.jpg",
    }  # fmt: skip
    assert len(chosen.refused) == 2 and "somebody else" in chosen.refused[0]
    assert of_one_person(piles, lambda heads: np.ones((4, 1)), 0.7) is piles


def test_turns_are_degrees_towards_the_left_side():
    for turn in (-60.0, 0.0, 35.0, 170.0):
        one = photo(Path("a.jpg"), turn=turn)
        assert trunk_turn(one) == pytest.approx(turn)


def test_a_heads_square_is_around_it_and_cuts_what_it_holds():
    square = head_square(photo(Path("a.jpg")))
    assert square is not None and square.side == pytest.approx(2.2 * 60)
    assert square.left + square.side / 2 == pytest.approx(220) and square.top < 30 < 90 < square.top + square.side
    picture = np.zeros((40, 40, 1), np.float32)
    picture[10:20, 10:20] = 1
    np.testing.assert_allclose(Square(10, 10, 10).cut(picture, 8), 1.0, atol=0.2)
    over = Square(-40, -40, 40).cut(picture, 8)
    assert over.shape == (8, 8, 1) and over.max() == 0
