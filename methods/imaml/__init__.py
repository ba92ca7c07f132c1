"""Meta-learning with implicit gradients (Rajeswaran, Finn, Kakade and Levine, NeurIPS 2019), and the methods
that it is judged against."""

from runner.api import MethodEntry

METRICS = (
    *(
        f"{part}/{name}"
        for part in ("validation", "test")
        for name in ("loss*", "accuracy*", "before_*", "gain*")
    ),
    "train/*",
    "check/*",
)


COSTS = ("memory", "cost", "task_cost")
IDENTITIES = ("solvers", "jacobian", "hessian_cost", "cg_error")


def _entry(
    name: str, summary: str, paper: str, config: str, method: str, checks: tuple[str, ...] = COSTS
) -> MethodEntry:
    return MethodEntry(
        name=name, summary=summary, paper=paper, config=f".config:{config}", method=f".method:{method}",
        needs="tasks", metrics=METRICS, checks={one: f".checks:{one}" for one in checks},
    )  # fmt: skip


METHODS = (
    _entry(
        "imaml", "learns where to start from, by the implicit gradient of what tasks are adapted to",
        "Rajeswaran et al., NeurIPS 2019", "ImamlConfig", "ImamlMethod", (*COSTS, *IDENTITIES),
    ),
    _entry(
        "maml", "learns where to start from, through the steps of adaptation", "Finn et al., ICML 2017",
        "MamlConfig", "MamlMethod",
    ),
    _entry(
        "fomaml", "MAML without second derivatives", "Finn et al., ICML 2017", "FomamlConfig", "FomamlMethod",
    ),
    _entry(
        "reptile", "learns where to start from, by going towards where tasks are adapted to",
        "Nichol et al., 2018", "ReptileConfig", "ReptileMethod",
    ),
    _entry(
        "anil", "MAML in which only the last layer adapts", "Raghu et al., ICLR 2020", "AnilConfig",
        "AnilMethod",
    ),
)  # fmt: skip
