"""What a scene is lit by: three lamps and an analytic sky, in linear light."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from bozzetto.render.cameras import view_directions

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Lamp:
    """A distant lamp."""

    direction: tuple[float, float, float]
    """World space, from the figure towards the lamp; any length."""
    colour: Colour
    """Linear, 1 at the strongest channel."""
    intensity: float
    """Linear value of a white wall that faces the lamp."""
    size_degrees: float = 15.0
    """Angular radius: widens highlights and softens shadows."""


@dataclass(frozen=True)
class Light:
    """Key, fill and rim lamp in a sky of three bands."""

    key: Lamp
    """The only lamp that casts a shadow."""
    fill: Lamp
    rim: Lamp
    sky: Colour
    """Radiance from above."""
    horizon: Colour
    ground: Colour
    """Radiance from below."""

    def turned(self, degrees: float) -> "Light":
        """The same lamps carried around the vertical: `turned(azimuth)` keeps them fixed to an orbiting camera."""
        cos, sin = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
        return self.rotated(np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]]))

    def rotated(self, rotation: Float[ndarray, "3 3"]) -> "Light":
        """The same lamps elsewhere; the sky stays above."""

        def turn(lamp: Lamp) -> Lamp:
            x, y, z = (rotation @ lamp.direction).tolist()
            return replace(lamp, direction=(x, y, z))

        return replace(self, key=turn(self.key), fill=turn(self.fill), rim=turn(self.rim))


def studio() -> Light:
    """A large soft key from the upper left, a weak fill, a rim from behind: volume without blown highlights."""
    return Light(
        key=Lamp(_towards(-38.0, 38.0), (1.0, 0.96, 0.91), 0.95, 20.0),
        fill=Lamp(_towards(52.0, 12.0), (1.0, 0.98, 0.95), 0.12, 35.0),
        rim=Lamp(_towards(152.0, 34.0), (0.95, 0.98, 1.0), 0.38, 14.0),
        sky=(0.39, 0.395, 0.41),
        horizon=(0.27, 0.265, 0.262),
        ground=(0.13, 0.115, 0.104),
    )


def ambient(radiance: float = 1.0) -> Light:
    """The same radiance from everywhere: a white wall looks as bright as it."""
    dark, even = Lamp((0.0, 0.0, 1.0), (1.0, 1.0, 1.0), 0.0), (radiance, radiance, radiance)
    return Light(dark, dark, dark, even, even, even)


def random_light(rng: np.random.Generator) -> Light:
    """A plausible photograph's light, seen from azimuth 0: lamp places, warmth, contrast and sky vary."""
    side = rng.choice([-1.0, 1.0])
    contrast = rng.uniform(0.0, 1.0)
    warmth = rng.normal(0.0, 1.0)
    key_intensity = rng.uniform(0.55, 0.75) + 0.25 * contrast
    level = rng.uniform(0.40, 0.60) - 0.15 * contrast

    def tint(amount: float) -> Colour:
        colour = np.array([1 + 0.10 * amount, 1.0, 1 - 0.14 * amount]).clip(0.55, 1.3)
        red, green, blue = (colour / colour.max()).tolist()
        return red, green, blue

    def band(strength: float, amount: float) -> Colour:
        red, green, blue = tint(amount)
        return strength * red, strength * green, strength * blue

    return Light(
        key=Lamp(
            _towards(side * rng.uniform(5, 75), rng.uniform(15, 60)), tint(warmth), key_intensity, rng.uniform(4, 30)
        ),
        fill=Lamp(
            _towards(-side * rng.uniform(30, 80), rng.uniform(-5, 30)),
            tint(-0.5 * warmth),
            rng.uniform(0.05, 0.30) * (1 - 0.6 * contrast),
            30.0,
        ),
        rim=Lamp(
            _towards(-side * rng.uniform(130, 170), rng.uniform(10, 45)),
            tint(rng.normal(0.0, 0.7)),
            rng.uniform(0.0, 0.7),
            15.0,
        ),
        sky=band(level * rng.uniform(0.9, 1.2), rng.normal(-0.4, 0.6)),
        horizon=band(level * rng.uniform(0.6, 0.9), rng.normal(0.0, 0.5)),
        ground=band(level * rng.uniform(0.25, 0.6), rng.normal(0.5, 0.6)),
    )


def _towards(azimuth: float, elevation: float) -> tuple[float, float, float]:
    x, y, z = view_directions(azimuth, elevation)[0].tolist()
    return x, y, z
