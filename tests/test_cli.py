"""The command line: what it says, what it refuses, what it leaves behind."""

import errno
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest
import torch
from filelock import FileLock
from PIL import Image

import bozzetto
from bozzetto import cli, doctor
from bozzetto.export.bones import BoneNames
from bozzetto.export.read import unpack_glb
from bozzetto.figure.build import Figure
from bozzetto.figure.spec import BodySpec, FigureSpec, to_json
from bozzetto.runs import from_json, sha256
from bozzetto.types import Avatar, Layer, Material, Mesh, Skeleton

WORDS = "a tall man in a red t-shirt"
HEAVY = ("torch", "numpy", "scipy", "numba", "PIL", "jaxtyping", "igl", "rapidfuzz", "simplemma", "webcolors")


def bozzetto_cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    source = Path(bozzetto.__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-m", "bozzetto", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source), "COLUMNS": "100"},
    )


def toy_avatar() -> Avatar:
    """One triangle on one bone."""
    import numpy as np

    mesh = Mesh(torch.eye(3), torch.tensor([[0, 1, 2]]), torch.zeros(1, 3, 2))
    weights = torch.tensor([[1.0, 0, 0, 0]] * 3)
    material = Material(np.full((2, 2, 3), 200, np.uint8))
    layer = Layer("skin", mesh, weights, torch.zeros(3, 4, dtype=torch.long), material)
    return Avatar((layer,), Skeleton(("head",), (-1,), torch.zeros(1, 3)))


def figure_with(avatar: Avatar) -> Figure:
    """A figure that has nothing else."""
    figure = object.__new__(Figure)
    object.__setattr__(figure, "avatar", avatar)
    return figure


@pytest.fixture
def toy(monkeypatch):
    """Real words, record and files; a triangle for a figure and a pixel for a picture. Counts what is made."""
    from bozzetto.export import glb

    made = []
    build, pictures = ModuleType("bozzetto.figure.build"), ModuleType("bozzetto.render.pictures")

    built = figure_with(toy_avatar())

    def turntable(scene, path, **_):
        made.append("turntable.mp4")
        path.write_bytes(b"film")

    def preview(scene, head_box, **_):
        made.append("preview.png")
        return Image.new("RGB", (2, 2))

    def write_glb(avatar, path, **options):
        made.append("avatar.glb")
        real_write_glb(avatar, path, **options)

    real_write_glb = glb.write_glb
    monkeypatch.setattr(glb, "write_glb", write_glb)
    vars(build).update(build_figure=lambda spec: built, Figure=Figure)
    vars(pictures).update(preview=preview, turntable=turntable)
    monkeypatch.setitem(sys.modules, "bozzetto.figure.build", build)
    monkeypatch.setitem(sys.modules, "bozzetto.render.pictures", pictures)
    monkeypatch.setattr(cli, "picture_scene", lambda avatar, spec: (None, None))
    monkeypatch.setattr(doctor, "ffmpeg", lambda: "ffmpeg")
    return made


def refused(capsys, *arguments: str) -> str:
    """Standard error of a command that is refused the way every user's mistake is: exit 2, one paragraph."""
    assert cli.main(arguments) == 2
    err = capsys.readouterr().err
    message = err.splitlines()[-1]
    assert "Traceback" not in err
    assert len(message) < 700
    assert all(line.endswith("...") for line in err.splitlines()[:-1]), "nothing but progress before the paragraph"
    return message


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rewritten(folder: Path, **changes) -> None:
    """The run's record with other values."""
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_help_imports_nothing_heavy():
    script = (
        "import sys, bozzetto.cli\n"
        "try: bozzetto.cli.main(sys.argv[1:])\n"
        f"finally: print(*(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    for arguments in ([], ["--help"], ["generate", "--help"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(bozzetto.__file__).parents[1])},
        )
        assert done.returncode == 0
        assert done.stderr.split() == []
        assert "bozzetto" in done.stdout


