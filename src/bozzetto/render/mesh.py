"""Posed layers -> pictures: rasterise (raster.py), interpolate and shade each sub-pixel, average them.

Shading follows glTF's metallic-roughness model: Lambert and GGX under three lamps and a blurred analytic sky, with the
scene's own ambient occlusion and key shadow where `with_shadows` put them. Skin is lit softly past its terminator.
"""

from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray

from bozzetto.kernels import fast_inner, fast_kernel, inner, kernel
from bozzetto.render.light import Light
from bozzetto.render.raster import camera_matrices, check_size, draw, locate, project
from bozzetto.render.scene import SRGB_TO_LINEAR, UNIT, Scene, Surfaces
from bozzetto.render.surface import cross, difference, dot
from bozzetto.threads import in_bands
from bozzetto.types import Cameras, RenderOutput, linear_to_srgb


class _Lamps(NamedTuple):
    directions: Float32[ndarray, "3 3"]
    radiance: Float32[ndarray, "3 3"]
    """Colour times intensity."""
    softness: Float32[ndarray, "3"]
    """What a lamp's size adds to GGX alpha."""
    sky: Float32[ndarray, "3 3"]
    """Above, level, below."""


def render_mesh(
    scene: Scene,
    cameras: Cameras,
    light: Light | None = None,
    supersample: int = 2,
    background: tuple[float, float, float] | None = None,
    parallel: bool = True,
) -> RenderOutput:
    """Pictures of the scene, one a camera.

    Args:
        scene: Posed layers. Without layers the picture is all background.
        cameras: Any number.
        light: Lamps and sky; without one the picture is pure albedo.
        supersample: Sub-pixels each way.
        background: Linear colour; without one colour is premultiplied, on black.
        parallel: Draw each view with all of torch's threads; without, a caller may draw several at once.

    Raises:
        ValueError: A vertex is not finite, or the picture has no pixels.
    """
    check_size(cameras)
    if supersample < 1:
        raise ValueError(f"supersample counts sub-pixels each way, so it is 1 or more; got {supersample}.")
    if not np.isfinite(scene.vertices).all():
        raise ValueError("The scene has vertices that are not finite.")
    views, height, width = len(cameras), cameras.height, cameras.width
    rgb = np.empty((views, height, width, 3), np.float32)
    alpha = np.empty((views, height, width, 1), np.float32)
    depth = np.empty((views, height, width, 1), np.float32)
    normal = np.empty((views, height, width, 3), np.float32)
    layer = np.empty((views, height, width), np.int32)

    fine = height * supersample, width * supersample
    face, closeness = np.empty(fine, np.int32), np.empty(fine, np.float32)
    barycentrics, fine_depth = np.empty((*fine, 3), np.float32), np.empty(fine, np.float32)
    behind = np.asarray(background if background is not None else (0.0, 0.0, 0.0), np.float32)
    lamps = _lamps(light)
    open_sky = np.ones(len(scene.vertices), np.float32) if scene.sky is None or scene.key is None else None
    sky = open_sky if scene.sky is None else scene.sky
    key = open_sky if scene.key is None else scene.key

    for view in range(views):
        matrix, lens = camera_matrices(cameras, view)
        lens[:2] *= supersample
        eye = -matrix[:, :3].T @ matrix[:, 3]
        screen = project(scene.vertices, matrix, lens)
        draw(screen, scene.faces, scene.coverage, face, closeness, parallel)
        locate(screen, scene.faces, face, barycentrics, fine_depth, parallel)
        pixel = 2.0 / (lens[0, 0] + lens[1, 1])  # metres a sub-pixel spans at a depth of one metre

        def shade(low: int, high: int) -> None:
            _shade(
                scene.vertices, scene.faces, scene.uvs, scene.layer, scene.normals, sky, key, scene.surfaces,
                lamps, light is not None, eye, pixel, face, barycentrics, fine_depth, supersample, behind, low, high,  # noqa: B023
                SRGB_TO_LINEAR, UNIT, rgb[view], alpha[view], depth[view], normal[view], layer[view],  # noqa: B023
            )  # fmt: skip

        in_bands(shade, height, parallel)
    return RenderOutput(*(torch.from_numpy(array) for array in (rgb, alpha, depth, normal, layer)))


