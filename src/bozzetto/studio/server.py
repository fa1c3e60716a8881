"""``bozzetto view``: the page of ``page.py`` with a small server behind it that builds the figure anew.

It listens on this machine alone, answers only requests that name it as this machine (so that no web page can reach it
by a name of its own), and changes nothing unless a header says that its own page asks.
"""

import json
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, cast

from bozzetto.body.poses import poses
from bozzetto.export.bones import BoneNames
from bozzetto.export.glb import glb_bytes
from bozzetto.export.read import read_glb
from bozzetto.figure.reshape import MEASURES
from bozzetto.figure.spec import FigureSpec
from bozzetto.options import Files
from bozzetto.recipes.reshape import Original, changed, original_of
from bozzetto.studio.command import Reshape, free_folder, origin_of, parent_of
from bozzetto.studio.page import page, page_settings
from bozzetto.types import UserError

_LONGEST = 4096
"""Bytes of a request's body."""


class Sitting:
    """One run on show."""

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            UserError: The folder holds no run with a character of ours.
        """
        from bozzetto.cli import read_spec

        self.folder = folder
        self.spec: FigureSpec = read_spec(folder)
        self.request = parent_of(folder, finished=False)
        self.content = (folder / "avatar.glb").read_bytes()
        self.joints = read_glb(folder / "avatar.glb").skeleton.names
        self.busy = Lock()

    @cached_property
    def original(self) -> Original:
        return original_of(self.folder, self.spec, origin_of(self.request))

    @cached_property
    def shapeable(self) -> bool:
        """Whether its measures can be changed."""
        try:
            return bool(self.original)
        except UserError:
            return False

    def page(self) -> bytes:
        """The page that shows it."""
        settings = page_settings(
            self.joints,
            poses() if len(self.joints) > 1 else {},
            words=self.request.prompt or None,
            dressed=self.spec.body.age < 18,
            live=True,
            shape=self.sliders() if self.shapeable else {},
        )
        return page(settings)

    def sliders(self) -> dict[str, dict[str, Any]]:
        """The measures with what the body has of them."""
        return {
            name: {
                "label": f"{each.label}, {each.unit}" if each.unit else each.label,
                "value": getattr(self.spec.body, name),
                "least": each.least,
                "most": each.most,
                "step": each.step,
            }
            for name, each in MEASURES.items()
        }

    def shaped(self, changes: Mapping[str, float]) -> bytes:
        """The character with other measures, as a GLB.

        Raises:
            UserError: It cannot be reshaped.
        """
        if not changes:
            return self.content
        spec, _, _ = changed(self.spec, changes)
        return glb_bytes(self.original.as_spec(spec), bone_names=cast(BoneNames, self.request.bone_names))

    def keep(self, changes: Mapping[str, float]) -> str:
        """Makes a run of it; says where.

        Raises:
            UserError: Nothing was changed, or it cannot be reshaped or written.
        """
        if not changes:
            raise UserError("Nothing of the shape was changed yet. Move a slider, then save.")
        out = free_folder(self.folder)
        asked: dict[str, Any] = {name: repr(value) for name, value in changes.items()}
        Reshape(self.folder, **asked, out=out, files=Files(no_turntable=True)).run()
        return f"Saved in {out.name}, beside {self.folder.resolve().name}."


def read_body(content: bytes) -> dict[str, float]:
    """The measures that the page asks for.

    Raises:
        UserError: They are none, or out of range.
    """
    try:
        changes = {str(name): float(value) for name, value in json.loads(content).items()}
    except (ValueError, TypeError, AttributeError):
        raise UserError("The page asked for something that is no measure. Load it again.") from None
    for name, value in changes.items():
        if name not in MEASURES or not MEASURES[name].least <= value <= MEASURES[name].most:
            raise UserError(f"{name} {value:g} is no measure of a body. Load the page again.")
    return changes


def studio(folder: Path, port: int) -> ThreadingHTTPServer:
    """The server, not yet serving; on any free port where the port is 0.

    Raises:
        UserError: The folder holds nothing to show, or the port is taken.
    """
    sitting = Sitting(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.is_for_us():
                return
            if self.path == "/":
                self.answer(200, "text/html; charset=utf-8", sitting.page())
            elif self.path == "/avatar.glb":
                self.answer(200, "model/gltf-binary", sitting.content)
            else:
                self.answer(404, "text/plain", b"There is nothing here.")

        def do_POST(self) -> None:
            if not self.is_for_us():
                return
            length = self.headers.get("content-length", "")
            if self.headers.get("x-bozzetto") != "1" or not length.isdecimal() or int(length) > _LONGEST:
                self.answer(403, "text/plain", b"Only the page itself may ask this.")
                return
            content = self.rfile.read(int(length))
            try:
                with sitting.busy:
                    if self.path == "/shape":
                        self.answer(200, "model/gltf-binary", sitting.shaped(read_body(content)))
                    elif self.path == "/keep":
                        self.answer(200, "text/plain; charset=utf-8", sitting.keep(read_body(content)).encode())
                    else:
                        self.answer(404, "text/plain", b"There is nothing here.")
            except UserError as error:
                self.answer(422, "text/plain; charset=utf-8", str(error).encode())
            except ConnectionError:
                raise
            except Exception as error:
                traceback.print_exc()
                self.answer(500, "text/plain; charset=utf-8", f"That went wrong here: {error}".encode())

        def is_for_us(self) -> bool:
            host = (self.headers.get("host") or "").rsplit(":", 1)[0]
            if host in ("127.0.0.1", "localhost"):
                return True
            self.answer(403, "text/plain", b"This page is for the machine that it runs on.")
            return False

        def answer(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            headers = {"content-type": kind, "content-length": len(content), "cache-control": "no-store"}
            for name, value in {**headers, "x-content-type-options": "nosniff"}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exc_info()[1], ConnectionError):  # a closed tab is no error
                super().handle_error(request, client_address)

    try:
        return Quiet(("127.0.0.1", port), Handler)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else "there is no such port"
        raise UserError(
            f"Port {port} cannot be used here ({reason}): something else may be serving there, perhaps another "
            "'bozzetto view'. Choose another: --port 8751, or --port 0 for any that is free."
        ) from None


def serve(folder: Path, port: int, said: Callable[[str], None]) -> None:
    """Shows a run until Ctrl-C.

    Args:
        said: Told the address, once the page can be opened.

    Raises:
        UserError: The folder holds nothing to show, or the port is taken.
    """
    with studio(folder, port) as server:
        try:
            said(f"http://localhost:{server.server_address[1]}")
            server.serve_forever()
        except KeyboardInterrupt:
            print(file=sys.stderr)