@pytest.mark.parametrize("arguments", [["digitize", "--help"], ["--help"], ["--version"]])
def test_a_reader_that_has_read_enough_gets_no_traceback(arguments):
    """As ``bozzetto digitize --help | head -1``, where head is gone before the first line."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "bozzetto", *arguments],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(bozzetto.__file__).parents[1])},
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_names_every_verb_and_option(capsys):
    helps = {}
    for verb in cli.VERBS:
        with pytest.raises(SystemExit) as ended:
            cli.main([verb, "--help"])
        assert ended.value.code in (0, None)
        helps[verb] = capsys.readouterr().out
    overview = bozzetto_cli().stdout
    assert re.findall(r"\W ([a-z-]+)  +[A-Z]", overview) == list(cli.VERBS), "each, in its order"
    options = ("--out", "--recipe", "--seed", "--overwrite", "--bone-names", "--no-turntable", "PROMPT")
    assert all(option in helps["generate"] for option in options)
    options = (
        "--to",
        "--out",
        "--bone-names",
        "--visemes",
        "--ledger",
        "--commercial",
        "--author",
        "--permit",
        "FOLDER",
    )
    assert all(option in helps["export"] for option in options)


def test_version():
    assert bozzetto_cli("--version").stdout.strip() == f"bozzetto {bozzetto.__version__}"


def test_bone_names_are_the_exporters():
    assert get_args(cli.BoneNames) == get_args(BoneNames)


MISTAKES = {
    "no such verb": (["frobnicate"], "frobnicate"),
    "rig without a folder": (["rig", "FILE"], "See: bozzetto rig --help"),
    "no prompt, no folder": (["generate"], "PROMPT and --out"),
    "no folder": (["generate", WORDS], "--out"),
    "empty prompt": (["generate", "  ", "--out", "OUT"], "empty"),
    "endless prompt": (["generate", "tall " * 2000, "--out", "OUT"], "10,000 characters"),
    "seed is no number": (["generate", WORDS, "--out", "OUT", "--seed", "lucky"], "'lucky' is not a whole number"),
    "seed is a fraction": (["generate", WORDS, "--out", "OUT", "--seed", "0.5"], "'0.5' is not a whole number"),
    "seed is negative": (["generate", WORDS, "--out", "OUT", "--seed", "-1"], "not -1"),
    "seed is huge": (["generate", WORDS, "--out", "OUT", "--seed", "9" * 40], "2^63"),
    "recipe misspelt": (["generate", WORDS, "--out", "OUT", "--recipe", "darft"], "Did you mean 'draft'?"),
    "recipe unknown": (["generate", WORDS, "--out", "OUT", "--recipe=zzz"], "Recipes: draft, avatarbooth"),
    "bones unknown": (["generate", WORDS, "--out", "OUT", "--bone-names", "maya"], "mixamo"),
    "option unknown": (["generate", WORDS, "--out", "OUT", "--sede", "3"], "--seed"),
    "below a file": (["generate", WORDS, "--out", "FILE/out"], "Cannot write"),
    "on a file": (["generate", WORDS, "--out", "FILE"], "Cannot write"),
    "foreign folder": (["generate", WORDS, "--out", "FOREIGN"], "no run of bozzetto's"),
    "foreign folder, overwrite": (["generate", WORDS, "--out", "FOREIGN", "--overwrite"], "no run of bozzetto's"),
    "a photo without consent": (["digitize", "FILE", "--out", "OUT"], "--consent"),
    "a photo whose name no disk takes": (["digitize", "x" * 300, "--out", "OUT", "--consent"], "Look at the name"),
    "no photo": (["digitize", "OUT", "--out", "OUT", "--consent"], "There is no photo"),
    "a photo that is none": (["digitize", "FILE", "--out", "OUT", "--consent"], "FILE"),
    "a shape that is nowhere": (["digitize", "FILE", "--out", "OUT", "--consent", "--shape", "a.obj"], "no file a.obj"),
    "a shape and photos": (
        ["digitize", "FILE", "--out", "OUT", "--consent", "--photos", "FILE", "--shape", "a.obj"],
        "or --shape",
    ),
    "a static vrm": (["digitize", "FILE", "--out", "OUT", "--consent", "--static", "--to", "vrm"], "no skeleton"),
    "export nothing": (["export"], "FOLDER"),
    "export a missing folder": (["export", "OUT"], "There is no folder"),
    "export a foreign folder": (["export", "FOREIGN"], "no figure.json"),
    "export a broken figure": (["export", "BROKEN"], "cannot be read"),
    "export an impossible figure": (["export", "IMPOSSIBLE"], "spec.hair.style is 'beehive'"),
    "export a giant": (["export", "GIANT"], "spec.body.height is 180; it lies between"),
    "export a body without measure": (["export", "NOBODY"], "spec.body.weight is nan"),
    "export a colour that is none": (["export", "COLOURLESS"], "'red' is no colour"),
    "export an unknown pose": (["export", "POSED"], "Did you mean 'sitting'?"),
    "export a negative seed": (["export", "SEEDED"], "spec.seed is -1"),
    "export what cannot be read back": (["export", "FIGURE", "--webp", "--out", "FIGURE/avatar.glb"], "other commands"),
    "export to here": (["export", "FIGURE", "--to", "glb,obj", "--out", "."], ". is a folder"),
    "export a ledger to here": (["export", "FIGURE", "--ledger", "--out", "."], ". is a folder"),
    "export another format": (["export", "FIGURE", "--to", "gltf"], "Did you mean 'glb'?"),
    "export no format": (["export", "FIGURE", "--to", ","], "It writes: glb, vrm"),
    "export a renamed vrm": (["export", "FIGURE", "--to", "vrm", "--bone-names", "mixamo"], "have VRM's names"),
    "export with a new right": (["export", "FIGURE", "--permit", "evrything"], "Did you mean 'everyone'?"),
    "export with a new licence": (["export", "FIGURE", "--license", "MIT-ish"], "nor one of CC0-1.0"),
    "export without a title": (["export", "FIGURE", "--title", "  "], "--title"),
    "export an unknown prompt": (["export", "FIGURE", "--embed-prompt"], "--embed-prompt"),
    "generate a renamed vrm": (
        ["generate", WORDS, "--out", "OUT", "--to", "vrm", "--bone-names", "unity"],
        "have VRM's",
    ),
    "generate a child for anything": (
        ["generate", "a girl of 12 in a red dress", "--out", "OUT", "--permit", "sexual"],
        "under 18",
    ),
    "export over a file": (["export", "FIGURE", "--out", "FILE"], "--overwrite"),
    "export over a folder": (["export", "FIGURE", "--out", "FOREIGN"], "is a folder"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_get_one_paragraph_and_write_nothing(mistake, tmp_path, capsys):
    files = {
        "FILE": "x",
        "FOREIGN/holiday.jpg": "x",
        "BROKEN/figure.json": "{",
        "IMPOSSIBLE/figure.json": '{"hair": {"style": "beehive"}}',
        "GIANT/figure.json": '{"body": {"height": 180}}',
        "NOBODY/figure.json": '{"body": {"weight": NaN}}',
        "COLOURLESS/figure.json": '{"hair": {"colour": {"name": "red", "hex": "red"}}}',
        "POSED/figure.json": '{"pose": "siting"}',
        "SEEDED/figure.json": '{"seed": -1}',
        "FIGURE/figure.json": to_json(FigureSpec()),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    before = everything(tmp_path)
    arguments, told = MISTAKES[mistake]
    places = {name.split("/")[0] for name in files} | {"OUT"}
    arguments = [str(tmp_path / each) if each.split("/")[0] in places else each for each in arguments]
    assert told in refused(capsys, *arguments)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("prompt", ["blorp zquix", "12345", "!!!", "\N{PILE OF POO}"])
def test_words_that_say_nothing_are_refused(prompt, tmp_path, capsys):
    refused(capsys, "generate", prompt, "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_nobody_can_make(capsys):
    assert "Cannot write" in refused(capsys, "generate", WORDS, "--out", "/proc/bozzetto")


def test_a_mistake_from_a_shell(tmp_path):
    (tmp_path / "file").touch()
    done = bozzetto_cli("generate", WORDS, "--out", str(tmp_path / "file"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("Cannot write in")


def test_generate_writes_the_run_folder(toy, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["generate", f"{WORDS} with a blorp", "--out", str(out), "--seed", "5"]) == 0
    said = capsys.readouterr()
    assert "Understood:" in said.out and "red" in said.out
    assert [line for line in said.out.splitlines() if line.startswith("Not understood:") and "blorp" in line]
    assert "Done in" in said.out and str(out / "avatar.glb") in said.out
    assert toy == ["avatar.glb", "preview.png", "turntable.mp4"], "the character comes first"
    written = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    files = {"avatar.glb", "figure.json", "index.html", "preview.png", "turntable.mp4", "run.json", "log.csv"}
    assert written == files
    record = from_json((out / "run.json").read_text())
    assert record.status == "finished"
    assert record.request.fields == {"seed": 5}
    assert record.steps == 2
    assert set(record.outputs) == written - {"run.json", "log.csv"}
    assert {"words", "figure", "avatar.glb"} <= set(record.seconds)
    assert record.quality["triangles"] == 1
    assert any("blorp" in word for word in record.not_understood)


def test_a_finished_figure_is_not_replaced_by_chance(toy, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert cli.main(["generate", WORDS, "--out", out]) == 0
    before = everything(tmp_path)
    assert "--overwrite" in refused(capsys, "generate", "a short woman in a blue dress", "--out", out)
    assert everything(tmp_path) == before
    assert cli.main(["generate", "a short woman in a blue dress", "--out", out, "--overwrite"]) == 0
    assert "short woman" in (tmp_path / "out" / "run.json").read_text()


def test_control_c_keeps_what_is_whole_and_the_same_command_goes_on(toy, tmp_path, capsys, monkeypatch):
    out = tmp_path / "it's out"
    pictures = sys.modules["bozzetto.render.pictures"]
    film = pictures.turntable

    def interrupted(scene, path, **_):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pictures, "turntable", interrupted)
    command = ["generate", WORDS, "--out", str(out), "--seed", "5"]
    assert cli.main(command) == 130
    told = capsys.readouterr().err
    assert "avatar.glb" in told
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    assert (out / "avatar.glb").exists() and not (out / "turntable.mp4").exists()

    import shlex

    again = shlex.split(told.splitlines()[-1])
    assert again == ["bozzetto", *command]
    monkeypatch.setattr(pictures, "turntable", film)
    toy.clear()
    assert cli.main(again[1:]) == 0
    assert toy == ["turntable.mp4"]
    assert json.loads((out / "run.json").read_text())["status"] == "finished"


def test_a_full_disk_is_a_paragraph(toy, tmp_path, capsys, monkeypatch):
    def full(scene, path, **_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sys.modules["bozzetto.render.pictures"], "turntable", full)
    assert "No space left" in refused(capsys, "generate", WORDS, "--out", str(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "interrupted"


def test_a_reader_who_leaves_stops_nothing():
    script = "from bozzetto.terminal import say\nfor _ in range(9): say('x')\nsay('on', aside=True)"
    reader, writer = os.pipe()
    os.close(reader)
    environment = {**os.environ, "PYTHONPATH": str(Path(bozzetto.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", script], stdout=writer, stderr=subprocess.PIPE, env=environment)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"on\n")


def test_without_ffmpeg_there_is_a_figure_and_a_hint(toy, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(doctor, "ffmpeg", lambda: None)
    assert cli.main(["generate", WORDS, "--out", str(tmp_path / "out")]) == 0
    assert "pip install 'bozzetto[video]'" in capsys.readouterr().err
    assert (tmp_path / "out" / "preview.png").exists() and not (tmp_path / "out" / "turntable.mp4").exists()


def test_no_page(toy, tmp_path, capsys):
    assert cli.main(["generate", WORDS, "--out", str(tmp_path / "out"), "--no-page"]) == 0
    assert not (tmp_path / "out" / "index.html").exists()


def test_no_turntable(toy, tmp_path, capsys):
    assert cli.main(["generate", WORDS, "--out", str(tmp_path / "out"), "--no-turntable"]) == 0
    assert toy == ["avatar.glb", "preview.png"]
    assert "ffmpeg" not in capsys.readouterr().err


def test_export_writes_an_edited_figure_again(toy, tmp_path, capsys):
    (tmp_path / "figure.json").write_text(to_json(FigureSpec(BodySpec(height=1.9))))
    assert cli.main(["export", str(tmp_path), "--bone-names", "mixamo"]) == 0
    assert (tmp_path / "avatar.mixamo.glb").read_bytes()[:4] == b"glTF"
    assert cli.main(["export", str(tmp_path), "--out", str(tmp_path / "new" / "me.glb")]) == 0
    assert (tmp_path / "new" / "me.glb").read_bytes()[:4] == b"glTF"


def test_several_formats_keep_a_name_with_dots(toy, tmp_path, capsys):
    (tmp_path / "figure.json").write_text(to_json(FigureSpec()))
    assert cli.main(["export", str(tmp_path), "--to", "glb,obj", "--out", str(tmp_path / "new" / "v1.2")]) == 0
    assert cli.main(["export", str(tmp_path), "--to", "glb,ply", "--out", str(tmp_path / "new" / "me.GLB")]) == 0
    written = {path.name for path in (tmp_path / "new").iterdir()}
    assert {"v1.2.glb", "v1.2.obj", "me.glb", "me.ply"} <= written


def finished(out: Path, **changes) -> Path:
    """A run's folder, its record changed."""
    assert cli.main(["generate", WORDS, "--out", str(out), "--no-turntable"]) == 0
    rewritten(out, **changes)
    return out


