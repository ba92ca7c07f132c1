"""A small flow in the plane: affine couplings and flow batch normalisation."""

from runner.api import MethodEntry

METHODS = (
    MethodEntry(
        name="toy_flow",
        summary="affine couplings in the plane, with flow batch norm",
        paper="after Dinh, Sohl-Dickstein & Bengio, ICLR 2017",
        config=".config:FlowConfig",
        method=".method:FlowMethod",
        needs="points",
        checks={"log_det": ".checks:log_det"},
        metrics=("train/*", "validation/nats", "test/nats", "check/log_det_error"),
    ),
)
