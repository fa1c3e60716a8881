"""Scenes on disk: safetensors, with the scene's kind and options in the header."""

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from bozzetto.files import atomic_path
from bozzetto.types import UserError

S = TypeVar("S", bound="StoredScene")


class StoredScene(nn.Module, ABC):
    """A scene that can be made again from its tensors and a few options."""

    options: dict[str, float]

    @classmethod
    @abstractmethod
    def blank(cls: type[S], tensors: dict[str, Tensor], options: dict[str, Any]) -> S:
        """A scene of the sizes that were saved; ``load`` fills it."""

    def save(self, path: Path) -> None:
        """Writes the scene, whole or not at all."""
        tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in self.state_dict().items()}
        header = {"scene": type(self).__name__, "options": json.dumps(self.options)}
        with atomic_path(path) as partial:
            save_file(tensors, partial, header)

    @classmethod
    def load(cls: type[S], path: Path) -> S:
        """The scene that was saved.

        Raises:
            UserError: No such file, a damaged one, or another kind of scene.
        """
        try:
            with safe_open(path, "pt") as file:
                header = file.metadata() or {}
                if header.get("scene") != cls.__name__:
                    raise UserError(f"{path} holds a {header.get('scene', 'something else')}, not a {cls.__name__}.")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            scene = cls.blank(tensors, json.loads(header["options"]))
            scene.load_state_dict(tensors)
        except FileNotFoundError:
            raise UserError(f"There is no scene at {path}.") from None
        except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
            raise UserError(f"{path} is damaged: {error}. Make the scene again.") from None
        return scene