def test_a_static_mesh_makes_no_vrm(toy, tmp_path, capsys, monkeypatch):
    still = replace(toy_avatar(), skeleton=Skeleton(("root",), (-1,), torch.zeros(1, 3)))
    monkeypatch.setattr(sys.modules["bozzetto.figure.build"], "build_figure", lambda spec: figure_with(still))
    out = finished(tmp_path / "out")
    capsys.readouterr()
    assert "no skeleton" in refused(capsys, "export", str(out), "--to", "glb,vrm")
    assert not list(out.glob("avatar.vrm*"))


def test_an_edited_figure_changes_nothing_where_the_character_is_read(toy, tmp_path, capsys):
    out = finished(tmp_path / "out", recipe="digitize")
    again = ["export", str(out), "--overwrite"]
    assert cli.main(again) == 0
    assert "was edited" not in capsys.readouterr().out
    (out / "figure.json").write_text(to_json(FigureSpec(BodySpec(age=80.0))))
    assert cli.main(again) == 0
    assert "read from avatar.glb" in capsys.readouterr().out
    assert "how old" in refused(capsys, *again, "--permit", "sexual")


def test_an_export_into_the_run_waits_for_nobody_and_tells_the_record(toy, tmp_path, capsys):
    out = finished(tmp_path / "out")
    command = ["export", str(out), "--out", str(out / "avatar.glb"), "--overwrite", "--author", "Jo"]
    before = sha256(out / "avatar.glb")
    capsys.readouterr()
    with FileLock(out / ".lock"):
        assert "Another bozzetto is writing" in refused(capsys, *command)
        assert cli.main(["export", str(out), "--out", str(tmp_path / "elsewhere.glb")]) == 0
    assert sha256(out / "avatar.glb") == before
    assert cli.main([*command[:2], "--bone-names", "unity"]) == 0
    assert cli.main(command) == 0
    outputs = from_json((out / "run.json").read_text()).outputs
    assert outputs["avatar.glb"].sha256 == sha256(out / "avatar.glb") != before
    assert "avatar.unity.glb" not in outputs, "not the run's own"


