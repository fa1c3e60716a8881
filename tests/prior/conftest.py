"""Small pipelines, made once."""

from pathlib import Path

import pytest
import torch

from . import tiny


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def _quiet():
    import transformers

    transformers.utils.logging.disable_progress_bar()


@pytest.fixture(scope="session")
def sd15(tmp_path_factory, _quiet) -> Path:
    return tiny.sd15(tmp_path_factory.mktemp("priors") / "sd15")


@pytest.fixture(scope="session")
def sd21(tmp_path_factory, _quiet) -> Path:
    return tiny.sd21(tmp_path_factory.mktemp("priors") / "sd21")


@pytest.fixture(scope="session")
def sdxl(tmp_path_factory, _quiet) -> Path:
    return tiny.sdxl(tmp_path_factory.mktemp("priors") / "sdxl")


@pytest.fixture(scope="session")
def embedded(tmp_path_factory, _quiet) -> Path:
    return tiny.embedded(tmp_path_factory.mktemp("priors") / "embedded")


@pytest.fixture(scope="session")
def words(tmp_path_factory, _quiet) -> Path:
    """Holds a tokenizer and a text encoder."""
    folder = tmp_path_factory.mktemp("priors") / "words"
    tiny.words(folder)
    return folder
