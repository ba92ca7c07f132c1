"""Group normalisation (Wu and He, Group normalization, ECCV 2018)."""

from runner.api import MethodEntry

OF_PARTS = (
    "accuracy", "accuracy_low", "accuracy_high", "error", "error_low", "error_high", "loss",
    "accuracy_train_mode*", "error_train_mode*", "train_mode_gap", "modes_differ",
)  # fmt: skip

METHODS = (
    MethodEntry(
        name="groupnorm",
        summary="image classifiers with group, batch, layer and instance normalisation, at small batches too",
        paper="Wu & He, ECCV 2018",
        config=".config:GroupNormConfig",
        method=".method:GroupNormMethod",
        needs="images",
        models=("classifier",),
        tasks=("train", "evaluate", "statistics", "channels"),
        checks={"one_function": ".checks:one_function"},
        metrics=(
            *(f"{part}/{name}" for part in ("validation", "test") for name in OF_PARTS),
            *(f"validation/{name}" for one in ("drift", "width_drift") for name in (one, f"{one}_*")),
            "validation/error_median_last5",
            "test/gap",
            "test/accuracy_on_train",
            *(f"{task}/*" for task in ("train", "check", "statistics", "channels")),
        ),
    ),
)
