"""Avatar -> USD: a UsdSkel character with skin weights, blend shapes, its clips and UsdPreviewSurface materials.

Needs ``usd-core``, the extra "usd". The default prim is the ``SkelRoot``; below it the ``Rig``, a mesh a layer with its
blend shapes, and ``Looks``. The first clip plays; others lie beside it. Names are made fit for USD (``wrist.L`` becomes
``wrist_L``), and textures lie beside a ``.usd`` file and inside a ``.usdz``.
"""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from ..files import atomic_path
from ..types import Avatar, Clip, Layer, Material, Skeleton, UserError
from .bones import BoneNames, rename
from .expressions import names_in
from .marks import GENERATOR, Marks
from .textures import cut_out, materials_of, save_textures, texture_name, textures
from .vertices import array, tidy_influences, unit

_ROOT = "/Character"
_FRAMES = 24.0
"""Time codes a second."""


def usd_files(avatar: Avatar, stem: str) -> tuple[str, ...]:
    """The names of all files that `write_usd` writes for ``stem.usd``, that one last."""
    return (*textures(avatar, stem), f"{stem}.usd")


def write_usd(
    avatar: Avatar,
    path: Path,
    *,
    bone_names: BoneNames = "vrm",
    marks: Marks | None = None,
) -> None:
    """Write the avatar to `path`: ``.usdz`` as one file, ``.usd`` (binary) or ``.usda`` (text) with textures beside it.

    Args:
        avatar: Standing at rest in the T-pose, soles at y = 0.
        path: Replaced if it exists, and so are the textures beside it.
        bone_names: Whose names the joints carry.
        marks: What made it and whose it is.

    Raises:
        UserError: ``usd-core`` is not installed.
        ValueError: The avatar contradicts itself.
    """
    _, _, _, UsdUtils, *_ = _pxr()
    images, suffix = textures(avatar, path.stem), path.suffix.lower()
    with tempfile.TemporaryDirectory() as folder:
        inner = Path(folder) / f"{path.stem}{'.usdc' if suffix == '.usdz' else suffix}"
        _author(avatar, inner, rename(avatar.skeleton.names, bone_names), marks or Marks())
        save_textures(images, inner.parent)
        if suffix == ".usdz":
            packed = inner.with_suffix(".usdz")
            if not UsdUtils.CreateNewUsdzPackage(str(inner), str(packed)):
                raise ValueError("The usdz package could not be made.")
            made = [(packed, path)]
        else:
            made = [(inner.with_name(name), path.with_name(name)) for name in images] + [(inner, path)]
        for source, final in made:
            with atomic_path(final) as partial:
                shutil.copyfile(source, partial)


def require_usd() -> None:
    """Says what to install where USD cannot be written.

    Raises:
        UserError: ``usd-core`` is not installed.
    """
    _pxr()


def _pxr() -> tuple[Any, ...]:
    try:
        from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade, UsdSkel, UsdUtils, Vt  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError("Writing USD needs usd-core. Install it with: pip install 'bozzetto[usd]'") from None
    return Gf, Sdf, Usd, UsdUtils, UsdGeom, UsdShade, UsdSkel, Vt


