"""bozzetto: words become a rigged, textured 3D human."""

__version__ = "0.1.0"
