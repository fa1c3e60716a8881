"""Run inside Blender: what it finds in files, as one line of JSON a file. See test_blender.py.

blender --background --factory-startup --python blender_check.py -- FILE…
python blender_check.py -- FILE…        where that Python has bpy
"""

import json
import sys
from pathlib import Path

import bpy
import numpy as np

if "bool" not in vars(np):
    np.bool = bool  # see blender_fbx.py


def can_load(kind: str) -> bool:
    """Blender 3.4 has no skeletons in USD, and Debian's no USD at all."""
    return not kind.startswith(".usd") or ("usd_import" in dir(bpy.ops.wm) and bpy.app.version >= (4, 0))


def load(path: Path) -> None:
    kind = path.suffix
    if kind in (".glb", ".vrm"):  # a VRM is a GLB with more to say
        bpy.ops.import_scene.gltf(filepath=str(path))
    elif kind == ".obj":
        bpy.ops.wm.obj_import(filepath=str(path))
    elif kind == ".ply" and "ply_import" not in dir(bpy.ops.wm):
        bpy.ops.import_mesh.ply(filepath=str(path))
    elif kind == ".ply":
        bpy.ops.wm.ply_import(filepath=str(path))
    elif kind == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        bpy.ops.wm.usd_import(filepath=str(path), import_skeletons=True, import_blendshapes=True)


def found() -> dict:
    armatures = [item for item in bpy.data.objects if item.type == "ARMATURE"]
    meshes = [item for item in bpy.data.objects if item.type == "MESH" and not item.name.startswith("Icosphere")]
    corners = [(item.matrix_world @ vertex.co) for item in meshes for vertex in item.data.vertices]
    images = [image for image in bpy.data.images if image.size[0] > 0]
    return {
        "bones": sum(len(item.data.bones) for item in armatures),
        "meshes": len(meshes),
        "triangles": sum(len(polygon.vertices) - 2 for item in meshes for polygon in item.data.polygons),
        "targets": {
            item.name: len(item.data.shape_keys.key_blocks) - 1 for item in meshes if item.data.shape_keys is not None
        },
        "unweighted": sum(
            not any(group.weight > 0 for group in vertex.groups) for item in meshes for vertex in item.data.vertices
        ),
        "worst_weight_sum": max(
            (
                abs(sum(group.weight for group in vertex.groups) - 1)
                for item in meshes
                for vertex in item.data.vertices
                if vertex.groups
            ),
            default=0.0,
        ),
        "skinned": sum(any(each.type == "ARMATURE" for each in item.modifiers) for item in meshes),
        "clips": sorted(action.name for action in bpy.data.actions),
        "images": len(images),
        "materials": sum(any(slot.material for slot in item.material_slots) for item in meshes),
        "height": max(c.z for c in corners) - min(c.z for c in corners) if corners else 0.0,
        "lowest": min(c.z for c in corners) if corners else 0.0,
        "coloured": sum(len(item.data.color_attributes) for item in meshes),
    }


for name in sys.argv[sys.argv.index("--") + 1 :]:
    if can_load(Path(name).suffix):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        load(Path(name))
        print("FOUND " + json.dumps({"file": Path(name).name, **found()}), flush=True)
