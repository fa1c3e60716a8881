"""A recipe that takes long: what a stopped run leaves, and where the same command goes on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from bozzetto import cli, recipes
from bozzetto.figure.build import build_figure
from bozzetto.recipes.step import Resumable, Step
from bozzetto.runs import CHECKPOINT, read_record
from bozzetto.subject.words import read_words
from bozzetto.types import Avatar, Subject

WORDS = "a woman in a red sweater"
made: list[int] = []
"""Steps that were worked on, over all goes."""
stop_at: list[int] = []


@dataclass(frozen=True)
class Slow:
    """Counts to five, and may be stopped on the way."""

    seed: int = 0

    def fit(self, subject: Subject) -> Iterator[Step]:
        return self.resume(subject, {})

    def resume(self, subject: Subject, state: Mapping[str, Any]) -> Iterator[Step]:
        reading = read_words(subject.prompt, self.seed)

        def avatar() -> Avatar:
            return build_figure(reading.spec, "low").avatar

        yield Step(0, "words", reading, avatar)
        yield Step(1, "figure", reading, avatar, shown=True)
        for index in range(int(state.get("done", torch.tensor(0))), 5):
            if index in stop_at:
                stop_at.remove(index)
                raise KeyboardInterrupt
            made.append(index)
            done = torch.tensor(index + 1)
            yield Step(
                2 + index, f"count {index}", reading, avatar, share=index / 5, state=lambda done=done: {"done": done}
            )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "slow", Slow())
    written = []

    def pictures(run, step, film, report):
        if not run.has("preview.png"):
            with run.write("preview.png") as path:
                path.write_bytes(step.stage.encode())
            written.append(step.stage)

    monkeypatch.setattr(cli, "write_pictures", pictures)
    made.clear()
    stop_at.clear()
    return tmp_path / "run"


def generate(folder, *more):
    return cli.main(["generate", WORDS, "--recipe", "slow", "--out", str(folder), "--no-turntable", *more])


def test_it_is_resumable():
    assert isinstance(Slow(), Resumable) and isinstance(recipes.RECIPES["avatarbooth"], Resumable)
    assert not isinstance(recipes.RECIPES["draft"], Resumable)


def test_a_stopped_run_leaves_the_first_figure_and_goes_on_where_it_stood(folder, capsys):
    stop_at.append(3)
    assert generate(folder) == 130
    assert (folder / "avatar.glb").is_file() and (folder / "preview.png").read_bytes() == b"figure"
    assert (folder / CHECKPOINT).is_file()
    assert "--recipe slow" in capsys.readouterr().err
    first = (folder / "avatar.glb").stat().st_mtime_ns
    assert generate(folder) == 0
    assert made == [0, 1, 2, 3, 4]
    assert (folder / "avatar.glb").stat().st_mtime_ns > first
    assert (folder / "preview.png").read_bytes() == b"count 4"
    record = read_record(folder)
    assert record is not None and record.status == "finished" and record.steps == 7
    assert not (folder / CHECKPOINT).exists()


def test_another_run_never_goes_on_from_the_last_ones_checkpoint(folder):
    stop_at.append(3)
    assert generate(folder) == 130
    assert generate(folder, "--seed", "5", "--overwrite") == 0
    assert made == [0, 1, 2, 0, 1, 2, 3, 4]


def test_a_damaged_checkpoint_begins_anew(folder):
    stop_at.append(3)
    assert generate(folder) == 130
    (folder / CHECKPOINT).write_bytes(b"nothing")
    assert generate(folder) == 0
    assert made == [0, 1, 2, 0, 1, 2, 3, 4]
