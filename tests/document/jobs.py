"""Every job of the description, as its author meant it, cell by cell.

What the description leaves to the reader (``expensive_computation``, ``train``, ...)
stands in the first cells, as small as it can be while still doing something.
"""

# %% what the jobs use
import asyncio
import logging
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
from pydantic import BaseModel

from chutes_nb import PermanentError, TemporaryError

logger = logging.getLogger("document")


async def expensive_computation(data):
    await asyncio.sleep(0)
    return data["input"].upper()


async def perform_analysis(text, language):
    topics = sorted({word for word in text.lower().split() if len(word) > 4})
    sentiment = "positive" if "good" in text else "neutral"
    return SimpleNamespace(sentiment=f"{sentiment} ({language})", topics=topics)


def create_model(kind):
    return {"kind": kind, "weights": [0.0, 0.0]}


async def train(model, config):
    loss = 1.0
    for epoch in range(config.epochs):
        loss *= 1 - config.learning_rate
        print(f"Epoch {epoch + 1}/{config.epochs}: loss = {loss:.4f}")
    return SimpleNamespace(accuracy=1 - loss, final_loss=loss)


def analyze_dataset(df):
    return {column: float(df[column].mean()) for column in df}


async def process_item(item):
    await asyncio.sleep(0)
    return item * item


async def risky_operation(data):
    if data.get("hopeless"):
        raise PermanentError("no such table")
    seen = Path(data["marker"])
    if not seen.exists():
        seen.touch()
        raise TemporaryError("the service is busy")
    return "done"


async def image_processing_function(path):
    return {"bytes": Path(path).stat().st_size, "suffix": Path(path).suffix}


async def create_report(config):
    return [f"page {number} of {config['id']}" for number in range(config["pages"])]


def save_report_as_pdf(pages, path):
    Path(path).write_bytes(b"%PDF-1.4\n" + "\n".join(pages).encode())


async def train_epoch(*given):
    # One description trains by epoch, the other by model and dataset.
    if len(given) == 1:
        return [0.5, 0.9, 0.7][given[0] % 3]
    model, dataset = given
    model["weights"] = [weight + 1 for weight in model["weights"]]
    return len(dataset) / sum(model["weights"])


def save_checkpoint(path):
    Path(path).write_text("weights")


def load_dataset(path):
    return Path(path).read_text().splitlines()


def save_model(model, path):
    Path(path).write_text(repr(model))


def create_temp_file(content):
    path = f"{tempfile.gettempdir()}/part_{abs(hash(content))}.txt"
    Path(path).write_text(content)
    return path


async def process_files(paths):
    return {"characters": sum(len(Path(path).read_text()) for path in paths)}


def parse_raw_data(raw):
    return raw.decode().split(",")


def clean_data(records):
    return [record.strip() for record in records if record.strip()]


def transform_data(records):
    return [int(record) for record in records]


def generate_insights(numbers):
    return {"largest": max(numbers)}


async def download_image(url):
    if "missing" in url:
        raise FileNotFoundError(url)
    return url.encode()


# %% basic job definition
from chutes.chute import Chute

chute = Chute(username="myuser", name="my-chute", image="my-image")


@chute.job(timeout=3600)  # 1 hour timeout
async def process_data(self, data: dict) -> dict:
    # Long-running processing logic
    result = await expensive_computation(data)
    return {"status": "completed", "result": result}


# %% timeout
@chute.job(timeout=7200)  # 2 hours
async def long_training_job(self, config: dict):
    # Training logic that might take hours
    pass


# %% upload
@chute.job(upload=True, timeout=1800)
async def process_video(self, video_file: bytes) -> dict:
    # Process uploaded video file
    return {"processed": True}


# %% retry
@chute.job(retry=3, timeout=600)
async def unreliable_task(self, data: dict):
    # Will retry up to 3 times if it fails
    pass


# %% simple data
@chute.job()
async def analyze_text(self, text: str, language: str = "en") -> dict:
    analysis = await perform_analysis(text, language)
    return {"sentiment": analysis.sentiment, "topics": analysis.topics}


# %% structured input with pydantic
class TrainingConfig(BaseModel):
    model_type: str
    learning_rate: float
    epochs: int
    batch_size: int


@chute.job(timeout=14400)  # 4 hours
async def train_model(self, config: TrainingConfig) -> dict:
    model = create_model(config.model_type)
    results = await train(model, config)
    return {"accuracy": results.accuracy, "loss": results.final_loss}


# %% file uploads
@chute.job(upload=True, timeout=3600)
async def process_dataset(self, dataset_file: bytes) -> dict:
    # Save uploaded file
    with open("/tmp/dataset.csv", "wb") as f:
        f.write(dataset_file)

    # Process the dataset
    df = pd.read_csv("/tmp/dataset.csv")
    results = analyze_dataset(df)
    return {"rows": len(df), "analysis": results}


# %% progress tracking
@chute.job(timeout=7200)
async def batch_process(self, items: list) -> dict:
    results = []
    total = len(items)

    for i, item in enumerate(items):
        # Process each item
        result = await process_item(item)
        results.append(result)

        # Report progress (this is logged)
        progress = (i + 1) / total * 100
        print(f"Progress: {progress:.1f}% ({i + 1}/{total})")

    return {"processed": len(results), "results": results}


