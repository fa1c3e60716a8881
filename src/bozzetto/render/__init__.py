"""Pictures of a scene: cameras, the mesh renderer, condition maps."""

from .cameras import frame as frame
from .cameras import orbit as orbit
from .cameras import perspective as perspective
from .cameras import view_words as view_words
from .light import Lamp as Lamp
from .light import Light as Light
from .light import ambient as ambient
from .light import random_light as random_light
from .light import studio as studio
from .mesh import render_mesh as render_mesh
from .mesh import to_srgb8 as to_srgb8
from .raster import Fragments as Fragments
from .raster import rasterize as rasterize
from .raster import rasterize_reference as rasterize_reference
from .scene import Scene as Scene
from .scene import reposed as reposed
from .scene import scene_from_layers as scene_from_layers
from .visibility import lamp_visibility as lamp_visibility
from .visibility import sky_visibility as sky_visibility
from .visibility import turning_visibility as turning_visibility
from .visibility import with_shadows as with_shadows
