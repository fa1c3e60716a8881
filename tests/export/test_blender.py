"""Blender, where there is one, finds in our files what we put there: ``BLENDER=PROGRAM pytest -m slow`` names it."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bozzetto.export.fbx import find_blender
from bozzetto.export.formats import Order, write_formats
from bozzetto.export.simplify import at_level, count_triangles
from bozzetto.figure.build import build_figure
from bozzetto.figure.people import random_spec
from bozzetto.types import UserError

CHECK = Path(__file__).with_name("blender_check.py")


@pytest.mark.slow
def test_blender_finds_what_was_written(tmp_path: Path) -> None:
    named = os.environ.get("BLENDER")
    try:
        blender = find_blender(Path(named) if named else None)
    except UserError:
        pytest.skip("needs Blender, or BLENDER=PROGRAM")
    avatar = at_level(build_figure(random_spec(3)).avatar, 2)
    outs = {format: tmp_path / f"me.{format}" for format in ("glb", "vrm", "obj", "ply", "usd", "usdz", "fbx")}
    write_formats(avatar, Order(outs, blender=Path(blender[0])))
    small = tmp_path / "small.glb"
    write_formats(avatar, Order({"glb": small}, quantise=True))
    done = subprocess.run(
        [*blender, str(CHECK), "--", *map(str, (*outs.values(), small))], capture_output=True, text=True, check=True
    )
    lines = [line.removeprefix("FOUND ") for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    found = {each["file"]: each for each in map(json.loads, lines)}
    for name, seen in found.items():
        print(f"{name}: {seen}")
    height = max(float(layer.mesh.vertices[:, 1].max()) for layer in avatar.layers)
    expressions = {layer.name: len(layer.expressions) for layer in avatar.layers if layer.expressions}
    every = len({name for layer in avatar.layers for name in layer.expressions})
    joints = len(avatar.skeleton.names)
    # Hair's lining has every face thrice; Blender 3.4 keeps one of those that share their corners, and so does its FBX.
    distinct = sum(len(np.unique(np.sort(layer.mesh.faces.numpy(), 1), axis=0)) for layer in avatar.layers)
    for name, seen in found.items():
        assert seen["triangles"] in (count_triangles(avatar), distinct), name
        assert seen["meshes"] == (1 if name == "me.ply" else len(avatar.layers)), name
        rigged = name not in ("me.obj", "me.ply")
        if name != "me.ply":  # which has no material, and which Blender does not turn upright
            assert seen["materials"] == len(avatar.layers), name
            assert seen["height"] == pytest.approx(height, abs=2e-3) and seen["lowest"] == pytest.approx(0, abs=1e-3)
        if rigged:
            assert seen["skinned"] == len(avatar.layers) and seen["unweighted"] == 0, name
            assert seen["worst_weight_sum"] < 1e-3, name
            assert seen["bones"] == joints if name != "me.vrm" else seen["bones"] >= joints
            # glTF wants every target in every mesh that has one; USD has only those that move it.
            assert seen["targets"] == (
                expressions if name.startswith("me.usd") else dict.fromkeys(expressions, every)
            ), name
    for name in ("me.glb", "small.glb"):
        names = [clip.removesuffix("_Armature") for clip in found[name]["clips"]]  # which Blender 3.4 adds
        assert names == sorted(clip.name for clip in avatar.clips)
    assert found["me.vrm"]["clips"] == []
    assert {"me.glb", "me.vrm", "me.obj", "me.ply", "me.fbx", "small.glb"} <= set(found)
    if "me.usd" in found:  # not every Blender can
        assert found["me.usd"]["clips"] == [avatar.clips[0].name]
    walked = {clip.rpartition("|")[2] for clip in found["me.fbx"]["clips"]}
    assert walked == {clip.name for clip in avatar.clips}
    assert found["me.ply"]["coloured"] == 1
