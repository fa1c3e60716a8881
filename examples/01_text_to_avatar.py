"""Words become a character file, in a few lines: ``python examples/01_text_to_avatar.py [FILE.glb]``."""

import sys
from pathlib import Path

from bozzetto.export.glb import write_glb
from bozzetto.figure.build import build_figure
from bozzetto.subject.words import read_words

path = Path(sys.argv[1] if len(sys.argv) > 1 else "avatar.glb")
reading = read_words("a tall woman in her forties with curly black hair, a yellow raincoat and green boots", seed=1)
print("understood:", "; ".join(reading.understood))
figure = build_figure(reading.spec)
write_glb(figure.avatar, path)
print(path, "with", ", ".join(layer.name for layer in figure.avatar.layers))
