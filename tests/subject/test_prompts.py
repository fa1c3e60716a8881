"""The share of named attributes that come back from hand-written prompts; the held-out half is the honest figure."""

import pytest

from bozzetto.subject.words import read_words

from .scoring import score_file


def test_the_open_half():
    score = score_file("prompts_open.json", lambda prompt: read_words(prompt).spec)
    failures = "\n".join(score.wrong)
    assert score.share >= 0.97, f"{score.right} of {score.total} attributes\n{failures}"


def test_the_held_out_half():
    score = score_file("prompts_held_out.json", lambda prompt: read_words(prompt).spec)
    share, right, total = score.share, score.right, score.total
    del score  # its failures stay unseen: whoever reads them could fit the lexicon to them
    print(f"{right} of {total} held-out attributes ({share:.1%})")  # seen with -rP
    if share < 0.95:
        pytest.fail(f"{right} of {total} held-out attributes ({share:.1%})", pytrace=False)
