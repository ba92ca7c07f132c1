"""Batch normalisation (Ioffe and Szegedy, Batch normalization: accelerating deep network training by reducing
internal covariate shift, ICML 2015)."""

from runner.api import MethodEntry

OF_PARTS = (
    "accuracy", "accuracy_low", "accuracy_high", "error", "error_low", "error_high", "loss",
    "accuracy_train_mode*", "error_train_mode*", "train_mode_gap", "modes_differ",
)  # fmt: skip
PROBED = ("drift", "width_drift", "saturated", "ics_distance", "ics_cosine")

METHODS = (
    MethodEntry(
        name="batchnorm",
        summary="image classifiers with and without batch normalisation, and what it does to their layers",
        paper="Ioffe & Szegedy, ICML 2015",
        config=".config:BatchNormConfig",
        method=".method:BatchNormMethod",
        needs="images",
        models=("classifier",),
        checks={"batch_of_one": ".checks:batch_of_one", "coupled": ".checks:coupled"},
        metrics=(
            *(f"{part}/{name}" for part in ("validation", "test") for name in OF_PARTS),
            *(f"validation/{name}" for one in PROBED for name in (one, f"{one}_*")),
            "validation/running_error",
            "validation/error_median_last5",
            "test/gap",
            "test/accuracy_on_train",
            "train/*",
            "check/*",
        ),
    ),
)
