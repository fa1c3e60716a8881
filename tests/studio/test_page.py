"""``index.html``: whole, small beside what it carries, and silent about what it was not told to say."""

import base64
import hashlib
import json
import re
from importlib.resources import files

from bozzetto.body.poses import BASE, rotations
from bozzetto.export.expressions import ARKIT
from bozzetto.studio.page import page, page_settings

JOINTS = ("root", "upperarm01.L")
VIEWER = files("bozzetto.studio") / "viewer"


def carried(text: str, name: str) -> str:
    """The content of one of the page's data elements."""
    (content,) = re.findall(rf'<script type="[^"]*" id="{name}">(.*?)</script>', text, re.DOTALL)
    return content


def test_the_page_carries_character_and_settings():
    glb = b"glTF" + bytes(range(256)) * 5
    text = page(page_settings(JOINTS, BASE), glb).decode()
    assert base64.b64decode(carried(text, "character")) == glb
    settings = json.loads(carried(text, "settings"))
    assert settings["joints"] == list(JOINTS) and set(settings["poses"]) == set(BASE)
    assert "@@" not in text.replace(VIEWER.joinpath("viewer.min.js").read_text("utf-8"), "")


def test_poses_are_ours_turn_by_turn():
    poses = page_settings(JOINTS, BASE)["poses"]
    for name in ("sitting", "t-pose"):
        want = {joint: turn for joint, turn in rotations(BASE[name]).items() if turn[0] != 1}
        assert set(poses[name]) == set(want)
        for joint, turn in want.items():
            assert max(abs(a - b) for a, b in zip(turn, poses[name][joint], strict=True)) < 1e-5


def test_presets_are_made_of_what_a_face_can_do():
    presets = page_settings(JOINTS, {})["presets"]
    assert {"neutral", "happy", "surprised", "aa"} <= set(presets)
    assert set().union(*presets.values()) <= set(ARKIT)


def test_nothing_can_be_fetched():
    text = page(page_settings(JOINTS, {}), b"").decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none'") and "connect-src blob: data:" in policy
    assert "'self'" not in policy and "http" not in policy and "*" not in policy
    shell = text.replace(VIEWER.joinpath("viewer.min.js").read_text("utf-8"), "")
    assert not re.search(r'(src|href)="(?!data:|#)', shell)
    assert "connect-src blob: data: 'self'" in page(page_settings(JOINTS, {}, live=True)).decode()


def test_words_cannot_end_the_script():
    words = '</script><script>alert("!")</script> & "quotes"'
    text = page(page_settings(JOINTS, {}, words=words), b"").decode()
    assert "</script><script>alert" not in text
    assert json.loads(carried(text, "settings"))["words"] == words
    assert json.loads(carried(page(page_settings(JOINTS, {}), b"").decode(), "settings"))["words"] is None


def test_childrens_clothes_cannot_be_hidden():
    assert page_settings(JOINTS, {}, dressed=True)["locked"] == ["top", "bottom", "dress"]
    assert page_settings(JOINTS, {})["locked"] == []


def test_the_bundle_is_of_this_viewer_small_and_says_whose_it_is():
    bundle, source = (VIEWER.joinpath(name).read_bytes() for name in ("viewer.min.js", "viewer.js"))
    assert len(bundle) < 1_000_000
    assert hashlib.sha256(source).hexdigest().encode() in bundle[:300], "npm run build in studio/viewer"
    assert b"MIT License" in bundle and "© 2010-2026 three.js authors".encode() in bundle
    assert b"</script" not in bundle and b"@@" not in bundle