def to_srgb8(output: RenderOutput, tone: Literal["plain", "film"] = "film") -> UInt8[ndarray, "b h w 3"]:
    """The pictures as 8-bit sRGB.

    Args:
        output: Linear light.
        tone: "plain" clips at one, so that albedo comes back as it was; "film" leaves values below 0.75 as they are
            and rolls brighter ones off smoothly towards one.
    """
    return tone_mapped(output.rgb.detach().cpu().numpy(), tone)


def tone_mapped(linear: Float[ndarray, "*n 3"], tone: Literal["plain", "film"] = "film") -> UInt8[ndarray, "*n 3"]:
    """Linear light as 8-bit sRGB; see `to_srgb8`."""
    light = np.ascontiguousarray(linear, np.float32)
    out = np.empty(light.shape, np.uint8)
    _encode(light.reshape(-1), tone == "film", _SRGB_CODES, out.reshape(-1))
    return out


_SRGB_CODES = (linear_to_srgb(np.arange(1 << 16) / ((1 << 16) - 1)) * 255.0 + 0.5).astype(np.uint8)
"""The sRGB code of linear light in steps far finer than the codes'."""


@kernel
def _encode(linear, film, codes, out):
    shoulder = 0.75
    for i in range(len(linear)):
        value = linear[i]
        if film and value > shoulder:
            value = shoulder + (1 - shoulder) * (1 - np.exp((shoulder - value) / (1 - shoulder)))
        out[i] = codes[np.int64(min(max(value, 0.0), 1.0) * 65535.0 + 0.5)]


def _lamps(light: Light | None) -> _Lamps:
    zero = np.zeros((3, 3), np.float32)
    if light is None:
        return _Lamps(zero, zero, zero[0], zero)
    lamps = (light.key, light.fill, light.rim)
    directions = np.array([lamp.direction for lamp in lamps])
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    return _Lamps(
        directions.astype(np.float32),
        np.array([np.array(lamp.colour) * lamp.intensity for lamp in lamps], np.float32),
        np.array([np.sin(np.radians(lamp.size_degrees)) / 3 for lamp in lamps], np.float32),
        np.array([light.sky, light.horizon, light.ground], np.float32),
    )


