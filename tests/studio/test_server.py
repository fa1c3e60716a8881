"""``bozzetto view`` and ``bozzetto reshape`` on a run that is there."""

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from bozzetto import cli
from bozzetto.export import read_glb, write_glb
from bozzetto.figure.build import build_figure
from bozzetto.figure.reshape import MEASURES
from bozzetto.figure.spec import WHITE, BodySpec, FigureSpec, Garment, from_json, to_json
from bozzetto.runs import Request, open_run, read_record, sha256
from bozzetto.studio.server import Sitting, read_body, serve, studio
from bozzetto.types import UserError

SPEC = FigureSpec(BodySpec("man", 34.0, 1.7))
WEB = Path(__file__).parents[1] / "web"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished draft, without its pictures."""
    folder = tmp_path_factory.mktemp("runs") / "somebody"
    avatar = build_figure(SPEC).avatar
    with open_run(folder, Request("draft", {"seed": 0}, "a secret man")) as begun:
        with begun.write("figure.json") as path:
            path.write_text(to_json(SPEC))
        with begun.write("avatar.glb") as path:
            write_glb(avatar, path)
        begun.finish()
    return folder


@pytest.fixture(scope="module")
def address(run):
    with studio(run, 0) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def unseen(monkeypatch):
    """Runs without pictures, which take longest."""
    monkeypatch.setattr(cli, "write_pictures", lambda *_: None)


def ask(address: str, body: bytes | None = None, **headers: str) -> bytes:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    with urllib.request.urlopen(urllib.request.Request(address, body, names), timeout=60) as answer:
        return answer.read()


def refusal(address: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as raised:
        ask(address, body, **headers)
    return raised.value.code, raised.value.read().decode()


def skin_height(glb: Path) -> float:
    y = read_glb(glb).layer("skin").mesh.vertices[:, 1]
    return float(y.max() - y.min())


def test_the_page_and_the_character_are_served(run, address):
    text = ask(address + "/").decode()
    settings = json.loads(text.split('id="settings">')[1].split("</script>")[0])
    assert settings["live"] and len(settings["poses"]) >= 240
    assert settings["shape"]["height"]["value"] == 1.7 and set(settings["shape"]) == set(MEASURES)
    assert ask(address + "/avatar.glb") == (run / "avatar.glb").read_bytes()


def test_what_no_measure_moves_has_no_sliders(run, tmp_path):
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, "recipe": "rig"}))
    avatar = read_glb(folder / "avatar.glb")
    write_glb(replace(avatar, layers=avatar.layers[:1]), folder / "avatar.glb")
    page = Sitting(folder).page().decode()
    assert json.loads(page.split('id="settings">')[1].split("</script>")[0])["shape"] == {}


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_only_a_finished_run_is_reshaped(run, tmp_path, capsys, status):
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, "status": status}))
    assert "give its command again" in refused(capsys, "reshape", str(folder), "--height", "1.8")


def test_a_child_that_would_grow_too_tall_is_refused(run, tmp_path, capsys):
    folder = Path(shutil.copytree(run, tmp_path / "run"))
    spec = replace(SPEC, top=Garment("shirt", WHITE), bottom=Garment("jeans", WHITE))
    (folder / "figure.json").write_text(to_json(replace(spec, body=BodySpec("man", 4.0, 2.2))))
    said = refused(capsys, "reshape", str(folder), "--age", "30", "--out", str(tmp_path / "out"))
    assert "At that age, spec.body.height" in said and "Ask for a height" in said
    assert not (tmp_path / "out").exists()


def test_another_shape_is_the_figure_as_asked(address, tmp_path):
    (tmp_path / "new.glb").write_bytes(ask(address + "/shape", b'{"height": 1.9}', x_bozzetto="1"))
    assert skin_height(tmp_path / "new.glb") == pytest.approx(1.9, abs=0.01)


def test_no_change_is_the_file_itself(run, address):
    assert ask(address + "/shape", b"{}", x_bozzetto="1") == (run / "avatar.glb").read_bytes()


def test_others_may_not_ask(address):
    assert refusal(address + "/shape", b'{"height": 1.9}')[0] == 403, "another page's form"
    assert refusal(address + "/", host="evil.example")[0] == 403, "a name that leads here"
    assert refusal(address + "/shape", b" " * 5000, x_bozzetto="1")[0] == 403
    for path in ("/../figure.json", "/figure.json", "/nothing"):
        assert refusal(address + path)[0] == 404


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"height": "tall"}', b'{"height": 9}', b'{"look": 1}',
                                  b'{"age": NaN}', b'{"weight": null}'])  # fmt: skip
def test_what_is_no_measure_is_refused(body):
    with pytest.raises(UserError):
        read_body(body)


def test_saving_makes_a_run_that_names_its_parent(unseen, run, address):
    assert refusal(address + "/keep", b"{}", x_bozzetto="1")[0] == 422
    said = ask(address + "/keep", b'{"height": 1.8, "weight": 0.8}', x_bozzetto="1").decode()
    new = run.with_name("somebody-2")
    assert "somebody-2" in said and (new / "index.html").is_file()
    record = read_record(new)
    assert record is not None and record.status == "finished"
    assert record.request.recipe == "reshape" and record.request.prompt == "a secret man"
    assert record.request.parent == f"somebody, avatar.glb sha256 {sha256(run / 'avatar.glb')}"
    assert from_json((new / "figure.json").read_text()).body == BodySpec("man", 34.0, 1.8, 0.8)
    assert skin_height(new / "avatar.glb") == pytest.approx(1.8, abs=0.01)
    assert "a secret man" not in (new / "index.html").read_text()


def test_reshape_there_and_back_is_the_first_character(unseen, run, tmp_path):
    there, back = tmp_path / "there", tmp_path / "back"
    flags = ["--no-turntable", "--no-page"]
    assert cli.main(["reshape", str(run), "--height=+10cm", "--age", "12", "--out", str(there), *flags]) == 0
    worn = from_json((there / "figure.json").read_text())
    assert worn.body.height == 1.8 and worn.top is not None and worn.bottom is not None
    assert cli.main(["reshape", str(there), "--height=-0.1", "--age", "34", "--out", str(back), *flags]) == 0
    assert from_json((back / "figure.json").read_text()).body == SPEC.body
    record = read_record(back)
    assert record is not None and record.request.fields["origin"] == "draft"
    assert not (back / "index.html").exists()


def refused(capsys, *arguments: str) -> str:
    assert cli.main(arguments) == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_mistakes_are_paragraphs(run, tmp_path, capsys):
    assert "There is no folder" in refused(capsys, "view", str(tmp_path / "nothing"))
    assert "no figure" in refused(capsys, "reshape", str(tmp_path), "--height", "1.8")
    assert "Say what to change" in refused(capsys, "reshape", str(run))
    assert "--height tall" in refused(capsys, "reshape", str(run), "--height", "tall")
    assert "stays as it is" in refused(capsys, "reshape", str(run), "--height", "1.8", "--out", str(run))
    assert "no such port" in refused(capsys, "view", str(run), "--port", "99999")


def test_a_port_that_is_taken_is_said(run, address):
    with pytest.raises(UserError, match="--port"):
        studio(run, int(address.rsplit(":", 1)[1]))


def test_the_address_is_said_and_ctrl_c_ends_it(run):
    said = []

    def interrupted(address: str) -> None:
        said.append(address)
        raise KeyboardInterrupt

    serve(run, 0, interrupted)
    assert said[0].startswith("http://localhost:")


@pytest.mark.slow
@pytest.mark.skipif(
    not (WEB / "node_modules").exists() or not (os.environ.get("CHROMIUM") or shutil.which("chromium")),
    reason="needs Node's packages in tests/web and a Chromium",
)
def test_the_page_in_a_browser(address, tmp_path):
    script = ["node", str(WEB / "live.mjs"), address, str(tmp_path / "live.png")]
    done = subprocess.run(script, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["after"] == pytest.approx(2.4, abs=0.05)
