"""Avatars as files other programs open."""

from .bones import BoneNames as BoneNames
from .glb import write_glb as write_glb
from .read import read_glb as read_glb
from .vrm import write_vrm as write_vrm