@fast_kernel
def _shade(
    vertices, faces, uvs, layers, normals, sky, key, surfaces: Surfaces,
    lamps: _Lamps, lit, eye, pixel, face, barycentrics, depth, supersample, background, low, high,
    srgb, unit, out_rgb, out_alpha, out_depth, out_normal, out_layer,
):  # fmt: skip
    """Shades every sub-pixel of rows low..high and writes the pixels' means."""
    texels, textures, factors = surfaces.texels, surfaces.textures, surfaces.factors
    for row in range(low, high):
        for column in range(out_rgb.shape[1]):
            red, green, blue, far = 0.0, 0.0, 0.0, 0.0
            sum_x, sum_y, sum_z = 0.0, 0.0, 0.0
            count = 0
            for i in range(supersample):
                for j in range(supersample):
                    y, x = row * supersample + i, column * supersample + j
                    f = face[y, x]
                    if f < 0:
                        continue
                    m = layers[f]
                    count += 1
                    far += depth[y, x]
                    a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
                    # One type for all that follows: each mixture of types would compile what is called once more.
                    wa, wb = np.float64(barycentrics[y, x, 0]), np.float64(barycentrics[y, x, 1])
                    wc = np.float64(barycentrics[y, x, 2])

                    # The triangle: edges, normal, and how its texture lies on it.
                    e1, e2 = difference(vertices, a, b), difference(vertices, a, c)
                    across = cross(e1, e2)
                    area = np.sqrt(dot(across, across))
                    at = _between(vertices, a, b, c, wa, wb, wc)
                    vx, vy, vz = eye[0] - at[0], eye[1] - at[1], eye[2] - at[2]
                    distance = np.sqrt(vx * vx + vy * vy + vz * vz)
                    vx, vy, vz = vx / distance, vy / distance, vz / distance
                    facing = dot(across, (vx, vy, vz)) / max(area, 1e-20)
                    u1, v1 = uvs[f, 1, 0] - uvs[f, 0, 0], uvs[f, 1, 1] - uvs[f, 0, 1]
                    u2, v2 = uvs[f, 2, 0] - uvs[f, 0, 0], uvs[f, 2, 1] - uvs[f, 0, 1]
                    uv_area = u1 * v2 - u2 * v1
                    u = wa * uvs[f, 0, 0] + wb * uvs[f, 1, 0] + wc * uvs[f, 2, 0]
                    v = wa * uvs[f, 0, 1] + wb * uvs[f, 1, 1] + wc * uvs[f, 2, 1]
                    # Texture area under one sub-pixel, were the texture one texel. What a pixel sees of a surface grows
                    # as it tilts, though not as it moves off the picture's middle: hence depth over distance.
                    slant = max(abs(facing) * distance / depth[y, x], 0.15)
                    spread = pixel * depth[y, x]
                    footprint = spread * spread * abs(uv_area) / max(area * slant, 1e-20)
                    base = _sample(texels, textures, 2 * m, u, v, footprint, srgb)

                    smooth = _between(normals, a, b, c, wa, wb, wc)
                    nx, ny, nz = _unit(smooth[0], smooth[1], smooth[2])
                    roughness = np.float64(factors[m, 0])
                    if textures[2 * m + 1, 2] > 0:
                        bump = _sample(texels, textures, 2 * m + 1, u, v, footprint, unit)
                        roughness *= bump[3]
                        if abs(uv_area) > 1e-20:
                            # Tangent along +u; the bitangent is up in the image, where v falls.
                            turn = 1.0 if uv_area > 0 else -1.0
                            tx = (e1[0] * v2 - e2[0] * v1) * turn
                            ty = (e1[1] * v2 - e2[1] * v1) * turn
                            tz = (e1[2] * v2 - e2[2] * v1) * turn
                            along = tx * nx + ty * ny + tz * nz
                            tx, ty, tz = _unit(tx - along * nx, ty - along * ny, tz - along * nz)
                            bx, by, bz = cross((nx, ny, nz), (tx, ty, tz))
                            p, q, r = bump[0] * 2 - 256 / 255, bump[1] * 2 - 256 / 255, max(bump[2] * 2 - 1, 0.0)
                            # v grows down the image: a texture that is not mirrored has negative area here.
                            q *= -turn
                            nx, ny, nz = _unit(
                                tx * p + bx * q + nx * r, ty * p + by * q + ny * r, tz * p + bz * q + nz * r
                            )
                    if facing < 0:
                        nx, ny, nz = -nx, -ny, -nz
                    sum_x += nx
                    sum_y += ny
                    sum_z += nz
                    if not lit:
                        red += base[0]
                        green += base[1]
                        blue += base[2]
                        continue
                    colour = _lit(
                        base[0], base[1], base[2], min(max(roughness, 0.05), 1.0), factors[m, 1], factors[m, 2],
                        nx, ny, nz, vx, vy, vz,
                        wa * sky[a] + wb * sky[b] + wc * sky[c], wa * key[a] + wb * key[b] + wc * key[c], lamps,
                    )  # fmt: skip
                    red += colour[0]
                    green += colour[1]
                    blue += colour[2]

            share = 1.0 / (supersample * supersample)
            cover = count * share
            out_alpha[row, column, 0] = cover
            out_rgb[row, column, 0] = red * share + (1 - cover) * background[0]
            out_rgb[row, column, 1] = green * share + (1 - cover) * background[1]
            out_rgb[row, column, 2] = blue * share + (1 - cover) * background[2]
            out_depth[row, column, 0] = far / max(count, 1)
            nx, ny, nz = _unit(sum_x, sum_y, sum_z)
            out_normal[row, column, 0] = nx
            out_normal[row, column, 1] = ny
            out_normal[row, column, 2] = nz
            out_layer[row, column] = _commonest(face, layers, row, column, supersample)


@fast_inner
def _between(values, a, b, c, wa, wb, wc):
    return (
        wa * values[a, 0] + wb * values[b, 0] + wc * values[c, 0],
        wa * values[a, 1] + wb * values[b, 1] + wc * values[c, 1],
        wa * values[a, 2] + wb * values[b, 2] + wc * values[c, 2],
    )


@fast_inner
def _unit(x, y, z):
    length = np.sqrt(np.float64(x) * x + np.float64(y) * y + np.float64(z) * z)
    if length < 1e-30:
        return 0.0, 0.0, 0.0
    return x / length, y / length, z / length


