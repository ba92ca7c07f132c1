"""InfoGAN (Chen, Duan, Houthooft, Schulman, Sutskever and Abbeel, NeurIPS 2016), and the GAN beside it."""

from runner.api import MethodEntry

OF_PARTS = (
    "mi_*", "accuracy_*", "nmi*", "purity*", "empty_clusters*", "rank_*", "told_*", "effect_*",
    "confidence*", "modes", "pixel_*",
)  # fmt: skip
METRICS = (
    *(f"{part}/{name}" for part in ("validation", "test") for name in OF_PARTS),
    "train/*",
    "judge/*",
    "check/*",
)
CHECKS = {name: f".checks:{name}" for name in ("channels", "symmetric", "entropy", "q_cost")}


def _entry(name: str, summary: str, paper: str, config: str) -> MethodEntry:
    return MethodEntry(
        name=name,
        summary=summary,
        paper=paper,
        config=f".config:{config}",
        method=".method:InfoGANMethod",
        needs="images",
        checks=CHECKS,
        metrics=METRICS,
    )


METHODS = (
    _entry(
        "infogan",
        "a GAN whose samples tell the codes that they were made from",
        "Chen, Duan, Houthooft, Schulman, Sutskever & Abbeel, NeurIPS 2016",
        "InfoGANConfig",
    ),
    _entry(
        "gan",
        "the same networks without the reward for codes; a baseline",
        "Goodfellow et al., NeurIPS 2014",
        "GanConfig",
    ),
)
