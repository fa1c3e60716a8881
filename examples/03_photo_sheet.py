"""Runs from photos on one page: of ``bozzetto digitize`` the photo, what was seen in it, and the character; of
``bozzetto personalize`` the photos and the character.

bozzetto digitize PHOTO --out out/person --consent
python examples/03_photo_sheet.py sheet out/person sheet.jpg
python examples/03_photo_sheet.py photos 5 photos
bozzetto personalize photos/*.jpg --out out/friend --consent
python examples/03_photo_sheet.py page photos out/friend page.jpg
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


def photos(index: int, folder: Path) -> None:
    """Eight of somebody no recipe was tuned on, each in another light, pose and place."""
    from bozzetto.evaluate.personalize import photographed

    photographed(index, folder)


def page(folder: Path, run: Path, out: Path) -> None:
    """Photos above, the character below."""
    preview = Image.open(run / "preview.png").convert("RGB")
    shots = [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.jpg"))]
    height = round(WIDTH / sum(each.width / each.height for each in shots))
    below = preview.resize((WIDTH, round(preview.height * WIDTH / preview.width)), Image.Resampling.LANCZOS)
    sheet = Image.new("RGB", (WIDTH, height + below.height))
    left = 0
    for each in shots:
        small = each.resize((round(each.width * height / each.height), height), Image.Resampling.LANCZOS)
        sheet.paste(small, (left, 0))
        left += small.width
    sheet.paste(below, (0, height))
    sheet.save(out, quality=88)


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "photo":
        photo(int(words[0]), Path(words[1]))
    elif what == "photos":
        photos(int(words[0]), Path(words[1]))
    elif what == "page":
        page(*map(Path, words))
    else:
        sheet([Path(each) for each in words[:-1]], Path(words[-1]))
