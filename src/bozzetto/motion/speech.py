"""A talking face from a recording: which vowel, how loud, and what the mouth does for it.

For every frame of the film the loudest tenths of a second around it are windowed, pre-emphasised and fitted by linear
prediction (autocorrelation method, Makhoul 1975, Linear prediction: a tutorial review); the angles of the polynomial's
roots near the unit circle are formants. The first two say which of VRM's five vowels (aa, ih, ou, ee, oh) is near, by
distance on a mel scale to the mean formants of men, women and children (Peterson & Barney 1952) after a speaker's own
range is found. Loudness opens the mouth; hiss (energy above 3 kHz without a voice) parts the teeth; silence closes it.
"""

import io
import wave
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.linalg import solve_toeplitz
from scipy.ndimage import gaussian_filter1d
from scipy.signal import resample_poly

from bozzetto.export.expressions import VISEMES, VRM_PRESETS
from bozzetto.files import read_limited
from bozzetto.types import UserError

RATE = 11_025
"""Samples a second that are analysed: formants lie below half of it."""
_LONGEST = 600.0
"""Seconds of a recording."""
_MOST_BYTES = 1 << 27
_WINDOW = 0.030
_ORDER = 12
VOWELS: Mapping[str, tuple[tuple[float, float], ...]] = {
    "aa": ((730, 1090), (850, 1220), (1030, 1370), (660, 1720), (860, 2050)),
    "ih": ((390, 1990), (430, 2480), (530, 2730)),
    "ou": ((300, 870), (370, 950), (430, 1170), (440, 1020), (470, 1160)),
    "ee": ((270, 2290), (310, 2790), (370, 3200)),
    "oh": ((570, 840), (590, 920), (680, 1060)),
}
"""First and second formants, Hz: of men, women and children."""