def _author(avatar: Avatar, path: Path, names: tuple[str, ...], marks: Marks) -> None:
    """The stage, saved to `path`; it names textures by their file name alone."""
    _, _, Usd, _, UsdGeom, UsdShade, UsdSkel, _ = _pxr()
    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetTimeCodesPerSecond(_FRAMES)
    stage.SetFramesPerSecond(_FRAMES)
    root = UsdSkel.Root.Define(stage, _ROOT)
    stage.SetDefaultPrim(root.GetPrim())
    Usd.ModelAPI(root).SetKind("component")
    said = {
        **marks.maker(),
        "recipe": marks.recipe or "",
        "prior": marks.prior or "",
        "authors": ", ".join(marks.rights.authors),
        "rights": marks.rights.words(),
    }
    if marks.prompt is not None:
        said["prompt"] = marks.prompt
    root.GetPrim().SetCustomDataByKey(GENERATOR, said)
    stage.GetRootLayer().comment = f"{marks.sentence()} {said['rights']}"

    rig, joints = _add_rig(stage, avatar.skeleton, names)
    expressions = names_in(avatar)
    shapes = dict(zip(expressions, _distinct([_fit(name) for name in expressions]), strict=True))
    looks: dict[int, Any] = {}
    numbers = materials_of(avatar)
    meshes = _distinct([_fit(layer.name) for layer in avatar.layers], "Rig", "Looks")
    for layer, name in zip(avatar.layers, meshes, strict=True):
        mesh = _add_mesh(stage, layer, name, rig, shapes)
        material = layer.material
        if id(material) not in looks:
            looks[id(material)] = _add_look(stage, material, numbers[id(material)], path.stem)
        UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(looks[id(material)])
    clips = list(avatar.clips) or [Clip("rest", np.zeros(1), {})][: 1 if avatar.expression else 0]
    for clip, name in zip(clips, _distinct([_fit(clip.name) for clip in clips]), strict=True):
        animation = _add_clip(stage, avatar, clip, name, joints, shapes)
        if clip is clips[0]:
            binding = UsdSkel.BindingAPI.Apply(rig.GetPrim())
            binding.CreateAnimationSourceRel().SetTargets([animation.GetPath()])
            stage.SetStartTimeCode(_code(float(clip.times[0])))
            stage.SetEndTimeCode(_code(float(clip.times[-1])))
    _set_extent(root, avatar)
    stage.GetRootLayer().Save()


def _add_rig(stage: Any, skeleton: Skeleton, names: tuple[str, ...]) -> tuple[Any, list[str]]:
    """The skeleton, and each joint's path in it."""
    Gf, _, _, _, _, _, UsdSkel, Vt = _pxr()
    own = _distinct([_fit(name) for name in names])
    joints: list[str] = []
    for name, parent in zip(own, skeleton.parents, strict=True):
        joints.append(name if parent < 0 else f"{joints[parent]}/{name}")
    positions = array(skeleton.positions).astype(np.float64)
    steps = np.array([
        place - (positions[parent] if parent >= 0 else 0)
        for place, parent in zip(positions, skeleton.parents, strict=True)
    ])  # fmt: skip

    def matrices(places: ndarray) -> Any:
        return Vt.Matrix4dArray([Gf.Matrix4d().SetTranslate(Gf.Vec3d(*place)) for place in places.tolist()])

    rig = UsdSkel.Skeleton.Define(stage, f"{_ROOT}/Rig")
    rig.CreateJointsAttr(joints)
    rig.CreateBindTransformsAttr(matrices(positions))
    rig.CreateRestTransformsAttr(matrices(steps))
    return rig, joints