def test_vrm_is_written_only_when_asked_for_and_says_what_was_permitted(toy, tmp_path, capsys, monkeypatch):
    from bozzetto.export import formats, vrm

    seen = []

    def vrm_bytes(avatar, *, marks, thumbnail, visemes=False, **_):
        seen.append((marks, thumbnail.size, visemes))
        return b"vrm"

    monkeypatch.setattr(vrm, "write_vrm", lambda avatar, path, **how: path.write_bytes(vrm_bytes(avatar, **how)))
    monkeypatch.setattr(formats, "vrm_bytes", vrm_bytes)
    out = tmp_path / "out"
    words = ["generate", WORDS, "--out", str(out), "--author", "Jo", "--author", "Flo", "--permit", "modify"]
    words += ["--title", "Ada the brave"]
    assert cli.main([*words, "--to", "glb,vrm", "--no-turntable"]) == 0
    assert "it may be changed. Nothing else." in capsys.readouterr().out
    ((marks, size, visemes),) = seen
    assert (marks.rights.authors, marks.recipe, marks.prompt) == (("Jo", "Flo"), "draft", None)
    assert marks.title == "Ada the brave" and marks.given is None
    assert size == (2, 2) and not visemes, "the preview's last square"
    assert "avatar.vrm" in from_json((out / "run.json").read_text()).outputs
    again = ["export", str(out), "--to", "glb, vrm", "--visemes", "oculus", "--ledger", "--embed-prompt"]
    assert cli.main([*again, "--out", str(tmp_path / "new" / "me.glb")]) == 0
    assert seen[1][0].prompt == WORDS and seen[1][2] and seen[1][0].title is None
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"me.glb", "me.vrm", "ledger.json"}
    assert cli.main(["generate", WORDS, "--out", str(tmp_path / "plain"), "--no-turntable"]) == 0
    assert not (tmp_path / "plain" / "avatar.vrm").exists() and len(seen) == 2


