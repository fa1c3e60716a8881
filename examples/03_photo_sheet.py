"""A run of ``bozzetto digitize`` on one page: the photo and what was seen in it, then the character.

bozzetto digitize PHOTO --out out/person --consent
python examples/03_photo_sheet.py out/person sheet.jpg
"""

import sys
from pathlib import Path

from PIL import Image

WIDTH = 1800


def photo(index: int, out: Path) -> None:
    """Somebody no recipe was tuned on, before a cluttered wall, in uneven light."""
    from bozzetto.evaluate.digitize import subject

    picture = subject(index, photo_light=True).shot.picture
    Image.fromarray((picture * 255 + 0.5).astype("uint8")).save(out, quality=90)


def sheet(folders: list[Path], out: Path) -> None:
    """A row a run."""
    rows = []
    for folder in folders:
        intake, preview = (Image.open(folder / name).convert("RGB") for name in ("intake.png", "preview.png"))
        side = intake.height
        photo = intake.crop((0, 0, 2 * side, side))
        panel = preview.height
        front, three, _, back, face = (preview.crop((k * panel, 0, (k + 1) * panel, panel)) for k in range(5))
        row = [photo, *(each.resize((side, side), Image.Resampling.LANCZOS) for each in (front, three, back, face))]
        line = Image.new("RGB", (sum(each.width for each in row), side))
        left = 0
        for each in row:
            line.paste(each, (left, 0))
            left += each.width
        rows.append(line.resize((WIDTH, round(side * WIDTH / line.width)), Image.Resampling.LANCZOS))
    page = Image.new("RGB", (WIDTH, sum(row.height for row in rows)))
    top = 0
    for row in rows:
        page.paste(row, (0, top))
        top += row.height
    page.save(out, quality=88)


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "photo":
        photo(int(words[0]), Path(words[1]))
    else:
        sheet([Path(each) for each in words[:-1]], Path(words[-1]))
