"""Kept things come back equal, once a machine; damage and foreign files only cost time."""

import os

import numpy as np
import pytest
from scipy import sparse

from bozzetto import kept
from bozzetto.figure.spec import Colour


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("BOZZETTO_CACHE", str(tmp_path))
    return tmp_path


def counting(value):
    calls = []

    def fresh():
        @kept.kept(lambda size: f"thing-{size}")
        def make(size):
            calls.append(size)
            return value

        return make

    return fresh, calls


def test_everything_it_promises_comes_back_equal():
    value = {
        "a": (np.arange(6).reshape(2, 3), [1, 2.5, None, "x", True]),
        "m": sparse.random(5, 4, 0.5, format="csr", random_state=0),
        "c": Colour("red", "#ff0000"),
        "empty": np.zeros((0, 3), np.float32),
        "scalar": np.array(3.0),
    }
    fresh, calls = counting(value)
    fresh()(1)
    back = fresh()(1)
    assert calls == [1]
    np.testing.assert_array_equal(back["a"][0], value["a"][0])
    assert back["a"][1] == value["a"][1] and back["c"] == value["c"]
    assert abs(back["m"] - value["m"]).max() == 0
    assert back["empty"].shape == (0, 3) and back["scalar"].shape == ()


def test_other_arguments_make_another_thing():
    fresh, calls = counting(np.ones(2))
    make = fresh()
    make(1), make(2), make(1)
    assert calls == [1, 2]


def test_a_damaged_file_is_made_again(own_folder):
    fresh, calls = counting(np.ones(2))
    fresh()(1)
    (path,) = own_folder.glob("*/*.safetensors")
    path.write_bytes(b"nonsense")
    np.testing.assert_array_equal(fresh()(1), np.ones(2))
    assert calls == [1, 1]


def test_a_machine_that_keeps_nothing_still_works(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("BOZZETTO_CACHE", str(blocked))
    fresh, calls = counting(np.ones(2))
    fresh()(1), fresh()(1)
    assert calls == [1, 1]


def test_code_of_others_is_never_loaded():
    with pytest.raises(ValueError, match="not bozzetto's"):
        kept._assemble({"class": "subprocess:Popen", "fields": {"args": "true"}}, {})


def test_other_editions_stay_until_they_are_old(own_folder):
    young, old = own_folder / ("a" * 16), own_folder / ("b" * 16)
    foreign = own_folder / "pictures"
    for path in (young, old, foreign):
        path.mkdir()
    for path in (old, foreign):
        os.utime(path, (0, 0))
    fresh, _ = counting(np.ones(2))
    fresh()(1)
    assert young.exists() and foreign.exists() and not old.exists()


def test_things_are_made_again_when_what_their_maker_imports_changes_and_only_then():
    names = {path.name for path in kept._sources("bozzetto.figure.hair")}
    assert {"kept.py", "hair.py", "strands.py", "model.py"} <= names
    assert not names & {"garments.py", "shoes.py"}
