"""Prototypical networks for few-shot learning (Snell, Swersky and Zemel, NeurIPS 2017), and matching networks
(Vinyals et al., NeurIPS 2016), which they are compared with."""

from runner.api import MethodEntry

METRICS = (
    *(
        f"{part}/{name}"
        for part in ("validation", "test")
        for name in ("accuracy*", "error", "loss", "mean_over_*")
    ),
    "train/*",
    "check/*",
)

CHECKS = {name: f".checks:{name}" for name in ("storage", "task_cost", "mean_is_nearest", "one_shot")}

METHODS = (
    MethodEntry(
        name="protonet",
        summary="few-shot classification by the nearest prototype in a learned space",
        paper="Snell, Swersky & Zemel, NeurIPS 2017",
        config=".config:ProtoNetConfig",
        method=".method:FewShotMethod",
        needs="episodes",
        tasks=("train", "evaluate", "baselines"),
        checks=CHECKS,
        metrics=METRICS,
    ),
    MethodEntry(
        name="matching",
        summary="few-shot classification by attention to single images, a baseline",
        paper="Vinyals et al., NeurIPS 2016",
        config=".config:MatchingConfig",
        method=".method:FewShotMethod",
        needs="episodes",
        tasks=("train", "evaluate", "baselines"),
        checks=CHECKS,
        metrics=METRICS,
    ),
    MethodEntry(
        name="neighbours",
        summary="few-shot classification without training, a baseline",
        paper="Snell, Swersky & Zemel, NeurIPS 2017, table 2",
        config=".config:NeighboursConfig",
        method=".neighbours:NeighboursMethod",
        needs="episodes",
        metrics=METRICS,
    ),
)
