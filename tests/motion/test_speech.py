"""A talking face: vowels made of known formants move the mouth as vowels do."""

import numpy as np
import pytest
from scipy.signal import lfilter

from bozzetto.motion.speech import RATE, VOWELS, formants, nearest_vowels, talking, visemes

MEAN = {"aa": (730, 1090, 2440), "ih": (390, 1990, 2550), "ou": (300, 870, 2240), "ee": (270, 2290, 3010),
        "oh": (570, 840, 2410)}  # fmt: skip
"""Men's formants, Peterson & Barney 1952."""


def vowel(hertz, seconds=0.5, rate=16_000, pitch=115.0):
    """A pulse train through resonances (Klatt 1980): a voice that holds one vowel."""
    source = np.zeros(int(seconds * rate))
    source[np.arange(0, seconds, 1 / pitch).__mul__(rate).astype(int)] = 1.0
    source = lfilter([1.0], [1.0, -0.96], source)
    for centre, width in zip(hertz, (60, 80, 120), strict=False):
        r = np.exp(-np.pi * width / rate)
        source = lfilter(
            [1 - 2 * r * np.cos(2 * np.pi * centre / rate) + r**2],
            [1, -2 * r * np.cos(2 * np.pi * centre / rate), r**2],
            source,
        )
    return 0.5 * source / np.abs(source).max()


@pytest.mark.parametrize("name", sorted(MEAN))
@pytest.mark.parametrize("rate, pitch, longer", [(16_000, 115, 1.0), (44_100, 210, 1.16)])
def test_a_vowel_of_known_formants_gives_its_viseme(name, rate, pitch, longer):
    hertz = [each * longer for each in MEAN[name]]
    moved = visemes(vowel(hertz, rate=rate, pitch=pitch), rate, 30.0)
    means = {each: float(weights[3:-3].mean()) for each, weights in moved.items()}
    assert max(means, key=lambda each: means[each]) == name
    assert means[name] > 0.4


def test_formants_are_found_where_they_were_put():
    sound = vowel((730, 1090, 2440), rate=RATE, pitch=100.0)
    first, second = formants(sound[2000:2400], RATE)
    assert first == pytest.approx(730, abs=70)
    assert second == pytest.approx(1090, abs=90)


def test_means_are_nearest_to_themselves():
    for name, means in VOWELS.items():
        for each in means:
            shares = nearest_vowels(each)
            assert max(shares, key=lambda other: shares[other]) == name
            assert sum(shares.values()) == pytest.approx(1)


def test_silence_closes_the_mouth_and_loudness_opens_it():
    rate = 16_000
    loud = vowel(MEAN["aa"], 0.6)
    sound = np.concatenate([np.zeros(rate // 2), loud, np.zeros(rate // 2), 0.3 * loud])
    weights = talking(sound, rate, 30.0)
    jaw = weights["jawOpen"]
    assert jaw[5] < 0.01
    assert jaw[24] > 0.3
    assert jaw[38] < 0.05
    assert 0.05 < jaw[56] < 0.8 * jaw[24]
    assert max(np.abs(np.diff(jaw))) < 0.3, "a jaw does not jump"
    assert all(np.isfinite(each).all() and each.min() >= 0 and each.max() <= 1 for each in weights.values())
    assert np.abs(talking(np.zeros(rate), rate, 30.0)["jawOpen"]).max() == 0


def test_hiss_shows_teeth():
    noise = np.random.default_rng(0).normal(size=16_000)
    hiss = lfilter([1, -1], [1], lfilter([1, -1], [1], noise)) * 0.1
    moved = visemes(hiss, 16_000, 30.0)
    assert moved["hiss"][5:-5].mean() > 0.4
    assert moved["aa"][5:-5].mean() < 0.2


def test_faces_blink_and_keep_their_smile():
    weights = talking(np.zeros(16_000 * 8), 16_000, 30.0, {"mouthSmileLeft": 0.3})
    assert weights["eyeBlinkLeft"].max() > 0.9
    assert (weights["eyeBlinkLeft"] > 0.5).mean() < 0.15
    assert weights["mouthSmileLeft"] == pytest.approx(0.3)