# %% error handling
@chute.job(retry=2, timeout=1800)
async def resilient_job(self, data: dict) -> dict:
    try:
        result = await risky_operation(data)
        return {"success": True, "result": result}
    except TemporaryError as e:
        # This will trigger a retry
        raise e
    except PermanentError as e:
        # Return error instead of raising to avoid retries
        return {"success": False, "error": str(e)}


# %% processing uploaded files
import tempfile


@chute.job(upload=True, timeout=1800)
async def process_image(self, image_file: bytes) -> dict:
    # Create temporary file
    with tempfile.NamedTemporaryFile(delete=False, suffix=".jpg") as tmp:
        tmp.write(image_file)
        tmp_path = tmp.name

    try:
        # Process the image
        processed = await image_processing_function(tmp_path)
        return {"processed": True, "features": processed}
    finally:
        # Clean up
        os.unlink(tmp_path)


# %% generating files for download
@chute.job(timeout=3600)
async def generate_report(self, report_config: dict) -> dict:
    # Generate report
    report_data = await create_report(report_config)

    # Save to file (this could be uploaded to cloud storage)
    report_path = f"/tmp/report_{report_config['id']}.pdf"
    save_report_as_pdf(report_data, report_path)

    return {
        "report_generated": True,
        "report_path": report_path,
        "pages": len(report_data),
    }


# %% state management
@chute.job(timeout=7200)
async def training_job(self, config: dict) -> dict:
    # Initialize training state
    self.training_state = {"epoch": 0, "best_accuracy": 0.0, "model_checkpoints": []}

    for epoch in range(config["epochs"]):
        self.training_state["epoch"] = epoch

        # Train for one epoch
        accuracy = await train_epoch(epoch)

        if accuracy > self.training_state["best_accuracy"]:
            self.training_state["best_accuracy"] = accuracy

            # Save checkpoint
            checkpoint_path = f"/tmp/checkpoint_epoch_{epoch}.pt"
            save_checkpoint(checkpoint_path)
            self.training_state["model_checkpoints"].append(checkpoint_path)

    return self.training_state


# %% handle failures gracefully
@chute.job(retry=2)
async def robust_job(self, data: dict) -> dict:
    try:
        return await process_data(data)
    except Exception as e:
        # Log the error
        logger.error(f"Job failed: {e}")

        # Return error info instead of raising
        return {"success": False, "error": str(e)}


# %% use progress tracking
@chute.job(timeout=3600)
async def batch_job(self, items: list) -> dict:
    for i, item in enumerate(items):
        # Process item
        await process_item(item)

        # Log progress every 10 items
        if i % 10 == 0:
            print(f"Processed {i}/{len(items)} items")


# %% clean up resources
@chute.job(timeout=1800)
async def file_processing_job(self, data: dict) -> dict:
    temp_files = []
    try:
        # Create temporary files
        for file_data in data["files"]:
            tmp_file = create_temp_file(file_data)
            temp_files.append(tmp_file)

        # Process files
        results = await process_files(temp_files)
        return results
    finally:
        # Always clean up
        for tmp_file in temp_files:
            os.unlink(tmp_file)


# %% model training
@chute.job(timeout=14400, retry=1)
async def train_custom_model(self, training_data: dict) -> dict:
    # Load training data
    dataset = load_dataset(training_data["dataset_path"])

    # Initialize model
    model = create_model(training_data["model_config"])

    # Train model
    for epoch in range(training_data["epochs"]):
        loss = await train_epoch(model, dataset)
        print(f"Epoch {epoch}: Loss = {loss}")

    # Save trained model
    model_path = f"/tmp/trained_model_{int(time.time())}.pt"
    save_model(model, model_path)

    return {"model_path": model_path, "final_loss": loss}


# %% data processing pipeline
@chute.job(upload=True, timeout=7200)
async def process_pipeline(self, raw_data: bytes) -> dict:
    # Stage 1: Parse data
    parsed_data = parse_raw_data(raw_data)
    print(f"Parsed {len(parsed_data)} records")

    # Stage 2: Clean data
    cleaned_data = clean_data(parsed_data)
    print(f"Cleaned data, {len(cleaned_data)} records remaining")

    # Stage 3: Transform data
    transformed_data = transform_data(cleaned_data)
    print("Transformed data complete")

    # Stage 4: Generate insights
    insights = generate_insights(transformed_data)

    return {
        "records_processed": len(parsed_data),
        "records_final": len(transformed_data),
        "insights": insights,
    }


# %% batch image processing
@chute.job(timeout=3600)
async def batch_image_process(self, image_urls: list) -> dict:
    results = []

    for i, url in enumerate(image_urls):
        try:
            # Download and process image
            image = await download_image(url)
            processed = await process_image(image)
            results.append({"url": url, "success": True, "result": processed})
        except Exception as e:
            results.append({"url": url, "success": False, "error": str(e)})

        # Progress update
        if i % 10 == 0:
            print(f"Processed {i}/{len(image_urls)} images")

    success_count = sum(1 for r in results if r["success"])
    return {
        "total": len(image_urls),
        "successful": success_count,
        "failed": len(image_urls) - success_count,
        "results": results,
    }
