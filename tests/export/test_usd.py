"""A USD file is a UsdSkel character that deforms as the avatar does; USD's own library is the judge."""

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bozzetto.export.formats import Order
from bozzetto.export.marks import Marks
from bozzetto.export.rights import read_rights
from bozzetto.export.usd import usd_files, write_usd
from bozzetto.types import Avatar, UserError
from export_people import everything

pxr = pytest.importorskip("pxr", reason="needs the extra usd")
from pxr import Gf, Usd, UsdGeom, UsdShade, UsdSkel  # noqa: E402

AVATAR = everything()
MARKS = Marks(recipe="draft", rights=read_rights(("Ada",), "CC-BY-4.0", ""))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("usd")
    for name in ("me.usd", "me.usdz"):
        write_usd(AVATAR, folder / name, marks=MARKS)
    return folder


def test_an_ending_in_capitals_is_a_package_too(tmp_path: Path) -> None:
    write_usd(AVATAR, tmp_path / "ME.USDZ")
    assert [path.name for path in tmp_path.iterdir()] == ["ME.USDZ"]
    assert "ME.usdc" in zipfile.ZipFile(tmp_path / "ME.USDZ").namelist()


def bound(stage: Usd.Stage) -> tuple[UsdSkel.SkeletonQuery, list[UsdSkel.SkinningQuery]]:
    root = UsdSkel.Root(stage.GetDefaultPrim())
    cache = UsdSkel.Cache()
    cache.Populate(root, Usd.PrimDefaultPredicate)
    (binding,) = cache.ComputeSkelBindings(root, Usd.PrimDefaultPredicate)
    return cache.GetSkelQuery(binding.GetSkeleton()), list(binding.GetSkinningTargets())


@pytest.mark.parametrize("name", ["me.usd", "me.usdz"])
def test_a_stage_holds_the_character(folder: Path, name: str) -> None:
    stage = Usd.Stage.Open(str(folder / name))
    assert UsdGeom.GetStageUpAxis(stage) == "Y" and UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert stage.GetDefaultPrim().GetCustomDataByKey("bozzetto")["authors"] == "Ada"
    skeleton, meshes = bound(stage)
    assert len(skeleton.GetJointOrder()) == len(AVATAR.skeleton.names)
    assert skeleton.GetJointOrder()[0] == "hips" and skeleton.HasBindPose() and skeleton.HasRestPose()
    assert {str(query.GetPrim().GetName()) for query in meshes} == {
        layer.name.replace(".", "_") for layer in AVATAR.layers
    }
    for query, layer in zip(meshes, AVATAR.layers, strict=True):
        prim = query.GetPrim()
        assert query.GetNumInfluencesPerComponent() == 4
        assert len(UsdGeom.Mesh(prim).GetFaceVertexCountsAttr().Get()) == len(layer.mesh.faces)
        assert set(query.GetBlendShapeOrder() or ()) == set(layer.expressions)
        look = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()[0]
        assert look.ComputeSurfaceSource()[0].GetIdAttr().Get() == "UsdPreviewSurface"
        for shader in (UsdShade.Shader(child) for child in look.GetPrim().GetChildren()):
            if shader.GetIdAttr().Get() == "UsdUVTexture":
                assert shader.GetInput("file").Get().resolvedPath  # the texture is there


def test_points_deform_as_weights_and_expressions_say(folder: Path) -> None:
    """UsdSkel's own skinning at the clip's second time against linear blend skinning by hand."""
    stage = Usd.Stage.Open(str(folder / "me.usd"))
    skeleton, meshes = bound(stage)
    (clip,) = AVATAR.clips
    time = clip.times[1] * stage.GetTimeCodesPerSecond()
    transforms = skeleton.ComputeSkinningTransforms(time)
    animation = skeleton.GetAnimQuery()
    weights = dict(zip(animation.GetBlendShapeOrder(), animation.ComputeBlendShapeWeights(time), strict=True))
    assert weights["mouthSmileLeft"] == 0.5 and weights["jawOpen"] == 0
    w, x, y, z = clip.rotations_wxyz["head"][1]
    assert (y, z) == (0, 0)
    turn = np.array([[1, 0, 0], [0, w * w - x * x, -2 * w * x], [0, 2 * w * x, w * w - x * x]])
    pivot = AVATAR.skeleton.positions[AVATAR.skeleton.index("head")].numpy()
    for query, layer in zip(meshes, AVATAR.layers, strict=True):
        points = UsdGeom.Mesh(query.GetPrim()).GetPointsAttr().Get()
        shape = UsdSkel.BlendShapeQuery(UsdSkel.BindingAPI(query.GetPrim()))
        assert shape.GetNumBlendShapes() == len(layer.expressions)
        assert query.ComputeSkinnedPoints(transforms, points, time)
        follows = AVATAR.skeleton.index("head")
        share = ((layer.skin_joints == follows) * layer.skin_weights).sum(dim=1, keepdim=True).numpy()
        rest = layer.mesh.vertices.numpy()
        turned = (rest - pivot) @ turn.T + pivot
        expected = rest + share * (turned - rest) + clip.root_translation[1]
        assert np.allclose(np.array(points), expected, atol=1e-5), layer.name


def test_expressions_move_the_points_they_name(folder: Path) -> None:
    stage = Usd.Stage.Open(str(folder / "me.usd"))
    for layer in AVATAR.layers:
        for name, moves in layer.expressions.items():
            prim = stage.GetPrimAtPath(f"/Character/{layer.name.replace('.', '_')}/{name}")
            shape = UsdSkel.BlendShape(prim)
            assert list(shape.GetPointIndicesAttr().Get()) == moves.indices.tolist()
            assert np.allclose(np.array(shape.GetOffsetsAttr().Get()), moves.offsets, atol=1e-7)


def test_textures_lie_upright(folder: Path) -> None:
    """USD's (0, 0) is the image's lower left."""
    stage = Usd.Stage.Open(str(folder / "me.usd"))
    layer = AVATAR.layers[0]
    st = UsdGeom.PrimvarsAPI(stage.GetPrimAtPath("/Character/skin")).GetPrimvar("st").ComputeFlattened()
    expected = layer.mesh.uvs.numpy().reshape(-1, 2) * [1, -1] + [0, 1]
    assert np.allclose(np.array(st), expected, atol=1e-6)


def test_the_files_are_those_that_were_announced(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names == {*usd_files(AVATAR, "me"), "me.usdz"}
    with zipfile.ZipFile(folder / "me.usdz") as packed:
        assert {Path(name).name for name in packed.namelist()} == {*usd_files(AVATAR, "me")[:-1], "me.usdc"}


def test_a_still_face_without_clips_rests_as_it_should(tmp_path: Path) -> None:
    write_usd(Avatar(AVATAR.layers, AVATAR.skeleton, (), {"jawOpen": 0.25}), tmp_path / "me.usda", bone_names="mixamo")
    stage = Usd.Stage.Open(str(tmp_path / "me.usda"))
    skeleton, _ = bound(stage)
    weights = skeleton.GetAnimQuery().ComputeBlendShapeWeights(0)
    assert sum(weights) == 0.25
    assert skeleton.GetJointOrder()[0].startswith("mixamorig")
    assert Gf.IsClose(skeleton.ComputeSkinningTransforms(0)[0], Gf.Matrix4d(1), 1e-6)


def test_without_usd_core_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(UserError, match=r"bozzetto\[usd\]"):
        Order({"usdz": tmp_path / "me.usdz"}).check()
