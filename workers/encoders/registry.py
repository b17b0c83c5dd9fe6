"""The encoders there are, and the one way to open one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from facetrail.errors import BadEncodings, BadModelFile, EncoderMismatch
from facetrail.model_files import ModelFile
from facetrail.wire import CHIP_SHAPE, Chips, Encodings
from workers.encoders.own import MIRRORED, OwnEncoder, is_own, own_encoder
from workers.encoders.runtime import Build, Device, Runtime, open_runtime

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True)
class Entry:
    """An encoder as the registry lists it.

    architecture: what it is, in a line. files: its weights, in the order in which `build` takes
    their paths. shipped: projections of ours beside this module that belong to them.
    code: the modules whose change makes an earlier conversion worthless.
    threshold, margin: Euclidean distances of unit encodings; `docs/accuracy.md` has the
        measurement they come from. mirrored_threshold: with the mirrored chip averaged in.
    research_only: its terms allow no other use, so that it never serves unasked.
    """

    name: str
    architecture: str
    files: tuple[ModelFile, ...]
    code: tuple[str, ...]
    shipped: tuple[str, ...]
    build: Callable[..., keras.Model]
    threshold: float
    mirrored_threshold: float
    margin: float
    research_only: bool = False

    @property
    def id(self) -> str:
        """The name and the first 8 digits of the SHA-256 of all weights."""
        digests = "".join(file.sha256 for file in self.files)
        if len(self.files) == 1 and not self.shipped:
            return f"{self.name}@{digests[:8]}"
        return f"{self.name}@{_digest(digests.encode(), self.shipped)}"

    def is_here(self, model_dir: Path | None, cache_dir: Path) -> bool:
        """Whether all its files lie on this machine; not yet verified."""
        return all(file.find(model_dir, cache_dir) is not None for file in self.files)

    def open(self, model_dir: Path | None, cache_dir: Path) -> list[Path]:
        """The paths of its verified files. Raises BadModelFile."""
        return [file.open(model_dir, cache_dir) for file in self.files]

    def builder(self, model_dir: Path | None, cache_dir: Path) -> Build:
        """Builds from its verified files. Raises BadModelFile."""
        weights = self.open(model_dir, cache_dir)
        return lambda: self.build(*weights)

    def with_mirrored(self) -> Entry:
        """The same with the mirrored chip averaged in."""

        def build(*weights: Path) -> keras.Model:
            from workers.encoders.base import mirrored

            return mirrored(self.build(*weights))

        return replace(
            self, name=self.name + MIRRORED, build=build, threshold=self.mirrored_threshold
        )


def _dlib_resnet(weights: Path) -> keras.Model:
    from workers.encoders.dlib_resnet import dlib_resnet

    return dlib_resnet(weights)


def _retail0095(weights: Path) -> keras.Model:
    from workers.encoders.retail0095 import retail0095

    return retail0095(weights)


def _combined(retail_weights: Path, dlib_weights: Path) -> keras.Model:
    from workers.encoders.combined import combined

    return combined(retail_weights, dlib_weights)


def _mobilefacenet(weights: Path) -> keras.Model:
    from workers.encoders.mobilefacenet import mobilefacenet

    return mobilefacenet(weights)


def _nn4_small2(weights: Path) -> keras.Model:
    from workers.encoders.nn4_small2 import trained

    return trained(weights)


RETAIL0095 = ModelFile(
    name="face-reidentification-retail-0095.bin",
    size=2_213_628,
    sha256="3289078133e40e4263f682ded2a26a500905abb0fd7b943f41ca8037a4f3fe21",
    licence="Apache-2.0",
    source="get the FP16 .bin of face-reidentification-retail-0095 from Intel's Open Model Zoo",
    url="https://storage.openvinotoolkit.org/repositories/open_model_zoo/2023.0/models_bin/1/"
    "face-reidentification-retail-0095/FP16/face-reidentification-retail-0095.bin",
    model="retail0095",
)
DLIB_RESNET = ModelFile(
    name="dlib_face_recognition_resnet_model_v1.dat",
    size=22_466_066,
    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    licence="CC0-1.0",
    source="it comes with the Python package face-recognition-models 0.3.0",
    package="face-recognition-models",
)
MOBILEFACENET = ModelFile(
    name="mobilefacenet_y1.params",
    size=4_115_182,
    sha256="b151f97e392e68cb540fb9710a91a574a4187d491eeda77d1c1799ae6dc3b82b",
    licence="unclear; trained on MS-Celeb-1M, research use only",
    source="get models/model-0000.params of liguiyuan/mobilefacenet-ncnn from GitHub, at commit "
    "43631161ecef7567b9871bc711b9fb848629e9bc, and name it mobilefacenet_y1.params",
    url="https://raw.githubusercontent.com/liguiyuan/mobilefacenet-ncnn/"
    "43631161ecef7567b9871bc711b9fb848629e9bc/models/model-0000.params",
    model="mobilefacenet",
)
NN4_SMALL2 = ModelFile(
    name="nn4_small2.keras",
    size=6_937_501,
    sha256="eaea366d098a2b3a205f8a5b5c75953910444b84129c94fe71e54748d795dc09",
    licence="Facetrail's; trained on LFW and Glint360K, research use only",
    source="it is part of Facetrail",
    carrier=Path(__file__).parent,
)

# Best first of those that serve unasked: what an empty gallery takes when the operator names
# none. `combined` costs the sum of its two for a little more, so that is the operator's choice.
ENTRIES = (
    Entry(
        name="retail0095",
        architecture="MobileNetV2 with squeeze-and-excitation, 128x128, 256 to 128 numbers",
        files=(RETAIL0095,),
        code=("axis.py", "base.py", "retail0095.py"),
        shipped=("retail0095_projection.npy",),
        build=_retail0095,
        threshold=1.1,
        mirrored_threshold=1.1,
        margin=0.05,
    ),
    Entry(
        name="dlib_resnet",
        architecture="ResNet of 29 convolutions, 150x150, 128 numbers",
        files=(DLIB_RESNET,),
        code=("axis.py", "base.py", "dlib_file.py", "dlib_resnet.py"),
        shipped=(),
        build=_dlib_resnet,
        threshold=0.36,
        mirrored_threshold=0.35,
        margin=0.02,
    ),
    Entry(
        name="combined",
        architecture="retail0095 and dlib_resnet side by side, 384 to 128 numbers",
        files=(RETAIL0095, DLIB_RESNET),
        code=(
            "axis.py",
            "base.py",
            "combined.py",
            "dlib_file.py",
            "dlib_resnet.py",
            "retail0095.py",
        ),
        shipped=("combined_projection.npy",),
        build=_combined,
        threshold=0.68,
        mirrored_threshold=0.665,
        margin=0.03,
    ),
    Entry(
        name="mobilefacenet",
        architecture="MobileFaceNet, 112x112, 128 numbers",
        files=(MOBILEFACENET,),
        code=("axis.py", "base.py", "mobilefacenet.py", "mxnet_file.py"),
        shipped=(),
        build=_mobilefacenet,
        threshold=1.12,
        mirrored_threshold=1.12,
        margin=0.05,
        research_only=True,
    ),
    Entry(
        name="nn4_small2",
        architecture="FaceNet's small Inception network, 96x96, 128 numbers",
        files=(NN4_SMALL2,),
        code=("axis.py", "base.py", "nn4_small2.py"),
        shipped=(),
        build=_nn4_small2,
        threshold=1.0,
        mirrored_threshold=0.98,
        margin=0.05,
        research_only=True,
    ),
)
#: Those that serve unasked, best first.
UNASKED = ("retail0095", "dlib_resnet")


class ServedEncoder:
    """An encoder ready to run: the `Encoder` of `facetrail.wire`."""

    def __init__(self, encoder: Entry | OwnEncoder, runtime: Runtime) -> None:
        self.id = encoder.id
        self.threshold = encoder.threshold
        self.margin = encoder.margin
        self._runtime = runtime

    def encode(self, chips: Chips) -> Encodings:
        """Uint8 `(n, 112, 112, 3)` RGB to float32 `(n, 128)`, rows of length 1.

        Raises BadEncodings for chips of another shape or dtype.
        """
        if chips.dtype != np.uint8 or chips.shape[1:] != CHIP_SHAPE:
            raise BadEncodings(
                f"expected uint8 chips of shape (n, 112, 112, 3), got {chips.dtype} {chips.shape}"
            )
        if not len(chips):
            return np.empty((0, 128), np.float32)
        found = self._runtime.run(chips)
        # Again to length 1: in 16 bits the network's own is not near enough for a search.
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found / np.maximum(lengths, 1e-12), np.float32)


def open_encoder(
    encoder_id: str,
    *,
    model_dir: Path | None,
    cache_dir: Path,
    device: Device = "auto",
    precision: Literal["f32", "bf16"] = "f32",
    threads: int = 0,
) -> ServedEncoder:
    """The encoder of that id or name, its weights verified, or the one in that file.

    Raises BadModelFile if its file is missing or not the one meant, EncoderMismatch if
    there is no encoder of that id, BadSettings if its description can't be used.
    """
    encoder = found_encoder(encoder_id)
    runtime = open_runtime(
        encoder.builder(model_dir, cache_dir),
        key=_conversion_key(encoder),
        cache_dir=cache_dir,
        device=encoder.device(device) if isinstance(encoder, OwnEncoder) else device,
        precision=precision,
        threads=threads,
    )
    if isinstance(encoder, OwnEncoder):
        encoder.check(runtime)
    return ServedEncoder(encoder, runtime)


def found_encoder(name: str) -> Entry | OwnEncoder:
    """The registry's entry of an id or a name, or what lies at the path of a file.

    Raises EncoderMismatch; of a file BadModelFile and BadSettings.
    """
    return own_encoder(name) if is_own(name) else entry_of(name)


def entry_of(encoder_id: str) -> Entry:
    """The registry's entry of an id or a name. Raises EncoderMismatch."""
    for entry in ENTRIES:
        if encoder_id in (entry.name, entry.id):
            return entry
        if MIRRORED in encoder_id:
            mirrored = entry.with_mirrored()
            if encoder_id in (mirrored.name, mirrored.id):
                return mirrored
    names = ", ".join(entry.id for entry in ENTRIES)
    raise EncoderMismatch(
        f"there is no encoder {encoder_id!r} here; known are {names}, each also with "
        f"{MIRRORED} behind its name, and your own by its file's path"
    )


def best_on_disk(*, model_dir: Path | None, cache_dir: Path) -> Entry:
    """The best encoder whose file is there. Raises BadModelFile if none is."""
    for entry in map(entry_of, UNASKED):
        if entry.is_here(model_dir, cache_dir):
            return entry
    raise BadModelFile(
        f"no encoder's weights are on this machine: {DLIB_RESNET.source}; install it"
    )


def _conversion_key(encoder: Entry | OwnEncoder) -> str:
    """Names weights, code and converter together."""
    return f"{encoder.id}-{_digest(version('openvino').encode(), encoder.code)}"


def _digest(seed: bytes, names: tuple[str, ...]) -> str:
    """8 digits of the SHA-256 of the seed and the files of those names beside this module."""
    hashed = hashlib.sha256(seed)
    for name in names:
        hashed.update(Path(__file__).with_name(name).read_bytes())
    return hashed.hexdigest()[:8]
