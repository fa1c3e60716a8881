"""Run inside Blender, as a program of its own: a GLB file of bozzetto's becomes an FBX file.

blender --background --factory-startup --python blender_fbx.py -- IN.glb OUT.fbx
python blender_fbx.py -- IN.glb OUT.fbx        where that Python has bpy
"""

import sys

import bpy  # pyright: ignore[reportMissingImports]

try:
    import numpy as np
except ImportError:
    sys.exit("its Python has no numpy, which Blender reads GLB with; on Debian and Ubuntu: apt install python3-numpy")
if "bool" not in vars(np):
    np.bool = bool  # how Blender 3.4's importer calls it, and Debian's numpy no longer does
source, target = sys.argv[sys.argv.index("--") + 1 :]
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.import_scene.gltf(filepath=source)
skinned = {item for item in bpy.data.objects if item.type == "MESH" and item.find_armature()}
for item in list(bpy.data.objects):
    if item.type == "MESH" and item not in skinned:
        bpy.data.objects.remove(item)  # the importer's picture of a bone would be exported as a mesh
for action in bpy.data.actions:
    action.name = action.name.removesuffix("_Armature")  # which Blender 3.4 adds to a clip's name
bpy.ops.export_scene.fbx(
    filepath=target,
    object_types={"ARMATURE", "MESH", "EMPTY"},
    use_mesh_modifiers=False,  # with them the shape keys would be lost
    add_leaf_bones=False,
    bake_anim=True,
    bake_anim_use_all_actions=True,
    bake_anim_use_nla_strips=False,
    path_mode="COPY",
    embed_textures=True,
)
