"""`python -m lab.simulation`: its exit code, its speed in words, and a seed that alone shows a violation again."""

import re
import sys

import pytest

from lab.simulation.__main__ import main

DEFECT = "shutting-down-is-dead"


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["simulation", "--jobs", "1", *arguments])
    return main(), capsys.readouterr().out


def test_a_violation_is_exit_code_1_with_a_seed_that_alone_shows_it_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = said(capsys, monkeypatch, "--runs", "60", "--seed", "0", "--defect", DEFECT)
    assert code == 1
    found = re.search(r"^seed (\d+): [\d.]+ s: (.+)$", text, re.MULTILINE)
    assert found, text
    seed, sentence = found.groups()
    assert f"make simulate RUNS=1 SEED={seed} DEFECT={DEFECT}" in text

    code, story = said(capsys, monkeypatch, "--runs", "1", "--seed", seed, "--defect", DEFECT)
    assert code == 1
    assert f"VIOLATION: {sentence}" in story
    assert "FAULT" in story

    code, story = said(capsys, monkeypatch, "--runs", "1", "--seed", seed)
    assert code == 0
    assert "nothing was violated" in story


def test_whole_rules_are_exit_code_0_with_the_number_of_schedules_per_second(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = said(capsys, monkeypatch, "--runs", "40", "--seed", "7")
    assert code == 0
    summary = re.search(
        r"^40 schedules from seed 7, .* in ([\d.]+) s, (\d+) schedules/s on 1 processes: 0 ", text, re.M
    )
    assert summary, text
    took_s, per_second = (float(number) for number in summary.groups())
    assert 40 / (took_s + 0.05) - 1 <= per_second <= 40 / max(took_s - 0.05, 0.01) + 1  # both are printed rounded
