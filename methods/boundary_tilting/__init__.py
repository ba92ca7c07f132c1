"""Boundary tilting (Tanay and Griffin, A Boundary Tilting Perspective on the Phenomenon of Adversarial
Examples, 2016)."""

from runner.api import MethodEntry

METRICS = (*(f"{part}/*" for part in ("train", "validation", "test")), "check/*")

METHODS = (
    MethodEntry(
        name="boundary_tilting",
        summary="adversarial examples of linear classifiers, exactly: how far their boundary is tilted",
        paper="Tanay & Griffin, 2016",
        config=".config:TiltingConfig",
        method=".method:BoundaryTiltingMethod",
        needs="images",
        metrics=METRICS,
    ),
)
