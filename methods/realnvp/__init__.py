"""Real NVP (Dinh, Sohl-Dickstein and Bengio, Density estimation using Real NVP, ICLR 2017)."""

from runner.api import MethodEntry

OF_PARTS = (
    "bits_per_dim", "nats", "prior", "log_det", "bits_per_dim_histogram", "bits_per_dim_bound",
    "bits_per_dim_uniform", "first_batch_eval_mode", "first_batch_train_mode",
)  # fmt: skip
CHECKS = (
    "log_det", "inverse", "blind", "arbitrary_networks", "changed", "halves", "factoring_out",
    "sampling_time",
)  # fmt: skip
OF_TASKS = ("train", "check", "sample", "complete", "interpolate", "compress")

METHODS = (
    MethodEntry(
        name="realnvp",
        summary="Real NVP: exact likelihood of images by invertible affine couplings",
        paper="Dinh, Sohl-Dickstein & Bengio, ICLR 2017",
        config=".config:RealNVPConfig",
        method=".method:RealNVPMethod",
        needs="images",
        models=("density",),
        tasks=("train", "evaluate", "sample", "complete", "interpolate", "compress"),
        checks={name: f".checks:{name}" for name in CHECKS},
        metrics=(
            *(f"{part}/{name}" for part in ("validation", "test") for name in OF_PARTS),
            *(f"{task}/*" for task in OF_TASKS),
        ),
    ),
    MethodEntry(
        name="pixelcnn",
        summary="a small PixelCNN, or independent pixels, to compare a flow with",
        paper="van den Oord, Kalchbrenner & Kavukcuoglu, ICML 2016",
        config=".config:PixelCNNConfig",
        method=".pixel_method:PixelMethod",
        needs="images",
        tasks=("train", "evaluate", "sample"),
        metrics=(
            *(f"{part}/{name}" for part in ("validation", "test") for name in ("bits_per_dim", "nats")),
            "train/*",
            "sample/*",
        ),
    ),
)
