"""Which silence of a running job is worth telling."""

from __future__ import annotations

from pathlib import Path

from chutes_nb.reading import Silence
from chutes_nb.worker.capture import Capture


def spoken(*times: float) -> Silence:
    silence = Silence()
    for at in times:
        silence.broken(at)
    return silence


def test_a_pause_far_longer_than_the_others_is_told_once() -> None:
    silence = spoken(0, 1, 2, 4)
    assert silence.noticed(30) is None
    assert silence.noticed(64) == 60
    assert silence.noticed(500) is None


def test_a_slow_rhythm_has_longer_pauses() -> None:
    silence = spoken(0, 100, 200, 300)
    assert silence.noticed(650) is None
    assert silence.noticed(701) == 401


def test_a_job_that_never_spoke_is_not_quiet() -> None:
    assert Silence().noticed(10_000) is None
    assert spoken(0, 1).noticed(10_000) is None


def test_a_silence_that_ended_well_is_usual_from_then_on() -> None:
    silence = spoken(0, 1, 2)
    assert silence.noticed(102) == 100
    silence.broken(102)
    assert silence.noticed(300) is None
    assert silence.noticed(503) == 401


def test_a_capture_notices_the_silence_of_its_file(tmp_path: Path) -> None:
    output = tmp_path / "output"
    capture = Capture(str(output))
    for second in range(4):
        with output.open("ab") as file:
            file.write(b"line\n")
        assert capture.look(float(second)) is not None
    capture.look(4.0)  # the last line stands as it is
    assert capture.look(10.0) is None
    look = capture.look(70.0)
    assert look is not None
    assert look.tells
    assert (look.start, look.body, look.quiet_s) == (20, b"", 67.0)
    assert capture.look(71.0) is None
    capture.close()