def _add_mesh(stage: Any, layer: Layer, name: str, rig: Any, shapes: dict[str, str]) -> Any:
    Gf, Sdf, _, _, UsdGeom, _, UsdSkel, Vt = _pxr()
    mesh = UsdGeom.Mesh.Define(stage, f"{_ROOT}/{name}")
    points, faces = array(layer.mesh.vertices).astype(np.float32), array(layer.mesh.faces).astype(np.int32)
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(faces), 3, np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(np.ascontiguousarray(faces.ravel())))
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateDoubleSidedAttr(layer.material.double_sided)
    mesh.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([points.min(0), points.max(0)])))
    if layer.normals is not None:
        mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(unit(array(layer.normals)).astype(np.float32)))
        mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    corners = array(layer.mesh.uvs).reshape(-1, 2).astype(np.float32)
    corners[:, 1] = 1 - corners[:, 1]
    kept, indices = np.unique(corners, axis=0, return_inverse=True)
    primvars = UsdGeom.PrimvarsAPI(mesh)
    st = primvars.CreatePrimvar("st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.faceVarying)
    st.Set(Vt.Vec2fArray.FromNumpy(kept))
    st.SetIndices(Vt.IntArray.FromNumpy(indices.ravel().astype(np.int32)))

    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    joints, weights = tidy_influences(array(layer.skin_joints), array(layer.skin_weights))
    flat = np.ascontiguousarray(joints.astype(np.int32).ravel())
    binding.CreateJointIndicesPrimvar(False, 4).Set(Vt.IntArray.FromNumpy(flat))
    binding.CreateJointWeightsPrimvar(False, 4).Set(Vt.FloatArray.FromNumpy(np.ascontiguousarray(weights.ravel())))
    binding.CreateGeomBindTransformAttr(Gf.Matrix4d(1.0))
    binding.CreateSkeletonRel().SetTargets([rig.GetPath()])
    targets = []
    for expression, moves in layer.expressions.items():
        shape = UsdSkel.BlendShape.Define(stage, mesh.GetPath().AppendChild(shapes[expression]))
        shape.CreateOffsetsAttr(Vt.Vec3fArray.FromNumpy(array(moves.offsets).astype(np.float32)))
        shape.CreatePointIndicesAttr(Vt.IntArray.FromNumpy(array(moves.indices).astype(np.int32)))
        targets.append(shape.GetPath())
    if targets:
        binding.CreateBlendShapesAttr([shapes[name] for name in layer.expressions])
        binding.CreateBlendShapeTargetsRel().SetTargets(targets)
    return mesh


def _add_clip(stage: Any, avatar: Avatar, clip: Clip, name: str, joints: list[str], shapes: dict[str, str]) -> Any:
    """Every joint's place and turn, and every expression's weight, at each of the clip's times."""
    Gf, _, _, _, _, _, UsdSkel, Vt = _pxr()
    skeleton = avatar.skeleton
    animation = UsdSkel.Animation.Define(stage, f"{_ROOT}/Rig/{name}")
    animation.CreateJointsAttr(joints)
    places = array(skeleton.positions).astype(np.float64)
    steps = places - np.where(np.array(skeleton.parents)[:, None] >= 0, places[list(skeleton.parents)], 0)
    root = skeleton.parents.index(-1)
    animation.CreateScalesAttr(Vt.Vec3hArray([Gf.Vec3h(1, 1, 1)] * len(joints)))
    translations, rotations = animation.CreateTranslationsAttr(), animation.CreateRotationsAttr()
    for index, seconds in enumerate(np.asarray(clip.times, np.float64).tolist()):
        moved = steps.copy()
        if clip.root_translation is not None:
            moved[root] += clip.root_translation[index]
        turns = [
            Gf.Quatf(*(clip.rotations_wxyz[joint][index].tolist() if joint in clip.rotations_wxyz else (1, 0, 0, 0)))
            for joint in skeleton.names
        ]
        translations.Set(Vt.Vec3fArray.FromNumpy(moved.astype(np.float32)), _code(seconds))
        rotations.Set(Vt.QuatfArray([turn.GetNormalized() for turn in turns]), _code(seconds))
    if shapes:
        animation.CreateBlendShapesAttr(list(shapes.values()))
        weights = animation.CreateBlendShapeWeightsAttr()
        resting = [float(avatar.expression.get(name, 0.0)) for name in shapes]
        if clip.expressions:
            columns = [
                clip.expressions.get(name, np.full(len(clip.times), rest))
                for name, rest in zip(shapes, resting, strict=True)
            ]
            for seconds, row in zip(clip.times.tolist(), np.stack(columns, axis=1).tolist(), strict=True):
                weights.Set(Vt.FloatArray(row), _code(seconds))
        else:
            weights.Set(Vt.FloatArray(resting))
    return animation


def _add_look(stage: Any, material: Material, number: int, stem: str) -> Any:
    """UsdPreviewSurface, as close to glTF's metallic-roughness model as it comes."""
    _, Sdf, _, _, _, UsdShade, _, _ = _pxr()
    types = Sdf.ValueTypeNames
    place = f"{_ROOT}/Looks/material_{number}"
    look = UsdShade.Material.Define(stage, place)
    surface = UsdShade.Shader.Define(stage, f"{place}/surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("metallic", types.Float).Set(float(material.metallic))
    look.CreateSurfaceOutput().ConnectToSource(surface.ConnectableAPI(), "surface")
    reader = UsdShade.Shader.Define(stage, f"{place}/st")
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", types.String).Set("st")

    def texture(role: str, output: str, kind: Any) -> Any:
        shader = UsdShade.Shader.Define(stage, f"{place}/{role}")
        shader.CreateIdAttr("UsdUVTexture")
        shader.CreateInput("file", types.Asset).Set(Sdf.AssetPath(f"./{texture_name(stem, number, role)}"))
        shader.CreateInput("st", types.Float2).ConnectToSource(reader.ConnectableAPI(), "result")
        shader.CreateInput("sourceColorSpace", types.Token).Set("sRGB" if role in ("albedo", "cutout") else "raw")
        for side in ("wrapS", "wrapT"):
            shader.CreateInput(side, types.Token).Set("repeat")
        if role == "normal":  # from [0, 1] back to [-1, 1]
            shader.CreateInput("scale", types.Float4).Set((2.0, 2.0, 2.0, 1.0))
            shader.CreateInput("bias", types.Float4).Set((-1.0, -1.0, -1.0, 0.0))
        shader.CreateOutput(output, kind)
        return shader

    reader.CreateOutput("result", types.Float2)
    albedo = texture("cutout" if cut_out(material) else "albedo", "rgb", types.Float3)
    surface.CreateInput("diffuseColor", types.Color3f).ConnectToSource(albedo.ConnectableAPI(), "rgb")
    if cut_out(material):
        albedo.CreateOutput("a", types.Float)
        surface.CreateInput("opacity", types.Float).ConnectToSource(albedo.ConnectableAPI(), "a")
        surface.CreateInput("opacityThreshold", types.Float).Set(0.5)
    if material.normal is not None:
        normal = texture("normal", "rgb", types.Float3)
        surface.CreateInput("normal", types.Normal3f).ConnectToSource(normal.ConnectableAPI(), "rgb")
    roughness = surface.CreateInput("roughness", types.Float)
    if isinstance(material.roughness, ndarray):
        roughness.ConnectToSource(texture("roughness", "r", types.Float).ConnectableAPI(), "r")
    else:
        roughness.Set(float(material.roughness))
    return look


def _code(seconds: float) -> float:
    return round(seconds * _FRAMES, 4)


def _set_extent(root: Any, avatar: Avatar) -> None:
    """A box that holds the figure however it moves its arms."""
    _, _, _, _, UsdGeom, _, _, Vt = _pxr()
    points = np.concatenate([array(layer.mesh.vertices) for layer in avatar.layers])
    low, high = points.min(0), points.max(0)
    reach = max(float(high[0] - low[0]), float(high[1] - low[1])) / 2
    low = np.minimum(low, [-reach, low[1], -reach])
    high = np.maximum(high, [reach, high[1] + reach / 2, reach])
    UsdGeom.Boundable(root).CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([low, high]).astype(np.float32)))


def _fit(name: str) -> str:
    """The name as a USD identifier."""
    fit = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"_{fit}" if not fit or fit[0].isdigit() else fit


def _distinct(names: list[str], *taken: str) -> list[str]:
    """The names, with numbers behind those that came before."""
    seen, out = set(taken), []
    for name in names:
        free = next(each for each in (name, *(f"{name}_{n}" for n in range(1, len(seen) + 2))) if each not in seen)
        seen.add(free)
        out.append(free)
    return out
