"""Progress and metrics out of real-looking output, and nothing out of the rest."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chutes_nb.reading import LenientReader, Metric, Pace, ProgressRead, Reader, Reading
from chutes_nb.reading.progress import _ratios, find


def read(*pieces: str | bytes) -> Reading:
    """All that a reader says of an output: newest progress, all metrics."""
    reader = Reader()
    progress, metrics = None, []
    for piece in pieces:
        part = reader.feed(piece.encode() if isinstance(piece, str) else piece)
        progress = part.progress or progress
        metrics += part.metrics
    last = reader.finish()
    return Reading(last.progress or progress, metrics + last.metrics)


class Failing(LenientReader):
    """Stumbles over each line with a number, as one with a fault of ours would."""

    def _promising(self, segments, shapes):
        if any(b"1" in shape for shape in shapes):
            raise ZeroDivisionError(segments)
        return super()._promising(segments, shapes)


def test_a_reader_that_fails_says_so_once_and_nothing_any_more(caplog):
    reader = Failing()
    assert reader.feed(b"begin\n") == Reading()
    for _ in range(3):
        assert reader.feed(b"Epoch 1/10\nloss = 0.5\n") == Reading()
    assert reader.finish() == Reading()
    assert reader.has_failed
    assert caplog.text.count("cannot be read for progress") == 1


# line, fraction
PROGRESS = [
    # the document's own
    ("Progress: 45.0% (9/20)", 0.45),
    ("Progress: 100.0% (20/20)", 1.0),
    ("Processed 10/200 items", 0.05),
    ("Processed 0/200 items", 0.0),
    ("Processed 30/90 images", 1 / 3),
    ("Epoch 3/10", 0.3),
    # counts
    ("Epoch [3/10]", 0.3),
    ("Epoch: 3/10", 0.3),
    ("epoch 3 of 10", 0.3),
    ("Epoch 3/10 - loss: 0.25", 0.3),
    ("step 50/200", 0.25),
    ("Step 3 / 12 : RUN make", 0.25),
    ("Batch 3 of 10", 0.3),
    ("(3/10)", 0.3),
    ("[3/10] Building foo.cpp.o", 0.3),
    ("(3/10) loading weights", 0.3),
    ("Training fold (2/5)", 0.4),
    ("3/10", 0.3),
    ("3/10: resizing", 0.3),
    ("3 of 10", 0.3),
    ("3 of 10 files processed", 0.3),
    ("10/200 done", 0.05),
    ("1,500/3,000 rows", 0.5),
    ("Processing image 3/10", 0.3),
    ("Processing file data.csv 3/10", 0.3),
    ("Processed 10/200 items, 3 failed", 0.05),
    ("Downloading 12.5/50.0 MB", 0.25),
    ("Trial 4/8 finished", 0.5),
    ("2024-05-06 12:34:56,789 - app - INFO - Processed 10/200 items", 0.05),
    ("INFO:root:Processed 10/200 items", 0.05),
    ("[2024-05-06 12:34:56] [INFO] (3/10) fetching", 0.3),
    ("\x1b[32mProcessed 10/200 items\x1b[0m", 0.05),
    ("Iteration 5/20, loss = 0.3", 0.25),
    # percentages
    ("45%", 0.45),
    ("  45.5 %", 0.455),
    ("[ 45%] Building CXX object src/a.cpp.o", 0.45),
    ("tests/test_a.py ..........                [ 45%]", 0.45),
    ("45% done", 0.45),
    ("45% complete", 0.45),
    ("Downloading: 45%", 0.45),
    ("Loading weights... 45%", 0.45),
    ("Downloading model.bin: 45% eta 0:03", 0.45),
    ("Receiving objects:  45% (450/1000), 1.20 MiB | 3.00 MiB/s", 0.45),
    ("progress 45%", 0.45),
    # bars
    (" 45%|████▌     | 45/100 [00:01<00:01, 40.00it/s]", 0.45),
    ("train:  45%|####5     | 45/100 [00:01<00:01, 40.00it/s, loss=0.5]", 0.45),
    ("  0%|          | 0/100 [00:00<?, ?it/s]", 0.0),
    ("100%|██████████| 100/100 [00:02<00:00, 40.00it/s]", 1.0),
    (" 50%|█████     | 1.50M/3.00M [00:01<00:01, 1.2MB/s]", 0.5),
    ("Working... ━━━━━━━━━━━━━╸━━━━━━━━━━━━━  50% 0:00:05", 0.5),
    ("   ━━━━━━━━━━━━━━━━━━━━━━ 12.5/50.0 MB 5.6 MB/s eta 0:00:07", 0.25),
    ("45/100 [============>.................] - ETA: 3s", 0.45),
    ("|████████------------| 40.0% Complete", 0.4),
    ("[####------]  40%  00:01:20", 0.4),
    (" 40%[=======>            ] 1,234,567   1.2MB/s  eta 5s", 0.4),
    (" 45% (45 of 100) |####      | Elapsed Time: 0:00:04 ETA: 0:00:05", 0.45),
    ("Train Epoch: 1 [6400/60000 (11%)]\tLoss: 0.5", 6400 / 60000),
    ("Epoch [1/5], Step [300/600], Loss: 0.3", 0.1),
    ("Step 300/600, Epoch 1/5", 0.1),
]

NO_PROGRESS = [
    "2024/05/06",
    "05/06/2024 12:00",
    "[2024/05/06 12:34:56] starting",
    "saved to a/b/1/2",
    "/data/3/10/file.txt",
    "GET /api/1/2 HTTP/1.1",
    "HTTP/1.1 200 OK",
    "version 1.2/3",
    "numpy 1.26.4 / 2",
    "10.0.0.1/24",
    "add 1/2 cup of milk",
    "1/2 cup",
    "2/3 of the people agree",
    "100% sure",
    "I am 100% sure that this works",
    "20% off",
    "Built 45% faster",
    "5% of users",
    "CPU: 45%",
    "GPU 98% | mem 45%",
    "Memory usage 45%",
    "accuracy 95%",
    "Training accuracy: 95%",
    "Downloading with 20% packet loss",
    "80% train, 20% test",
    "3/10 tests passed",
    "passed 3/10",
    "Correct: 7/10",
    "Accuracy: 9160/10000 (92%)",
    "Test set: Average loss: 0.0271, Accuracy: 9913/10000 (99%)",
    "score 3/5",
    "attempt 2/3",
    "Retry 1/5 in 3 s",
    "rank 0/8 ready",
    "Using 3/8 cores",
    "20/10",
    "3/0",
    "24/7 support",
    "16/9",
    "on 9/11 of that year",
    "Parsed 1234 records",
    "Cleaned data, 900 records remaining",
    "Transformed data complete",
    "12:34:56 hello",
    "a = 1 / 2",
    "dropout 50%",
    "(05/06) daily report",
    "==== 3 passed, 2 failed in 0.12s ====",
    "Collecting numpy>=1.2",
    "Requirement already satisfied: pip in ./lib (26.3)",
    "Building wheels for collected packages: foo",
    "Epochs: 10",
    "https://example.com/3/10",
    "|      | 45% |",
    "----- 50 -----",
    "Rated 4/5 stars",
    "confidence 87%",
    "[CV 3/5] START C=1",
]

# line, metrics
METRICS = [
    ("Epoch 3: Loss = 0.25", [("Loss", 3, 0.25)]),
    ("acc: 0.91, lr=1e-4", [("acc", 0, 0.91), ("lr", 0, 1e-4)]),
    ("loss: nan", []),
    ("loss=-1.5", [("loss", 0, -1.5)]),
    (
        "Epoch 3: Loss = tensor(0.2500, device='cuda:0', grad_fn=<MseLossBackward0>)",
        [("Loss", 3, 0.25)],
    ),
    (
        "{'epoch': 2, 'loss': np.float64(0.25), 'acc': np.float32(0.5)}",
        [("loss", 2, 0.25), ("acc", 2, 0.5)],
    ),
    ("Loss: 1", [("Loss", 0, 1)]),
    (
        "Epoch 3/10 - 1s 2ms/step - loss: 0.3 - accuracy: 0.9 - val_loss: 0.4",
        [("loss", 3, 0.3), ("accuracy", 3, 0.9), ("val_loss", 3, 0.4)],
    ),
    ("Iteration 1, loss = 0.69314718", [("loss", 1, 0.69314718)]),
    (
        "Norm: 1.23, NNZs: 4, Bias: 0.100000, T: 100, Avg. loss: 0.5",
        [("Norm", 0, 1.23), ("Avg. loss", 0, 0.5)],
    ),
    ("Iteration 0, inertia 12.5.", [("inertia", 0, 12.5)]),
    (
        "[12]\ttrain-rmse:0.5\teval-rmse:0.6",
        [("train-rmse", 12, 0.5), ("eval-rmse", 12, 0.6)],
    ),
    ("[0]\tvalidation_0-logloss:0.55", [("validation_0-logloss", 0, 0.55)]),
    (
        "[10]\tvalid_0's l2: 0.2\tvalid_0's auc: 0.9",
        [("valid_0's l2", 10, 0.2), ("valid_0's auc", 10, 0.9)],
    ),
    ("[50]\ttraining's binary_logloss: 0.1", [("training's binary_logloss", 50, 0.1)]),
    (
        "{'loss': 0.5, 'learning_rate': 5e-05, 'epoch': 1.0}",
        [("loss", 1, 0.5), ("learning_rate", 1, 5e-05)],
    ),
    (
        "{'eval_loss': 0.4, 'eval_runtime': 1.2, 'eval_samples_per_second': 80.1, "
        "'epoch': 1.5}",
        [("eval_loss", 1.5, 0.4)],
    ),
    ('{"epoch": 2, "loss": 0.25}', [("loss", 2, 0.25)]),
    (
        "step 250: train loss 2.4567, val loss 2.5",
        [("train loss", 250, 2.4567), ("val loss", 250, 2.5)],
    ),
    ("iter 10: loss 3.25, time 50.12ms, mfu 1.20%", [("loss", 10, 3.25)]),
    (
        "0:\tlearn: 0.68\ttest: 0.69\tbest: 0.69 (0)\ttotal: 50ms\tremaining: 50s",
        [("learn", 0, 0.68), ("test", 0, 0.69), ("best", 0, 0.69)],
    ),
    ("Train Loss: 0.5 | Val Loss: 0.6", [("Train Loss", 0, 0.5), ("Val Loss", 0, 0.6)]),
    ("Episode 10 reward: 200", [("reward", 10, 200)]),
    ("acc: 91.2%", [("acc", 0, 91.2)]),
    ("val_f1=0.8", [("val_f1", 0, 0.8)]),
    (
        "Epoch 0:  50%|#####     | 50/100 [00:01<00:01, 40.00it/s, v_num=0, "
        "train_loss=0.500]",
        [("train_loss", 0.5, 0.5)],
    ),
    ("Epoch [1/5], Step [300/600], Loss: 0.3", [("Loss", 0.5, 0.3)]),
    (
        "2024-05-06 12:34:56,789 - app - INFO - Epoch 3: loss=0.25",
        [("loss", 3, 0.25)],
    ),
    (
        "Test set: Average loss: 0.0271, Accuracy: 9913/10000 (99%)",
        [("Average loss", 0, 0.0271)],
    ),
    ("\x1b[1mEpoch 2\x1b[0m: \x1b[32mloss\x1b[0m=0.5", [("loss", 2, 0.5)]),
]

NO_METRICS = [
    "12:34:56 started",
    "2024-05-06T12:34:56.789Z hello",
    "localhost:8080",
    "Serving at http://127.0.0.1:8888/lab",
    "version: 1.2",
    "torch==2.3.1",
    "line: 14",
    '  File "a.py", line 14, in main',
    "size: 1024",
    "size=12.5MB",
    "batch_size: 32",
    "seed=42",
    "workers: 4",
    "port = 8080",
    "pid: 1234",
    "Total time: 12.3",
    "Elapsed: 3.2s",
    "Epochs: 10",
    "precision: 16",
    "error: 404",
    "Error: 2 files missing",
    "alpha: 0.5",
    "status=200 time=0.123",
    "model v1.2.3: ready",
    "loss: 0.5.1",
    "loss = np.zeros(3)",
    "loss = tensor([0.5, 0.25])",
    "acc:8080/path",
    "loss: 12:30",
    "Accuracy: 9160/10000 (92%)",
    "[10:21:03] WARNING: ../src/learner.cc:767: ",
    "[LightGBM] [Info] Total Bins 255",
    "[LightGBM] [Info] Number of positive: 2, number of negative: 3",
    "Training until validation scores don't improve for 50 rounds",
    "frame=  100 fps= 25 q=28.0 size=    1024kB time=00:00:04.00 "
    "bitrate=2097.2kbits/s speed=1.01x",
    "  Stream #0:0: Video: h264, yuv420p, 1920x1080, 25 fps, 25 tbr",
    "Epoch 3: time=1.5",
    "Step 2: batch_size=32",
    "   ━━━━━━━━━━ 12.5/50.0 MB 5.6 MB/s eta 0:00:07",
    "Downloading foo-1.2.3-py3-none-any.whl (12.3 MB)",
    "accuracy                           0.95       100",
]


@pytest.mark.parametrize(("line", "fraction"), PROGRESS)
def test_a_line_of_progress_is_read(line, fraction):
    progress = read(line + "\n").progress
    assert progress is not None
    assert progress.fraction == pytest.approx(fraction, abs=1e-6)


@pytest.mark.parametrize("line", NO_PROGRESS)
def test_a_false_friend_of_progress_is_left_alone(line):
    assert read(line + "\n").progress is None


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Epoch 3: loss = nan", ["loss"]),
        ("Epoch 3/10 - loss: NaN - val_loss: inf", ["loss", "val_loss"]),
        ("step 5: loss: tensor(nan), info: none", ["loss"]),
        ("Epoch 3: loss = nano 3", []),
        ("Epoch 3: loss = infinite, name: nancy", []),
        ("Epoch 3: loss = 1e999", []),
    ],
)
def test_a_loss_that_ran_away_is_a_point_without_a_number(line, names):
    found = read(line + "\n").metrics
    assert [one.name for one in found] == names
    assert all(math.isnan(one.value) for one in found)


def test_a_bar_that_is_drawn_again_has_one_point_without_a_number():
    drawn = "Epoch 1: loss = nan\r" * 3 + "\n"
    assert [one.step for one in read(drawn).metrics] == [1]


@pytest.mark.parametrize(("line", "metrics"), METRICS)
def test_a_line_of_metrics_is_read(line, metrics):
    assert read(line + "\n").metrics == [Metric(*metric) for metric in metrics]


@pytest.mark.parametrize("line", NO_METRICS)
def test_a_false_friend_of_metrics_is_left_alone(line):
    assert read(line + "\n").metrics == []


def test_the_words_beside_the_numbers_are_told():
    progress = read("Processed 10/200 items\n").progress
    assert (progress.done, progress.total, progress.unit) == (10, 200, "items")
    assert read("[3/10] Building foo\n").progress.message == "Building foo"
    assert read("Epoch 3/10, Step 5/100\n").progress.message == "Step"
    assert read("train:  45%|###  | 45/100 [00:01<00:01, 9it/s]\n").progress == (
        ProgressRead(45, 100, 0.45, "train", "it")
    )


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    "title", ["Epoch {}/3", "epoch [{}/3]", "Training (epoch {} of 3)", "Stage {}/3"]
)
def test_a_bar_that_is_called_by_its_section_is_a_part_of_it(title, first):
    reader, told = Reader(), []
    for n in range(first, first + 3):
        for done in (0, 5, 10):
            bar = f" {done * 10:3d}%|##  | {done}/10 [00:01<00:01, 9it/s]"
            drawn = f"\r{title.format(n)}: {bar}".encode()
            told.append(reader.feed(drawn).progress.fraction)
        reader.feed(b"\n")
    thirds = [0, 1 / 6, 1 / 3, 1 / 3, 1 / 2, 2 / 3, 2 / 3, 5 / 6, 1]
    assert told == pytest.approx(thirds)


def fractions(lines):
    reader, found = Reader(), [None]
    for line in lines:
        progress = reader.feed(f"{line}\n".encode()).progress
        if progress and progress.fraction != found[-1]:
            found.append(progress.fraction)
    return found[1:]


@pytest.mark.parametrize("part", ["batch {}/4", "  Step {}/4", "Iteration {} of 4"])
def test_printed_batches_are_parts_of_the_epoch_above_them(part):
    batches = [f"{part.format(n)} loss=0.5" for n in (1, 2, 3, 4)]
    before = [f"Epoch {e}/2" for e in (1, 2)]
    lines = [before[0], *batches, before[1], *batches]
    # The first line of all may as well be the end of the first epoch.
    assert fractions(lines)[1:] == [n / 8 for n in range(1, 9)]
    after = [f"Epoch {e}/2 loss=0.4" for e in (1, 2)]
    lines = [*batches, after[0], *batches, after[1]]
    assert fractions(lines)[4:] == [n / 8 for n in range(4, 9)]


@pytest.mark.parametrize("epoch", ["Epoch {}/2", "Epoch {}"])
@pytest.mark.parametrize("again", [0, 4])
def test_a_curve_goes_on_where_steps_are_counted_anew_in_each_epoch(epoch, again):
    text = "".join(
        f"{epoch.format(e)}\n"
        + "".join(f"  step {n + again * (e - 1)} loss=0.5\n" for n in (1, 2, 3, 4))
        for e in (1, 2)
    )
    assert [one.step for one in read(text).metrics] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_steps_that_go_on_through_all_epochs_speak_for_themselves():
    lines = [
        line
        for n in range(12)
        for line in [f"Epoch {n // 4 + 1}/3"] * (n % 4 == 0) + [f"step {n + 1}/12"]
    ]
    # Known with the first step of the second epoch.
    assert fractions(lines)[-8:] == [n / 12 for n in range(5, 13)]


@pytest.mark.parametrize("title", ["fold 3", "resnet50", "shard 2/8", "Epoch 7"])
def test_a_number_in_the_name_of_a_bar_stays_there(title):
    for bar in (" 45%|###  | 45/100 [00:01<00:01, 9it/s]", "45it [00:04, 10.20it/s]"):
        assert read(f"{title}: {bar}\n").progress.message == title


def test_a_bar_without_a_total_counts():
    progress = read("45it [00:04, 10.20it/s]\n").progress
    assert progress == ProgressRead(45, None, None, None, "it")


def test_the_newest_redraw_of_a_bar_decides_before_its_line_ends():
    reader = Reader()
    bar = "\r{0:3d}%|{1:10}| {0}/100 [00:01<00:01, 40.00it/s]"
    text = "".join(bar.format(n, "#" * (n // 10)) for n in (10, 20, 30))
    assert reader.feed(text.encode()).progress.fraction == 0.3
    assert reader.feed(b"").progress.fraction == 0.3
    assert reader.feed(b"\nhello\n").progress.fraction == 0.3
    assert reader.feed(b"hello again\n").progress is None


def test_a_number_cut_in_two_is_not_taken_for_a_smaller_one():
    reader = Reader()
    assert reader.feed(b"Processed 10/20").progress is None
    assert reader.feed(b"0 items\n").progress.total == 200


def test_a_counter_redrawn_without_a_line_end_is_read_at_rest():
    reader = Reader()
    assert reader.feed(b"\r7/10").progress is None
    assert reader.feed(b"").progress.done == 7


def tqdm(n, total, depth=0):
    bar = f"{100 * n // total:3d}%|{'█' * 5}| {n}/{total} [00:01<00:01, 9.00it/s]"
    return "\n" * depth + "\r" + bar + "\x1b[A" * depth


def test_of_nested_tqdm_bars_the_outer_decides():
    text = tqdm(0, 4)
    for outer in (1, 2, 3):
        text += "".join(tqdm(n, 50, depth=1) for n in (0, 25, 50)) + tqdm(outer, 4)
        text += tqdm(10, 50, depth=1)
    assert read(text).progress.fraction == 0.75


def test_a_bar_that_is_called_by_its_section_leaves_it_to_a_bar_above():
    text, told = tqdm(0, 3), []
    for outer in (1, 2, 3):
        for n in (0, 25, 50):
            inner = tqdm(n, 50, depth=1).replace("\r", f"\rEpoch {outer}/3: ")
            text += inner
        text += tqdm(outer, 3)
        told.append(read(text).progress.fraction)
    assert told == pytest.approx([1 / 3, 2 / 3, 1])


def test_of_rich_rows_the_first_decides():
    row = "{} ━━━━━━━━━━━━━━ {}% 0:00:01"
    first = row.format("all", 10) + "\n" + row.format("part", 90)
    up = "\r\x1b[2K\x1b[1A\x1b[2K"
    frames = first + "".join(
        up + row.format("all", 10 + n) + "\n" + row.format("part", 90 + n)
        for n in (1, 2, 3)
    )
    assert read(frames).progress.fraction == pytest.approx(0.13)


def test_a_keras_bar_fills_its_epoch():
    text = "Epoch 1/4\n"
    bar = "\r{}/100 ━━━━━━━━━━━━ 1s 2ms/step - loss: 0.{}"
    text += bar.format(50, 9) + bar.format(100, 8) + "\nEpoch 2/4\n" + bar.format(50, 7)
    got = read(text)
    assert got.progress.fraction == pytest.approx(1.5 / 4)
    assert [(m.step, m.value) for m in got.metrics] == [
        (0.5, 0.9),
        (1, 0.8),
        (1.5, 0.7),
    ]


def test_epochs_that_end_with_their_loss_reach_the_whole():
    lines = [f"{tqdm(9, 9)}\nEpoch {n}/3: loss={1 / n}\n" for n in (1, 2, 3)]
    assert read("".join(lines)).progress.fraction == 1


def test_a_bar_inside_a_counted_loop_does_not_decide():
    text = "".join(
        f"Processed {n}/10 items\n" + "".join(tqdm(i, 5) for i in (0, 3, 5)) + "\n"
        for n in (1, 2, 3, 4)
    )
    assert read(text + "\r" + tqdm(2, 5)).progress.fraction == 0.4


def test_a_second_loop_after_the_first_decides():
    assert read(tqdm(100, 100), "\n", tqdm(10, 50), "\n").progress.fraction == 0.2


def test_weak_evidence_must_grow():
    assert read("foo 3/10 bar\n").progress is None
    assert read("foo 3/10 bar\n", "foo 3/10 bar\n").progress is None
    assert read("foo 3/10 bar\n", "foo 4/10 bar\n").progress.fraction == 0.4


def test_ffmpeg_is_measured_by_the_length_of_the_film():
    status = "frame= 100 fps=25 q=28.0 size= 1kB time=00:00:25.00 bitrate=2.2kbits/s\r"
    text = "  Duration: 00:01:40.00, start: 0.000000, bitrate: 1000 kb/s\n" + status
    assert read(text).progress.fraction == 0.25


def test_a_metric_takes_the_step_last_seen():
    got = read("Epoch 4\n", "loss: 0.5\n").metrics
    assert got == [Metric("loss", 4, 0.5)]


def test_a_metric_without_any_step_is_counted_by_name():
    got = read("loss: 0.5\nloss: 0.4\nacc: 0.9\n").metrics
    assert [(m.name, m.step) for m in got] == [("loss", 0), ("loss", 1), ("acc", 0)]


def test_steps_that_start_anew_each_epoch_go_on():
    text = "".join(
        f"Epoch {e}, step {s}: loss=0.{e}{s}\n" for e in (1, 2) for s in (1, 2)
    )
    assert [m.step for m in read(text).metrics] == [1, 2, 3, 4]


def test_lightgbm_tells_its_best_iteration_only_once():
    text = "[9]\tv's l2: 0.2\nEarly stopping, best iteration is:\n[3]\tv's l2: 0.1\n"
    assert read(text).metrics == [Metric("v's l2", 9, 0.2)]


def test_a_line_without_end_costs_no_memory():
    reader = Reader()
    for _ in range(100):
        reader.feed(b"x" * 100_000)
    assert len(reader._lines.rest) < 10_000
    assert reader.feed(b"\nProcessed 1/2 items\n").progress.fraction == 0.5


PIECES = st.lists(
    st.one_of(
        st.sampled_from([line + "\n" for line, _ in PROGRESS]),
        st.sampled_from([line + "\n" for line, _ in METRICS]),
        st.sampled_from([line + "\n" for line in NO_PROGRESS + NO_METRICS]),
        st.builds(lambda n, d: tqdm(n, 9, d), st.integers(0, 9), st.integers(0, 2)),
        st.sampled_from(["Epoch 2/4\n", "\r", "\n", "\x1b[2K", "é", "Epoch 0/4\r\n"]),
    ),
    max_size=12,
)


@settings(max_examples=150)
@given(PIECES, st.lists(st.integers(1, 60), min_size=1, max_size=30))
def test_where_the_output_is_cut_makes_no_difference(pieces, sizes):
    whole = "".join(pieces).encode()
    cut, at = [], 0
    for size in sizes:
        cut.append(whole[at : at + size])
        at += size
    cut.append(whole[at:])
    assert read(*cut).metrics == read(whole).metrics
    reader, other = Reader(), Reader()
    for piece in cut:
        reader.feed(piece)
    other.feed(whole)
    reader.finish(), other.finish()
    probe = b"\nProcessed 7/9 items\n\r 33%|###   | 3/9 [00:01<00:01, 9it/s]\n"
    assert reader.feed(probe) == other.feed(probe)


ENDLESS = ["9" * 15, "9" * 19, "9" * 99, "9" * 400, "9" + ",999" * 150, "9" * 3000]
COUNTED = [
    *("step {0}: loss=0.5", "epoch {0}/{0}", "epoch 1, step {0}/2: loss=0.5", "{0}%"),
    *("Processed {0}/{0} items", "[{0}] loss=0.5", "{0}:\tloss=0.5", "1/{0}"),
    *("x:  5%|#    | {0}P/{0}P [00:01<00:20, 9it/s]", "x: {0}Pit [00:01, 9it/s]"),
    *("frame=1 time={0}:00:00.0 bitrate=1", "  Duration: {0}:00:00.0, start"),
]


@pytest.mark.parametrize("number", ENDLESS, ids=lambda number: str(len(number)))
def test_numbers_of_any_length_leave_what_a_store_can_take(number):
    reader = Reader()
    for line in [*COUNTED, *COUNTED]:
        reading = reader.feed(line.format(number).encode() + b"\n")
        for one in reading.metrics:
            step = one.step or 0
            assert isinstance(step, float) or abs(step) < 1 << 63
            assert math.isfinite(step)
        told = reading.progress or ProgressRead()
        counts = (told.done, told.total, told.fraction)
        assert all(math.isfinite(one) for one in counts if one is not None)
    (metric,) = reader.feed(b"step 3: loss=0.5\n").metrics
    assert (metric.name, metric.value) == ("loss", 0.5)


@pytest.mark.parametrize("unit", ["1/2 ", "1 of ", "epoch 1/2 ", "train 1/1 val "])
def test_of_a_table_only_the_first_ratios_are_judged(unit):
    # Judged one by one, with all of the line before each, this took half a minute.
    line = unit * (4_000 // len(unit))
    assert len(_ratios(line, True, is_bar=False)) < 10
    assert find(line) == find(line[:1_000])


def test_a_name_has_only_so_many_words_before_it():
    # Each of a line of nothing else was tried from each: half a second for 700.
    found = read("step 1 " + "train " * 20 + "loss: 0.5\n").metrics
    assert found == [Metric("train " * 8 + "loss", 1, 0.5)]


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=80), max_size=8))
def test_no_bytes_make_it_raise(pieces):
    got = read(*pieces)
    assert all(math.isfinite(metric.value) for metric in got.metrics)


@settings(max_examples=200)
@given(st.text(alphabet="0123456789/%|[]() .:=-epochloss\r\n\t━#", max_size=120))
def test_a_fraction_is_between_nothing_and_all(text):
    progress = read(text).progress
    if progress is not None and progress.fraction is not None:
        assert 0 <= progress.fraction <= 1


def test_a_flood_of_lines_is_read_quickly():
    text = "".join(f"request {n} took 0.{n} s\n" for n in range(100_000)).encode()
    reader = Reader()
    started = time.process_time()
    for at in range(0, len(text), 65_536):
        reader.feed(text[at : at + 65_536])
    assert time.process_time() - started < 0.5  # 0.02 s here


def test_a_flood_of_progress_keeps_the_newest():
    text = "".join(f"Processed {n}/100000 items\n" for n in range(100_000))
    assert read(text).progress.done == 99_999


def test_a_thousand_metric_lines_at_once_are_all_kept():
    text = "".join(f"step {n}: loss=0.5\n" for n in range(1_000))
    assert [m.step for m in read(text).metrics] == list(range(1_000))


def counted(done, total=100):
    return ProgressRead(done, total, done / total)


def test_a_steady_pace_tells_rate_and_time_left():
    pace = Pace()
    for second in range(11):
        rate, eta_s = pace.update(100.0 + second, counted(2 * second))
    assert (rate, eta_s) == (pytest.approx(2), pytest.approx(40))


def test_time_left_counts_down_between_two_steps():
    pace = Pace()
    for second in (0, 10, 20):
        pace.update(second, counted(second))
    assert pace.update(25, counted(20))[1] == pytest.approx(75)


def test_a_stall_slows_the_rate():
    pace = Pace()
    for second in range(10):
        pace.update(second, counted(second))
    assert pace.update(100, counted(9))[0] < 0.2


def test_earlier_runs_tell_the_time_left_from_the_first_second():
    pace = Pace(prior_s=60)
    assert pace.update(5.0) == (None, 60)
    assert pace.update(15.0) == (None, 50)
    assert pace.update(70.0) == (None, None)


def test_own_pace_takes_over_from_earlier_runs():
    pace = Pace(prior_s=1_000)
    for second in range(31):
        _, eta_s = pace.update(second, counted(second))
    assert eta_s == pytest.approx(70)


def test_a_loop_that_starts_again_forgets_its_old_pace():
    pace = Pace()
    pace.update(0, counted(0))
    pace.update(1, counted(90))
    assert pace.update(2, counted(1)) == (None, None)


def test_a_percentage_has_time_left_but_no_rate():
    pace = Pace()
    for second in range(11):
        told = pace.update(second, ProgressRead(fraction=second / 100))
    assert told == (None, pytest.approx(90))


def test_what_is_done_needs_no_more_time():
    assert Pace(prior_s=50).update(1, counted(100))[1] == 0