def test_a_file_keeps_the_words_to_itself(toy, tmp_path):
    for name, options in (("kept", []), ("told", ["--embed-prompt"])):
        assert cli.main(["generate", WORDS, "--out", str(tmp_path / name), "--no-turntable", *options]) == 0
    assert WORDS.encode() not in (tmp_path / "kept" / "avatar.glb").read_bytes()
    assert WORDS.encode() in (tmp_path / "told" / "avatar.glb").read_bytes()


def test_commercial_is_refused_for_a_prior_nobody_knows(toy, tmp_path, capsys):
    assert cli.main(["generate", WORDS, "--out", str(tmp_path / "out"), "--no-turntable"]) == 0
    for fields in ({"prior": "somebody/unknown"}, {"prior": "embedded", "head_prior": "somebody/unknown"}):
        rewritten(tmp_path / "out", fields=fields)
        capsys.readouterr()
        for options in (["--commercial"], ["--permit", "commercial"]):
            assert "unknown (licence unknown to bozzetto)" in refused(capsys, "export", str(tmp_path / "out"), *options)
    assert cli.main(["export", str(tmp_path / "out"), "--out", str(tmp_path / "mine.glb")]) == 0
    assert b"embedded, somebody/unknown" in (tmp_path / "mine.glb").read_bytes()


