"""Real NVP (Dinh, Sohl-Dickstein and Bengio, Density estimation using Real NVP, ICLR 2017)."""

from runner.api import MethodEntry

METHODS = (
    MethodEntry(
        name="realnvp",
        summary="Real NVP: exact likelihood of images by invertible affine couplings",
        paper="Dinh, Sohl-Dickstein & Bengio, ICLR 2017",
        config=".config:RealNVPConfig",
        method=".method:RealNVPMethod",
        needs="images",
        tasks=("train", "evaluate", "sample"),
        checks={
            name: f".checks:{name}"
            for name in ("log_det", "inverse", "blind", "arbitrary_networks", "changed", "halves")
        },
    ),
)
