"""Motion in: recordings and built-in motions become clips of a character."""