def test_a_mesh_of_ones_own_is_in_the_ledger_and_no_silent_yes(toy, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.main(["generate", WORDS, "--out", str(out), "--no-turntable"]) == 0
    rewritten(out, recipe="rig", fields={"file": "scan.glb", "sha256": "ab" * 32})
    capsys.readouterr()
    assert cli.main(["export", str(out), "--ledger", "--commercial", "--out", str(tmp_path / "new" / "me.glb")]) == 0
    assert "scan.glb: commercial use needs the permission" in capsys.readouterr().out
    rows = json.loads((tmp_path / "new" / "ledger.json").read_text())["used"]
    assert [row["sha256"] for row in rows if row["kind"] == "mesh"] == ["ab" * 32]
    extras = unpack_glb((tmp_path / "new" / "me.glb").read_bytes())[0]["asset"]["extras"]
    assert extras["source_sha256"] == "ab" * 32 and "ai_generated" not in extras


def test_doctor_finds_this_place_healthy(capsys):
    assert cli.main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in ("python", "torch", "numba", "body.npz", "ffmpeg", "cache", "disk"))
    assert "FAIL" not in told


def test_doctor_looks_at_each_cache_by_itself(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("BOZZETTO_CACHE", str(blocked / "kept"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "new" / "kernels"))
    kernels, things = doctor.caches()
    assert (kernels.verdict, kernels.found) == ("pass", str(tmp_path / "new" / "kernels"))
    assert (things.verdict, things.found) == ("note", f"cannot write in {blocked / 'kept'}")
    assert "BOZZETTO_CACHE" in things.remedy
    assert everything(tmp_path) == {blocked: b""} and not (tmp_path / "new").exists(), "a look leaves nothing behind"


def test_doctor_in_a_folder_that_is_gone(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert doctor.disk().verdict in ("pass", "FAIL")


def test_doctor_notices_a_damaged_asset(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "ASSETS", {"py.typed": "0" * 64, "body/data/gone.npz": "0" * 64})
    assert cli.main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "FAIL  py.typed" in told and "FAIL  gone.npz" in told and "git checkout" in told


@pytest.mark.slow
def test_a_real_figure_from_a_fresh_process(tmp_path):
    done = bozzetto_cli("generate", WORDS, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    record = from_json((tmp_path / "out" / "run.json").read_text())
    assert record.status == "finished"
    assert record.quality["triangles"] > 10_000
    assert Image.open(tmp_path / "out" / "preview.png").width > 1000
