"""Stretches of training: stopped and resumed equals never stopped; a kill loses nothing that was saved."""

import os
import signal

import pytest
import torch
from torch import nn

from bozzetto.training import loop
from bozzetto.training.loop import CHECKPOINT, LOG, Pace, Start, Training, draws, normal_noise, seconds_of, train
from bozzetto.types import UserError


def start(folder, width=4):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, width), nn.Tanh(), nn.Linear(width, 1))
    training = Training(folder, {"net": net}, torch.optim.AdamW(net.parameters(), 1e-2))
    training.load()

    def one_step(step):
        x = normal_noise((8, 3), 0, step)
        loss = (net(x) - x.sum(1, keepdim=True) * draws(0, step).random()).square().mean()
        loss.backward()
        return 8, {"loss": float(loss.detach())}

    return training, one_step


def run(folder, samples, **pace):
    training, one_step = start(folder)
    rows = list(train(training, one_step, Pace(samples=samples, log_steps=2, **pace)))
    return training, rows


def state(training):
    return {
        key: tensor.clone()
        for part in (training.modules, training.averages)
        for module in part.values()
        for key, tensor in module.state_dict().items()
    } | {f"{i}": memory["exp_avg"] for i, memory in training.optimizer.state_dict()["state"].items()}


def test_resumed_equals_uninterrupted_bit_for_bit(tmp_path):
    whole, _ = run(tmp_path / "whole", 80)
    run(tmp_path / "parts", 24)
    parts, _ = run(tmp_path / "parts", 80)
    assert (parts.step, parts.samples) == (whole.step, whole.samples) == (10, 80)
    one, two = state(whole), state(parts)
    assert one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def test_averages_follow_the_weights(tmp_path):
    training, _ = run(tmp_path, 400)
    now, mean = (list(modules["net"].parameters()) for modules in (training.modules, training.averages))
    moved = [(a - b).abs().max() for a, b in zip(now, mean, strict=True)]
    assert 0 < max(moved) < 0.1


def test_a_kill_while_saving_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    run(tmp_path, 16)
    before = (tmp_path / CHECKPOINT).read_bytes()

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, 32)
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name not in (CHECKPOINT, LOG)] == []


def test_a_signal_ends_the_stretch_after_the_step(tmp_path):
    training, one_step = start(tmp_path)

    def interrupted(step):
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return one_step(step)

    list(train(training, interrupted, Pace()))
    assert training.step == 4
    again, _ = start(tmp_path)
    assert again.step == 4


def test_other_networks_are_refused(tmp_path):
    run(tmp_path, 8)
    with pytest.raises(UserError, match="another size or damaged"):
        start(tmp_path, width=5)
    (tmp_path / CHECKPOINT).write_bytes(b"cut short")
    with pytest.raises(UserError, match="another size or damaged"):
        start(tmp_path)


def test_finished_weights_are_gone_on_from_where_there_is_no_checkpoint(tmp_path):
    weights = {"0.weight": torch.full((4, 3), 0.5)}
    training, _ = start(tmp_path / "none")
    second = training.modules["net"][2].weight.clone()
    assert training.load(Start({"net": weights}, 700)) and training.samples == 700
    for net in (training.modules["net"], training.averages["net"]):
        assert (net[0].weight == 0.5).all() and torch.equal(net[2].weight, second)
    run(tmp_path / "some", 16)
    training, _ = start(tmp_path / "some")
    assert training.load(Start({"net": weights}, 700)) and training.samples == 16, "a checkpoint goes before them"
    with pytest.raises(UserError, match="another architecture"):
        start(tmp_path / "none", width=5)[0].load(Start({"net": weights}, 700))


def test_a_stretch_may_end_with_smaller_and_smaller_steps(tmp_path, monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(clock)))
    training, one_step = start(tmp_path)
    rates = []

    def stepped(step):
        rates.append(training.set_rate(1.0, 1))
        return one_step(step)

    list(train(training, stepped, Pace(20.0, log_steps=1000, cool_seconds=10.0)))
    assert rates[:5] == [1.0] * 5 and sorted(rates, reverse=True) == rates and rates[-1] <= 0.1
    wide, narrow = 1.0, 0.1
    gaps = []
    for cooling in (wide, narrow):  # and with a shorter memory
        training.step, training.cooling = 10_000, cooling
        mean, now = (next(iter(m["net"].parameters())) for m in (training.averages, training.modules))
        with torch.no_grad():
            now.fill_(1.0), mean.fill_(0.0)
        training.average()
        gaps.append(float(mean.mean()))
    assert gaps[1] == pytest.approx(10 * gaps[0], rel=1e-4)


def test_time_as_people_write_it():
    assert [seconds_of(text) for text in ("90s", "20m", "2h", "1h30m", "45", "0s")] == [90, 1200, 7200, 5400, 45, 0]
    for text in ("", "soon", "2d", "h"):
        with pytest.raises(UserError, match="no time"):
            seconds_of(text)
