"""Textures: unwrap a mesh, bake pictures onto it, fill what they left."""

from .bake import Baked as Baked
from .bake import Blend as Blend
from .bake import bake as bake
from .bake import bake_reference as bake_reference
from .pad import complete as complete
from .pad import pad as pad
from .unwrap import unwrap as unwrap
