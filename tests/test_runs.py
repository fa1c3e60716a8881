import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bozzetto import runs
from bozzetto.runs import Request, atomic_path, check_folder, from_json, open_run, read_record, sha256, to_json
from bozzetto.types import Mesh, UserError

REQUEST = Request("draft", {"seed": 3}, "a tall man")


def write(run: runs.Run, name: str, content: bytes) -> None:
    with run.write(name) as path:
        path.write_bytes(content)


def finished(folder: Path, request: Request = REQUEST, *names: str) -> None:
    with open_run(folder, request) as run:
        for name in names or ("figure.json", "avatar.glb", "preview.png"):
            write(run, name, f"old {name}".encode())
        run.finish()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_a_wrong_shape_is_refused():
    """The shape checker is at work in these tests."""
    import torch
    from jaxtyping import TypeCheckError

    vertices, faces = torch.zeros(3, 3), torch.zeros(1, 3, dtype=torch.long)
    Mesh(vertices, faces, torch.zeros(1, 3, 2))
    with pytest.raises(TypeCheckError):
        Mesh(vertices, faces, torch.zeros(2, 3, 2))


def test_the_record_has_what_a_repeat_needs(tmp_path):
    with open_run(tmp_path / "new" / "run", REQUEST) as run:
        run.log(0, None, 0.25)
        run.log(1, 0.5, 0.125)
        with run.stage("figure"):
            pass
        write(run, "avatar.glb", b"glb")
        run.note(understood=("tall", "man"), not_understood=("blorp",), quality={"vertices": 3})
        assert json.loads((run.folder / "run.json").read_text())["status"] == "running"
        run.finish()
    record = json.loads((tmp_path / "new" / "run" / "run.json").read_text())
    assert record["schema_version"] == 1
    assert (record["recipe"], record["fields"], record["seed"]) == ("draft", {"seed": 3}, 3)
    assert (record["prompt"], record["bone_names"], record["photos"]) == ("a tall man", "vrm", {})
    assert (record["parent"], record["status"], record["steps"]) == (None, "finished", 2)
    assert set(record["versions"]) == {"bozzetto", "torch", "numpy", "python"}
    assert set(record["seconds"]) == {"figure", "avatar.glb"}
    assert record["outputs"] == {"avatar.glb": {"sha256": sha256(run.folder / "avatar.glb"), "bytes": 3}}
    assert (record["understood"], record["guessed"], record["not_understood"]) == (["tall", "man"], [], ["blorp"])
    assert record["quality"] == {"vertices": 3}
    assert (run.folder / "log.csv").read_text().split() == ["step,loss,seconds", "0,,0.250", "1,0.5,0.125"]


names = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=8)
texts = st.text(max_size=30)


@given(
    prompt=texts, seed=st.integers(0, 2**63 - 1), lists=st.lists(texts), seconds=st.dictionaries(names, st.floats(0))
)
def test_a_record_survives_its_file(prompt, seed, lists, seconds):
    seconds = {name: value for name, value in seconds.items() if value != float("inf")}
    request = replace(REQUEST, prompt=prompt, fields={"seed": seed})
    record = runs.Record(request, runs.versions(), seconds=seconds, guessed=tuple(lists))
    assert from_json(to_json(record)) == record


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", ""])
def test_a_record_cannot_name_files_elsewhere(name):
    record = runs.Record(REQUEST, {}, outputs={name: runs.Output("", 0)})
    with pytest.raises(ValueError, match="no file of a run folder"):
        from_json(to_json(record))


@given(old=st.none() | st.binary(max_size=50), new=st.binary(max_size=50), cut=st.none() | st.integers(0, 50))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_a_file_is_the_old_or_the_new_one_never_a_part(tmp_path, old, new, cut):
    path = tmp_path / "file.bin"
    path.unlink(missing_ok=True)
    if old is not None:
        path.write_bytes(old)
    try:
        with atomic_path(path) as partial:
            partial.write_bytes(new if cut is None else new[:cut])
            assert (path.read_bytes() if path.exists() else None) == old
            if cut is not None:
                raise OSError("the disk is full")
    except OSError:
        pass
    assert (path.read_bytes() if path.exists() else None) == (new if cut is None else old)
    assert {each.name for each in tmp_path.iterdir()} <= {"file.bin"}


def test_a_killed_run_leaves_only_whole_files_and_resumes(tmp_path):
    script = """
        import os, signal, sys
        from pathlib import Path
        from bozzetto.runs import Request, open_run
        with open_run(Path(sys.argv[1]), Request("draft", {"seed": 3}, "a tall man")) as run:
            run.log(0, None, 0.1)
            with run.write("figure.json") as path:
                path.write_bytes(b"whole")
            with (run.folder / "log.csv").open("a") as log:
                log.write("1,0.")
            with run.write("avatar.glb") as path:
                path.write_bytes(b"half")
                os.kill(os.getpid(), signal.SIGKILL)
    """
    folder = tmp_path / "run"
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(folder)], env=source_first())
    assert done.returncode == -signal.SIGKILL
    assert not (folder / "avatar.glb").exists()
    record = read_record(folder)
    assert record is not None and (record.status, list(record.outputs)) == ("running", ["figure.json"])
    with open_run(folder, REQUEST) as run:
        assert run.has("figure.json") and not run.has("avatar.glb")
        run.log(0, None, 9.0)  # logged before the kill
        run.log(1, None, 0.2)
        assert not list(folder.glob(".partial-*"))
        run.finish()
    assert (folder / "log.csv").read_text().split() == ["step,loss,seconds", "0,,0.100", "1,,0.200"]


def source_first() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(runs.__file__).parents[1])}