def read_wav(path: Path) -> tuple[Float[ndarray, "n"], int]:
    """One channel, in [-1, 1], and its samples a second.

    Raises:
        UserError: It cannot be read, is no PCM WAV, is empty or too long.
    """
    data = read_limited(path, _MOST_BYTES, "Cut it to what is to be said.")
    try:
        with wave.open(io.BytesIO(data)) as sound:
            rate, width, channels = sound.getframerate(), sound.getsampwidth(), sound.getnchannels()
            if not 4000 <= rate <= 384_000 or width not in (1, 2, 3, 4) or not 1 <= channels <= 32:
                raise UserError(f"{path.name} has {rate} samples a second of {width} bytes in {channels} channels. "
                                "Save it as a WAV of 16 bit, 44100 Hz.")  # fmt: skip
            data = sound.readframes(min(sound.getnframes(), _MOST_BYTES // (width * channels)))
    except (wave.Error, EOFError, ValueError, ZeroDivisionError, RuntimeError) as error:
        raise UserError(
            f"{path.name} is no WAV file that can be used ({str(error) or 'it is cut off'}). Save the recording as a "
            "WAV with 16 bit PCM."
        ) from None
    count = len(data) // (width * channels)
    if count < rate // 20:
        raise UserError(f"{path.name} is shorter than a twentieth of a second. Choose another recording.")
    if count > _LONGEST * rate:
        raise UserError(f"{path.name} lasts {count / rate / 60:.0f} minutes; at most {_LONGEST / 60:.0f} go. Cut it.")
    return _mono(data[: count * width * channels], width, channels), rate


def _mono(data: bytes, width: int, channels: int) -> Float[ndarray, "n"]:
    """The channels' mean, in [-1, 1]. Bytes are unsigned, wider samples signed and little-endian."""
    if width == 3:  # the low byte of four stays empty
        wide = np.zeros((len(data) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        data, width = wide.tobytes(), 4
    samples = np.frombuffer(data, {1: "u1", 2: "<i2", 4: "<i4"}[width]).reshape(-1, channels)
    mean = samples.mean(axis=1, dtype=np.float64)
    return (mean - 128.0) / 128.0 if width == 1 else mean / float(1 << (8 * width - 1))


def formants(window: Float[ndarray, "n"], rate: float) -> tuple[float, float] | None:
    """The first two resonances of a stretch of voice, Hz; None where there are none."""
    shaped = np.append(window[0], window[1:] - 0.97 * window[:-1]) * np.hamming(len(window))
    lags = np.correlate(shaped, shaped, "full")[len(shaped) - 1 : len(shaped) + _ORDER]
    if lags[0] <= 1e-12:
        return None
    lags[0] *= 1 + 1e-9
    try:
        predictor = solve_toeplitz(lags[:-1], lags[1:])
        roots = np.roots(np.concatenate([[1.0], -predictor]))
    except np.linalg.LinAlgError:
        return None
    roots = roots[roots.imag > 1e-3]
    hertz = np.angle(roots) * rate / (2 * np.pi)
    widths = -np.log(np.maximum(np.abs(roots), 1e-9)) * rate / np.pi
    found = np.sort(hertz[(hertz > 180) & (hertz < 4200) & (widths < 450)])
    return (float(found[0]), float(found[1])) if len(found) > 1 else None


def mel(hertz: Float[ndarray, "*n"]) -> Float[ndarray, "*n"]:
    """O'Shaughnessy's mel scale: equal steps sound equally far apart."""
    return 2595.0 * np.log10(1.0 + hertz / 700.0)


def nearest_vowels(found: tuple[float, float], sharp: float = 110.0) -> dict[str, float]:
    """Shares, summing to one, of the five vowels; the nearest mean of any kind of speaker counts.

    Args:
        found: First and second formant, Hz.
        sharp: Mels by which a vowel is farther that gets a share of 1/e less.
    """
    here = mel(np.array(found, np.float64))
    away = {
        vowel: min(float(np.linalg.norm((mel(np.array(each, np.float64)) - here) * [1.0, 0.7])) for each in means)
        for vowel, means in VOWELS.items()
    }
    least = min(away.values())
    weights = {vowel: float(np.exp(-(each - least) / sharp * 2)) for vowel, each in away.items()}
    return {vowel: weight / sum(weights.values()) for vowel, weight in weights.items()}


def visemes(sound: Float[ndarray, "n"], rate: int, fps: float) -> dict[str, Float[ndarray, "k"]]:
    """How far the mouth goes into each vowel, and into ``hiss``, at every frame; zero in silence.

    Args:
        sound: In [-1, 1].
        rate: Samples a second.
        fps: Frames a second.
    """
    common = int(np.gcd(rate, RATE))
    voice = resample_poly(sound, RATE // common, rate // common) if rate != RATE else sound
    frames = max(int(np.ceil(len(sound) / rate * fps)), 1) + 1
    half = int(_WINDOW * RATE / 2)
    padded = np.pad(voice, half + 1)
    power, hiss = np.zeros(frames), np.zeros(frames)
    shares = {vowel: np.zeros(frames) for vowel in VOWELS}
    windows = []
    for frame in range(frames):
        middle = min(int(frame / fps * RATE), len(voice)) + half + 1
        window = padded[max(middle - half, 0) : middle + half]
        windows.append(window)
        power[frame] = float(np.sqrt(np.mean(window**2))) if len(window) else 0.0
    loud = float(np.percentile(power, 95))
    if loud < 1e-4:
        return {**shares, "hiss": hiss}
    opening = np.clip((power / loud - 0.06) / 0.6, 0.0, 1.0) ** 0.6
    for frame, window in enumerate(windows):
        if opening[frame] <= 0 or len(window) < 2 * half:
            continue
        spectrum = np.abs(np.fft.rfft(window * np.hanning(len(window)))) ** 2
        hertz = np.fft.rfftfreq(len(window), 1 / RATE)
        high = float(spectrum[hertz > 3000].sum() / max(spectrum.sum(), 1e-12))
        hiss[frame] = np.clip((high - 0.35) / 0.3, 0.0, 1.0)
        found = formants(window, RATE)
        if found is not None:
            for vowel, share in nearest_vowels(found).items():
                shares[vowel][frame] = share * (1 - hiss[frame])
    # The mouth is heavier than the voice: 45 ms of smoothing, and it moves a little before it is heard.
    width = 0.045 * fps
    smooth = {name: gaussian_filter1d(share * opening, width) for name, share in (*shares.items(), ("hiss", hiss))}
    return {name: np.clip(each, 0.0, 1.0) for name, each in smooth.items()}


def talking(
    sound: Float[ndarray, "n"], rate: int, fps: float, resting: Mapping[str, float] | None = None, seed: int = 0
) -> dict[str, Float[ndarray, "k"]]:
    """ARKit weights of a face that says it, and blinks now and then.

    Args:
        resting: The face as it rests; what of it shapes the mouth gives way while the mouth is open.
        seed: When it blinks.
    """
    moved = visemes(sound, rate, fps)
    count = len(moved["aa"])
    mixtures = {vowel: VRM_PRESETS[vowel] for vowel in VOWELS} | {"hiss": VISEMES["SS"]}
    out: dict[str, Float[ndarray, "k"]] = {}
    for name, strength in moved.items():
        for target, share in mixtures[name].items():
            out[target] = out.get(target, np.zeros(count)) + share * strength
    spoken = np.clip(sum(moved.values()), 0.0, 1.0)
    for target, weight in (resting or {}).items():
        gives = 0.7 if target.startswith(("mouth", "jaw")) else 0.0
        out[target] = out.get(target, np.zeros(count)) + weight * (1 - gives * spoken)
    blinks = _blinks(count, fps, seed)
    for side in ("Left", "Right"):
        out[f"eyeBlink{side}"] = np.maximum(out.get(f"eyeBlink{side}", np.zeros(count)), blinks)
    # Brows follow the voice a little: without it a talking face looks dead.
    out["browInnerUp"] = out.get("browInnerUp", np.zeros(count)) + 0.25 * gaussian_filter1d(spoken, 0.25 * fps)
    return {target: np.clip(weights, 0.0, 1.0) for target, weights in out.items()}


def _blinks(count: int, fps: float, seed: int) -> Float[ndarray, "k"]:
    """Lids closed for a moment, every two to five seconds."""
    rng = np.random.default_rng(seed)
    times = np.arange(count) / fps
    out, moment = np.zeros(count), float(rng.uniform(0.8, 2.5))
    while moment < times[-1]:
        away = (times - moment) / np.where(times < moment, 0.07, 0.13)
        out = np.maximum(out, np.clip(1.15 - np.abs(away), 0.0, 1.0))
        moment += float(rng.uniform(2.0, 5.0))
    return out
