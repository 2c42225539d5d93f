"""Every job of the description runs in a real kernel and ends as described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kernels import Kernel

pytestmark = pytest.mark.kernel

CELLS = (Path(__file__).parent / "document" / "jobs.py").read_text().split("# %% ")[1:]


@pytest.fixture(scope="module")
def notebook(kernel: Kernel) -> Kernel:
    """A kernel in which every cell of the description has been run."""
    kernel.run("%load_ext chutes_nb")
    for cell in CELLS:
        printed = kernel.run(f"# {cell}")
        assert printed == "", "defining jobs says nothing"
    return kernel


@pytest.fixture
def end_of(notebook: Kernel):
    """Submit as the description does, wait, and give (job id, state, results)."""

    def submit(name: str, payload: Any, **options: Any) -> tuple[str, str, Any]:
        return notebook.value(
            f"job_id = await chute.submit_job({name!r}, {payload!r}, **{options!r})\n"
            "results = await chute.get_job_results(job_id, wait=True)\n"
            "status = await chute.get_job_status(job_id)\n"
            "(job_id, str(status), results)"
        )

    return submit


def about(notebook: Kernel, job_id: str, what: str) -> Any:
    """Evaluate an expression on a job."""
    code = f"import chutes_nb\njob = chutes_nb.get_job({job_id!r})\n{what}"
    return notebook.value(code)


def test_the_payload_of_the_description_reaches_the_one_parameter(end_of):
    _, status, results = end_of("process_data", {"input": "data"})
    assert status == "completed"
    assert results == {"status": "completed", "result": "DATA"}


def test_the_three_readings_of_a_status_agree(notebook, end_of):
    end_of("process_data", {"input": "data"})
    assert notebook.value(
        "[status == 'completed', status.status == 'completed',"
        " status['status'] == 'completed']"
    ) == [True, True, True]


@pytest.mark.parametrize("name", ["long_training_job", "unreliable_task"])
def test_a_job_without_a_return_gives_none(end_of, name):
    assert end_of(name, {"some": "thing"})[1:] == ("completed", None)


def test_a_job_gets_an_uploaded_file_as_bytes(end_of):
    _, status, results = end_of("process_video", {"video_file": b"\0\1frames"})
    assert (status, results) == ("completed", {"processed": True})


def test_keys_that_are_parameters_are_keyword_arguments(end_of):
    results = end_of("analyze_text", {"text": "a good report", "language": "de"})[2]
    assert results == {"sentiment": "positive (de)", "topics": ["report"]}


def test_a_default_of_the_signature_holds(end_of):
    results = end_of("analyze_text", {"text": "plain words"})[2]
    assert results == {"sentiment": "neutral (en)", "topics": ["plain", "words"]}


def test_a_flat_dict_reaches_a_pydantic_config(end_of):
    config = {"model_type": "mlp", "learning_rate": 0.5, "epochs": 2, "batch_size": 8}
    results = end_of("train_model", config)[2]
    assert results == {"accuracy": 0.75, "loss": 0.25}


def test_a_wrong_config_is_refused_at_submit_and_leaves_no_job(notebook):
    count = (
        "import chutes_nb\nlen(list(chutes_nb.jobs(name='train_model', limit=1000)))"
    )
    before = notebook.value(count)
    printed = notebook.run(
        "try:\n"
        "    await chute.submit_job('train_model', {'model_type': 'mlp',\n"
        "        'learning_rate': 'fast', 'epochs': 2, 'batch_size': 8})\n"
        "except chutes_nb.ValidationFailed as error:\n"
        "    print(error.details[0]['loc'])"
    )
    assert "learning_rate" in printed
    assert notebook.value(count) == before


def test_an_uploaded_dataset_is_read(end_of):
    results = end_of("process_dataset", {"dataset_file": b"x,y\n1,2\n3,4\n"})[2]
    assert results == {"rows": 2, "analysis": {"x": 2.0, "y": 3.0}}


def test_a_file_is_uploaded_by_its_path(notebook, end_of):
    (notebook.folder / "data.csv").write_text("x\n5\n")
    results = notebook.value(
        "process_dataset.submit(dataset_file='data.csv').result(30)"
    )
    assert results == {"rows": 1, "analysis": {"x": 5.0}}


def test_printed_progress_ends_at_a_hundred_percent(notebook, end_of):
    job_id, _, results = end_of("batch_process", {"items": list(range(20))})
    assert results["processed"] == 20
    assert about(notebook, job_id, "job.progress.fraction") == 1.0
    log = about(notebook, job_id, "job.logs()").splitlines()
    assert log[0] == "Progress: 5.0% (1/20)"
    assert log[-1] == "Progress: 100.0% (20/20)"


def test_a_temporary_error_is_retried(notebook, end_of, tmp_path):
    job_id, status, results = end_of(
        "resilient_job", {"marker": str(tmp_path / "seen")}
    )
    assert (status, results) == ("completed", {"success": True, "result": "done"})
    ends = about(notebook, job_id, "[(a.number, str(a.status)) for a in job.attempts]")
    assert ends == [(1, "failed"), (2, "completed")]


def test_a_reported_failure_is_completed_and_not_retried(notebook, end_of):
    job_id, status, results = end_of("resilient_job", {"hopeless": True})
    assert status == "completed"
    assert results == {"success": False, "error": "no such table"}
    assert about(notebook, job_id, "len(job.attempts)") == 1
    assert about(notebook, job_id, "job.info.reported_failure") is True


def test_an_image_is_processed_and_its_temporary_file_cleaned_up(end_of):
    results = end_of("process_image", {"image_file": b"\xff\xd8jpeg"})[2]
    features = {"bytes": 6, "suffix": ".jpg"}
    assert results == {"processed": True, "features": features}


def test_a_returned_path_is_kept_after_the_original_is_gone(notebook, end_of):
    config = {"id": f"test{id(notebook)}", "pages": 3}
    job_id, _, results = end_of("generate_report", config)
    path = Path(results["report_path"])
    content = path.read_bytes()
    path.unlink()
    assert results["pages"] == 3
    kept = about(notebook, job_id, "[(f.name, f.size, f.read()) for f in job.files]")
    assert kept == [(path.name, len(content), content)]


def test_the_state_of_a_training_is_there_afterwards(notebook, end_of):
    job_id, _, results = end_of("training_job", {"epochs": 3})
    assert results == {
        "epoch": 2,
        "best_accuracy": 0.9,
        "model_checkpoints": [
            "/tmp/checkpoint_epoch_0.pt",
            "/tmp/checkpoint_epoch_1.pt",
        ],
    }
    assert about(notebook, job_id, "job.state") == {"training_state": results}


def test_a_job_calls_another_job_inline(notebook, end_of):
    before = notebook.value("import chutes_nb\nlen(list(chutes_nb.jobs(limit=1000)))")
    results = end_of("robust_job", {"input": "data"})[2]
    assert results == {"status": "completed", "result": "DATA"}
    after = notebook.value("len(list(chutes_nb.jobs(limit=1000)))")
    assert after == before + 1, "the inner call leaves no job"


def test_a_handled_failure_is_logged_and_returned(notebook, end_of):
    job_id, status, results = end_of("robust_job", {"other": "key"})
    assert (status, results) == ("completed", {"success": False, "error": "'input'"})
    assert "Job failed: 'input'" in about(notebook, job_id, "job.logs()")


def test_progress_every_ten_items_is_read(notebook, end_of):
    job_id, _, results = end_of("batch_job", {"items": list(range(200))})
    assert results is None
    assert about(notebook, job_id, "job.progress.total") == 200


def test_temporary_files_are_cleaned_up_by_finally(end_of):
    results = end_of("file_processing_job", {"files": ["ab", "cde"]})[2]
    assert results == {"characters": 5}


def test_a_trained_model_is_kept_and_its_loss_drawn(notebook, end_of, tmp_path):
    (tmp_path / "rows.txt").write_text("a\nb\nc\nd\n")
    job_id, _, results = end_of(
        "train_custom_model",
        {"dataset_path": str(tmp_path / "rows.txt"), "model_config": "m", "epochs": 2},
    )
    assert results["final_loss"] == 1.0
    names = about(notebook, job_id, "[f.name for f in job.files]")
    assert names == [Path(results["model_path"]).name]
    losses = about(notebook, job_id, "[v for _, v in job.metrics['Loss']]")
    assert losses == [2.0, 1.0]


def test_a_pipeline_prints_each_of_its_stages(notebook, end_of):
    job_id, _, results = end_of("process_pipeline", {"raw_data": b"1, 2, ,40"})
    assert results == {
        "records_processed": 4,
        "records_final": 3,
        "insights": {"largest": 40},
    }
    assert about(notebook, job_id, "job.logs()").splitlines() == [
        "Parsed 4 records",
        "Cleaned data, 3 records remaining",
        "Transformed data complete",
    ]


def test_a_batch_of_images_goes_on_after_one_that_fails(end_of):
    urls = ["http://a/1.jpg", "http://a/missing.jpg", "http://a/3.jpg"]
    results = end_of("batch_image_process", {"image_urls": urls})[2]
    assert (results["total"], results["successful"], results["failed"]) == (3, 2, 1)
    assert results["results"][0]["result"]["features"]["bytes"] == len(urls[0])
    assert results["results"][1]["error"] == urls[1]
