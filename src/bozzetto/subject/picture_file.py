"""Files that people call photos, as upright sRGB pixels; or one paragraph on why not."""

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image, ImageCms, ImageOps

from bozzetto.files import BROKEN_PICTURE
from bozzetto.types import UserError

LONGEST = 2048
"""Pixels: larger pictures are scaled down to this."""
SMALLEST = 100
"""Pixels of the shorter side."""

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "JPEG2000", "PPM", "TGA")
_NOT_PHOTOS = (
    (0, b"%PDF", "a PDF document", "Save the picture inside it as JPEG or PNG first."),
    (0, b"PK\x03\x04", "a zip archive or an office document", "Take the picture out of it first."),
    (0, b"8BPS", "a Photoshop file", "Export it as JPEG or PNG first."),
    (0, b"%!PS", "a PostScript drawing", "Export it as PNG first."),
    (0, b"<svg", "an SVG drawing", "Export it as PNG first."),
    (0, b"<?xml", "an XML or SVG file", "Export it as PNG first."),
    (0, b"\x1aE\xdf\xa3", "a video", "Save a single frame as JPEG or PNG first."),
    (4, b"ftypisom", "a video", "Save a single frame as JPEG or PNG first."),
    (4, b"ftypmp4", "a video", "Save a single frame as JPEG or PNG first."),
    (4, b"ftypqt", "a video", "Save a single frame as JPEG or PNG first."),
)  # fmt: skip
_HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


@dataclass(frozen=True, eq=False)
class PictureFile:
    """A file's picture, ready to be looked at."""

    pixels: UInt8[ndarray, "h w 3"]
    """sRGB, upright."""
    cutout: Float[ndarray, "h w"] | None
    """The file's own transparency, where it cuts something out."""
    colourless: bool
    notes: tuple[str, ...]
    sha256: str


def open_picture(path: Path) -> PictureFile:
    """The first picture of a file: turned upright, in sRGB, at most ``LONGEST`` pixels long.

    Raises:
        UserError: No such file, no picture, a broken one, or one too small or too large.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"There is no file {str(path)!r}. Check the spelling and the folder.") from None
    except IsADirectoryError:
        raise UserError(f"{str(path)!r} is a folder. Name one photo inside it.") from None
    except OSError as error:
        raise UserError(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    notes: list[str] = []
    image = _decoded(path, data)
    full = image.size
    if min(full) < SMALLEST:
        raise UserError(
            f"{path.name} is {full[0]} x {full[1]} pixels; at least {SMALLEST} each way are needed, and a person "
            "should be 500 tall. Use the original photo, not a thumbnail."
        )
    try:
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != "MPO":
            notes.append(f"The file holds {frames} pictures; the first is used.")
        orientation = image.getexif().get(0x0112, 1)
        image.draft("RGB", (2 * LONGEST, 2 * LONGEST))  # lets JPEGs be decoded smaller
        image.load()
        colourless = image.mode in ("1", "L", "LA", "I", "I;16", "F")
        upright = ImageOps.exif_transpose(image)
        pixels, alpha = _to_srgb(upright)
    except BROKEN_PICTURE as error:
        raise UserError(
            f"{path.name} is damaged or incomplete: its pixels cannot be decoded ({error}). Copy or download it again."
        ) from None
    if orientation not in (0, 1):
        notes.append("Turned upright as the camera recorded it.")
    if max(pixels.size) > LONGEST:
        scale = LONGEST / max(pixels.size)
        size = max(round(pixels.width * scale), 1), max(round(pixels.height * scale), 1)
        pixels = pixels.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        alpha = None if alpha is None else alpha.resize(size, Image.Resampling.LANCZOS)
    if max(full) > LONGEST:
        notes.append(f"Scaled down from {full[0]} x {full[1]} pixels.")
    table = np.asarray(pixels)
    colourless = colourless or bool(np.ptp(table.astype(np.int16), 2).max() < 10)
    if colourless:
        notes.append("The picture is black and white: colours are guesses.")
    cutout = None if alpha is None else np.asarray(alpha, np.float32) / 255
    if cutout is not None and not (0.02 < (cutout > 0.5).mean() < 0.9):
        cutout = None
    return PictureFile(table, cutout, colourless, tuple(notes), hashlib.sha256(data).hexdigest())


def _decoded(path: Path, data: bytes) -> Image.Image:
    """The opened, not yet decoded picture."""
    if not data:
        raise UserError(f"{path.name} is empty: nothing was written into it.")
    for start, magic, what, instead in _NOT_PHOTOS:
        if data[start : start + len(magic)] == magic:
            named = (
                f", whatever its name {path.name!r} says," if path.suffix.lower() in (".jpg", ".jpeg", ".png") else ""
            )
            raise UserError(f"{path.name if not named else 'This file'}{named} is {what}. {instead}")
    formats = _FORMATS
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC:
        try:
            from pillow_heif import register_heif_opener  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise UserError(
                f"{path.name} is an HEIC picture, as iPhones save them. Save it as JPEG (on the phone: Settings, "
                "Camera, Formats, Most Compatible), or install what reads it: pip install pillow-heif."
            ) from None
        register_heif_opener()
        formats = (*_FORMATS, "HEIF")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=formats)
    except Image.DecompressionBombError:
        raise UserError(
            f"{path.name} claims more than {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} megapixels and is not "
            f"opened. Scale it down; {LONGEST} pixels on the longer side are all that is used."
        ) from None
    except BROKEN_PICTURE:
        raise UserError(
            f"{path.name} is not a picture that can be read. JPEG, PNG, WebP, TIFF, AVIF, BMP and GIF can."
        ) from None


def _to_srgb(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """RGB pixels in sRGB and the transparency, if there is any."""
    alpha = None
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        if alpha.getextrema()[0] == 255:
            alpha = None
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":  # 16 bit grey
        values = np.asarray(image, np.float64)
        low, high = np.percentile(values, (0, 99.9))
        image = Image.fromarray(np.uint8(np.clip((values - low) / max(high - low, 1e-9), 0, 1) * 255 + 0.5))
    flat = image
    if alpha is not None:
        flat = Image.new("RGBA", image.size, (255, 255, 255, 255))
        flat.alpha_composite(image)
        flat = flat.convert("RGB")
    elif image.mode not in ("RGB", "CMYK", "L"):
        flat = image.convert("RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(flat, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                return converted, alpha
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # a profile that does not fit its picture is common, and no reason to refuse it
    return flat.convert("RGB"), alpha