@inner
def _commonest(face, layers, row, column, size):
    """The layer that most of a pixel's sub-pixels show; the first of several, -1 where all are empty."""
    best, most, all_ = -1, 0, size * size
    for i in range(all_):
        if most >= all_ - i:
            break
        f = face[row * size + i // size, column * size + i % size]
        if f < 0:
            continue
        times = 0
        for j in range(i, all_):
            g = face[row * size + j // size, column * size + j % size]
            if g >= 0 and layers[g] == layers[f]:
                times += 1
        if times > most:
            best, most = layers[f], times
    return best


@fast_inner
def _sample(texels, textures, texture, u, v, footprint, decode):
    """The texture's four channels, decoded: bilinear in the two mip levels around the footprint."""
    width, height, levels = textures[texture, 0], textures[texture, 1], textures[texture, 2]
    u, v = u - np.floor(u), v - np.floor(v)
    level = min(max(0.5 * np.log2(max(footprint * width * height, 1e-12)), 0.0), levels - 1.0)
    fine = np.int64(level)
    blend = level - fine
    r, g, b, a = _bilinear(
        texels, textures[texture, 3 + fine], max(width >> fine, 1), max(height >> fine, 1), u, v, decode
    )
    if blend > 0.02 and fine + 1 < levels:
        fine += 1
        r2, g2, b2, a2 = _bilinear(
            texels, textures[texture, 3 + fine], max(width >> fine, 1), max(height >> fine, 1), u, v, decode
        )
        r, g, b, a = r + (r2 - r) * blend, g + (g2 - g) * blend, b + (b2 - b) * blend, a + (a2 - a) * blend
    return r, g, b, a


@fast_inner
def _bilinear(texels, offset, width, height, u, v, decode):
    x, y = u * width - 0.5, v * height - 0.5
    x0, y0 = np.int64(np.floor(x)), np.int64(np.floor(y))
    fx, fy = x - x0, y - y0
    x1, y1 = x0 + 1, y0 + 1
    x0 = x0 + width if x0 < 0 else x0
    y0 = y0 + height if y0 < 0 else y0
    x1 = x1 - width if x1 >= width else x1
    y1 = y1 - height if y1 >= height else y1
    p, q = offset + 4 * (y0 * width + x0), offset + 4 * (y0 * width + x1)
    s, t = offset + 4 * (y1 * width + x0), offset + 4 * (y1 * width + x1)
    wp, wq, ws, wt = (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy
    return (
        decode[texels[p]] * wp + decode[texels[q]] * wq + decode[texels[s]] * ws + decode[texels[t]] * wt,
        decode[texels[p + 1]] * wp
        + decode[texels[q + 1]] * wq
        + decode[texels[s + 1]] * ws
        + decode[texels[t + 1]] * wt,
        decode[texels[p + 2]] * wp
        + decode[texels[q + 2]] * wq
        + decode[texels[s + 2]] * ws
        + decode[texels[t + 2]] * wt,
        (texels[p + 3] * wp + texels[q + 3] * wq + texels[s + 3] * ws + texels[t + 3] * wt) / 255.0,
    )


@fast_inner
def _sky(above, level, below, up, blur):
    """Radiance from a direction whose height is `up`, blurred from a mirror's (0) to a matt wall's (1)."""
    t = min(abs(up) / 0.7, 1.0)
    t = t * t * (3 - 2 * t)
    sharp = level + ((above if up > 0 else below) - level) * t
    matt = 0.25 * level + 0.75 * (below + (above - below) * (0.5 + 0.5 * up))
    return sharp + (matt - sharp) * blur


@fast_inner
def _lit(red, green, blue, roughness, metallic, skin, nx, ny, nz, vx, vy, vz, open_sky, open_key, lamps):
    """Outgoing light of one point.

    GGX with Smith's height-correlated visibility (Heitz 2014); the sky's highlight by Karis's fit of the split sum
    (2014), and Jimenez's coloured occlusion (2016). A lamp of intensity E lights a white wall that faces it to E.
    """
    ndv = max(nx * vx + ny * vy + nz * vz, 1e-3)
    # Karis: share of white light reflected as a highlight is F0 * scale + bias.
    r0, r1 = 1.0 - roughness, 0.0425 - 0.0275 * roughness
    r2, r3 = 1.04 - 0.572 * roughness, 0.022 * roughness - 0.04
    a004 = min(r0 * r0, 2.0 ** (-9.28 * ndv)) * r0 + r1
    scale, bias = r2 - 1.04 * a004, max(r3 + 1.04 * a004, 0.0)
    reflected_up = 2 * ndv * ny - vy
    sharp_sky = min(max((ndv + open_sky) ** (2.0 ** (-16.0 * roughness - 1.0)) - 1.0 + open_sky, 0.0), 1.0)
    metal = 1.0 - metallic
    f_red = 0.04 + (red - 0.04) * metallic
    f_green = 0.04 + (green - 0.04) * metallic
    f_blue = 0.04 + (blue - 0.04) * metallic
    s_red, s_green, s_blue = f_red * scale + bias, f_green * scale + bias, f_blue * scale + bias
    d_red, d_green, d_blue = red * metal * (1 - s_red), green * metal * (1 - s_green), blue * metal * (1 - s_blue)
    # Red light travels farther inside skin, so creases and shadow edges are redder than what surrounds them.
    glow = open_sky * (1.0 - open_sky) * skin
    sky = lamps.sky
    out_red = d_red * _sky(sky[0, 0], sky[1, 0], sky[2, 0], ny, 1.0) * _bounced(min(open_sky + 0.5 * glow, 1.0), red)
    out_green = (
        d_green * _sky(sky[0, 1], sky[1, 1], sky[2, 1], ny, 1.0) * _bounced(min(open_sky + 0.1 * glow, 1.0), green)
    )
    out_blue = d_blue * _sky(sky[0, 2], sky[1, 2], sky[2, 2], ny, 1.0) * _bounced(open_sky, blue)
    out_red += s_red * _sky(sky[0, 0], sky[1, 0], sky[2, 0], reflected_up, roughness) * sharp_sky
    out_green += s_green * _sky(sky[0, 1], sky[1, 1], sky[2, 1], reflected_up, roughness) * sharp_sky
    out_blue += s_blue * _sky(sky[0, 2], sky[1, 2], sky[2, 2], reflected_up, roughness) * sharp_sky

    # How far past the terminator light travels inside skin.
    wrap_red, wrap_green, wrap_blue = 0.32 * skin, 0.12 * skin, 0.08 * skin
    for i in range(3):
        lx, ly, lz = lamps.directions[i, 0], lamps.directions[i, 1], lamps.directions[i, 2]
        ndl = nx * lx + ny * ly + nz * lz
        if ndl <= -wrap_red or lamps.radiance[i, 0] + lamps.radiance[i, 1] + lamps.radiance[i, 2] <= 0.0:
            continue
        shadow = open_key if i == 0 else open_sky
        dusk = shadow * (1.0 - shadow) * skin
        e_red = lamps.radiance[i, 0] * min(shadow + 0.5 * dusk, 1.0)
        e_green = lamps.radiance[i, 1] * (shadow + 0.1 * dusk)
        e_blue = lamps.radiance[i, 2] * shadow
        out_red += d_red * e_red * max(ndl + wrap_red, 0.0) / (1 + wrap_red)
        out_green += d_green * e_green * max(ndl + wrap_green, 0.0) / (1 + wrap_green)
        out_blue += d_blue * e_blue * max(ndl + wrap_blue, 0.0) / (1 + wrap_blue)
        if ndl <= 0.0:
            continue
        hx, hy, hz = _unit(lx + vx, ly + vy, lz + vz)
        ndh = max(nx * hx + ny * hy + nz * hz, 0.0)
        alpha = min(roughness * roughness + lamps.softness[i], 1.0)
        alpha *= alpha
        lobe = ndh * ndh * (alpha - 1.0) + 1.0
        masking = ndl * np.sqrt(ndv * ndv * (1 - alpha) + alpha) + ndv * np.sqrt(ndl * ndl * (1 - alpha) + alpha)
        shine = 0.5 * alpha / (lobe * lobe * masking) * ndl  # pi D V cos
        away = 1.0 - max(vx * hx + vy * hy + vz * hz, 0.0)
        fresnel = away * away * away * away * away
        out_red += shine * e_red * (f_red + (1 - f_red) * fresnel)
        out_green += shine * e_green * (f_green + (1 - f_green) * fresnel)
        out_blue += shine * e_blue * (f_blue + (1 - f_blue) * fresnel)
    return out_red, out_green, out_blue


@fast_inner
def _bounced(visible, albedo):
    """Occlusion once light has bounced between walls of this albedo: bright creases fill up (Jimenez 2016)."""
    a, b, c = 2.0404 * albedo - 0.3324, 0.6417 - 4.7951 * albedo, 2.7552 * albedo + 0.6903
    return max(visible, min(((visible * a + b) * visible + c) * visible, 1.0))
