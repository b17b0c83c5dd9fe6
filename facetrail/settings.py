"""Every value an operator can turn, but for the cameras (cameras.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypedDict

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from facetrail.errors import BadSettings

#: The names in `workers.encoders.registry`, which not every process may import.
ENCODERS = ("dlib_resnet", "retail0095", "combined", "mobilefacenet", "nn4_small2")


class ModelPlaces(TypedDict):
    """Where models are looked for."""

    model_dir: Path | None
    cache_dir: Path


class Settings(BaseSettings):
    """Environment variables, upper-cased and prefixed: `FACETRAIL_BATCH_SIZE=64`."""

    model_config = SettingsConfigDict(env_prefix="FACETRAIL_", frozen=True, extra="ignore")

    redis_url: str | None = Field(
        None, description="Redis: queue, gallery and events. None: `up` starts one of its own."
    )
    key_prefix: str = Field(
        "facetrail:",
        pattern=r"^[\w.-]+:$",
        description="Every Redis key begins with it; two systems may share a Redis.",
    )
    data_dir: Path = Field(
        Path("facetrail-data"), description="State of `up`: the embedded Redis and its files."
    )
    cache_dir: Path = Field(
        Path("~/.cache/facetrail"), description="Converted and downloaded models."
    )
    model_dir: Path | None = Field(None, description="Where model files are looked for first.")
    cameras: Path = Field(Path("cameras.yml"), description="The camera file.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level that is logged."
    )
    log_json: bool = Field(False, description="Log one JSON object a line.")

    detector: Literal["auto", "centerface", "yunet"] = Field(
        "auto",
        description="Finds faces. auto: at cameras YuNet if its file is here, else CenterFace.",
    )
    detection_score: float = Field(
        0.5, gt=0, lt=1, description="Least score of a detected face, 0 to 1."
    )
    detector_threads: int = Field(
        1, ge=1, le=64, description="Threads of the detector, for each camera."
    )
    photo_width: int = Field(
        640, ge=64, le=4096, description="Pixels of a photo's longer side that detection sees."
    )
    photo_min_face: int = Field(
        40, ge=16, le=1000, description="Least height in pixels of a face in a photo."
    )
    photo_min_sharpness: float = Field(
        30.0,
        ge=0,
        le=10_000,
        description="Least sharpness of a face in a photo, as variance of the Laplacian.",
    )
    photo_max_yaw: float = Field(
        0.9,
        ge=0,
        le=1,
        description="How far a face in a photo may be turned away, 0 frontal to 1 in profile.",
    )
    buffer_mb: float = Field(
        64.0, gt=0, description="Memory of an ingest host for chips that wait, in MB."
    )

    queue_limit: int = Field(
        200, ge=1, description="Messages in the queue from which on ingest keeps its chips back."
    )

    worker_name: str | None = Field(
        None,
        pattern=r"^[\w.-]{1,100}$",
        description="The worker in events. None: host, process id and a part drawn at its start.",
    )
    encoder: str | None = Field(
        None,
        description="The encoder, or the path of your own. None: the gallery's own, or the best "
        "one on disk.",
    )
    encoder_precision: Literal["f32", "bf16"] = Field(
        "f32", description="Arithmetic of the encoder."
    )
    encoder_device: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="Where the encoder runs. auto: a GPU if TensorFlow sees one."
    )
    threads: int = Field(
        0, ge=0, le=256, description="Threads of the encoder on a CPU. 0: one per core."
    )
    batch_size: int = Field(32, ge=1, le=1024, description="Most chips per run of the encoder.")
    batch_wait_ms: int = Field(
        30, ge=1, le=10_000, description="Longest a chip waits for its batch to fill, in ms."
    )
    pool_threads: int = Field(
        64, ge=1, le=1024, description="Messages a worker holds at once; more than fill a batch."
    )
    index_half: bool = Field(
        False,
        description="Keep encodings in 16 bits for re-ranking in galleries of more than 5 000: "
        "half the memory.",
    )
    chip_ttl_s: float = Field(
        30.0, gt=0, description="Chips older than this are skipped and counted, in seconds."
    )
    redelivery_s: int = Field(
        5, ge=3, description="What a worker that ended had taken comes again after so many seconds."
    )

    metrics_host: str = Field(
        "127.0.0.1", description="Where a worker serves /metrics, /healthz and /readyz."
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65_535, description="Its port there. 0: a free one. None: nothing is served."
    )

    confirm_chips: int = Field(
        3, ge=1, le=100, description="Chips that must agree before a person has entered."
    )
    unknown_chips: int = Field(
        5, ge=1, le=100, description="Chips after which a track without a name is unknown."
    )
    event_history: int = Field(
        100_000, ge=100, description="Events kept in the stream for replay, about."
    )
    snapshot_ttl_s: int = Field(
        86_400, ge=0, description="How long snapshots are kept, in seconds. 0: none are."
    )
    unknown_ttl_s: int = Field(
        604_800,
        ge=0,
        description="How long strangers and their snapshots are kept, in seconds. 0: none are.",
    )

    passphrase: SecretStr | None = Field(
        None, description="Of encrypted exports. None: it is asked for on the terminal."
    )

    @field_validator("encoder")
    @classmethod
    def _known_encoder(cls, name: str | None) -> str | None:
        plain = "" if name is None else name.removesuffix("+mirrored")
        if name is None or plain in ENCODERS or plain.endswith((".keras", ".onnx")):
            return name
        raise ValueError(
            f"expected {', '.join(ENCODERS)} or the path of a .keras or .onnx file, each also with "
            "+mirrored behind it"
        )

    @property
    def models(self) -> ModelPlaces:
        """Where models are looked for, as the keywords of whoever opens one."""
        model_dir = self.model_dir.expanduser() if self.model_dir else None
        return {"model_dir": model_dir, "cache_dir": self.cache_dir.expanduser()}


def read_settings() -> Settings:
    """The settings of this process. Raises BadSettings, naming the variable."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        variable = "FACETRAIL_" + "_".join(str(part) for part in first["loc"]).upper()
        reason = first["msg"].removeprefix("Value error, ")
        raise BadSettings(
            f"{variable}={first['input']!r} can't be used: {reason}; "
            "docs/configuration.md lists every variable"
        ) from error
