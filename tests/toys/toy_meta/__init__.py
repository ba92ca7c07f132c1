"""A small implicit meta-learner."""

from runner.api import MethodEntry

METHODS = (
    MethodEntry(
        name="toy_meta",
        summary="implicit meta-gradients by conjugate gradients, over vmapped tasks",
        paper="after Rajeswaran et al., NeurIPS 2019",
        config=".config:MetaConfig",
        method=".method:MetaMethod",
        needs="sines",
    ),
)