def test_an_interrupted_run_resumes_only_what_is_whole(tmp_path):
    with pytest.raises(KeyboardInterrupt), open_run(tmp_path, REQUEST) as run:
        write(run, "figure.json", b"1")
        write(run, "avatar.glb", b"2")
        raise KeyboardInterrupt
    assert read_record(tmp_path).status == "interrupted"
    (tmp_path / "figure.json").write_bytes(b"edited")
    with open_run(tmp_path, REQUEST) as run:
        assert not run.has("figure.json")
        assert run.has("avatar.glb")


def test_other_versions_keep_nothing(tmp_path, monkeypatch):
    with open_run(tmp_path, REQUEST) as run:
        write(run, "avatar.glb", b"2")
    monkeypatch.setattr(runs.bozzetto, "__version__", "99.0")
    with open_run(tmp_path, REQUEST) as run:
        assert not run.has("avatar.glb")


def test_an_unfinished_run_of_another_request_is_refused_by_its_difference(tmp_path):
    with open_run(tmp_path, REQUEST):
        pass
    with pytest.raises(UserError, match=r"seed 3, not 4.*--overwrite"):
        check_folder(tmp_path, replace(REQUEST, fields={"seed": 4}))
    with pytest.raises(UserError, match="prompt 'a tall man', not 'a short man'"):
        open_run(tmp_path, replace(REQUEST, prompt="a short man"))


def test_a_finished_run_is_refused_and_untouched(tmp_path):
    finished(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(UserError, match="--overwrite"):
        open_run(tmp_path, REQUEST)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fields", None), ("fields", []), ("photos", []), ("prompt", 3), ("recipe", None), ("bone_names", "maya"),
        ("versions", None), ("seconds", 1), ("steps", "many"), ("status", []), ("outputs", []), ("weights", 3),
    ],
)  # fmt: skip
def test_a_record_of_other_kinds_is_none(tmp_path, field, value):
    finished(tmp_path)
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}))
    assert read_record(tmp_path) is None


def test_a_half_written_row_is_cut_and_nothing_else_touched(tmp_path, monkeypatch):
    log = tmp_path / "log.csv"
    for whole, rest in ((b"step\n1\n", b"2,0."), (b"step\n1\n", b""), (b"", b"st")):
        log.write_bytes(whole + rest)
        runs._end_log(log)
        assert log.read_bytes() == whole
    log.write_bytes(b"step\n1\n2,0.")
    monkeypatch.setattr(Path, "write_bytes", lambda *_: pytest.fail("a kill now would lose the log"))
    runs._end_log(log)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("content", [{"holiday.jpg": b"x"}, {"run.json": b"{}"}, {"run.json": b"\xff"}])
def test_a_foreign_folder_is_always_refused(tmp_path, overwrite, content):
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match="no run of bozzetto's"):
        open_run(tmp_path, REQUEST, overwrite)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == content


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/bozzetto")):
        with pytest.raises(UserError, match="Cannot write in"):
            open_run(out, REQUEST)


def test_two_do_not_share_a_folder(tmp_path):
    with open_run(tmp_path, REQUEST) as run, pytest.raises(UserError, match="at this moment"):
        write(run, "avatar.glb", b"1")
        open_run(tmp_path, REQUEST)
    open_run(tmp_path, REQUEST).__exit__()


def test_overwriting_keeps_the_old_figure_until_the_new_one_is_whole(tmp_path):
    finished(tmp_path)
    (tmp_path / "notes.txt").write_bytes(b"mine")
    before = contents(tmp_path)
    other = replace(REQUEST, prompt="a short man")
    with pytest.raises(OSError, match="full"), open_run(tmp_path, other, overwrite=True) as run:
        write(run, "figure.json", b"new figure.json")
        with run.write("avatar.glb") as path:
            path.write_bytes(b"half")
            raise OSError("the disk is full")
    kept = {name: (tmp_path / name).read_bytes() for name in before}
    assert kept == before

    with open_run(tmp_path, other, overwrite=True) as run:
        assert run.has("figure.json"), "the new run resumes beside the old one"
        write(run, "avatar.glb", b"new avatar.glb")
        assert not (tmp_path / "preview.png").exists(), "no picture of the old figure beside the new one"
        assert not (tmp_path / ".next").exists()
        run.log(0, None, 0.1)
        write(run, "preview.png", b"new preview.png")
        run.finish()
    after = contents(tmp_path)
    assert {after[name] for name in ("figure.json", "avatar.glb", "preview.png")} == {
        b"new figure.json", b"new avatar.glb", b"new preview.png"
    }  # fmt: skip
    assert after["notes.txt"] == b"mine"
    assert read_record(tmp_path).status == "finished"


def test_a_kill_while_the_old_run_gives_way_is_mended(tmp_path, monkeypatch):
    finished(tmp_path)
    replace_file = os.replace
    other = replace(REQUEST, prompt="a short man")

    def killed(source, target):
        replace_file(source, target)
        if Path(target) == tmp_path / "run.json" and ".next" in Path(source).parts:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt), open_run(tmp_path, other, overwrite=True) as run:
        write(run, "avatar.glb", b"new")
    monkeypatch.undo()
    assert (tmp_path / "avatar.glb").read_bytes() == b"old avatar.glb"
    with open_run(tmp_path, other) as run:
        assert not run.has("avatar.glb"), "the old file is not taken for the new one"


def test_an_old_run_resumes_with_or_without_overwrite(tmp_path):
    with open_run(tmp_path, REQUEST) as run:
        write(run, "avatar.glb", b"1")
    with open_run(tmp_path, REQUEST, overwrite=True) as run:
        assert run.has("avatar.glb")
