"""A regression that goes wrong when asked to, for tests of what the runner does then."""

from runner.api import MethodEntry

METHODS = (
    MethodEntry(
        name="toy_faulty",
        summary="linear regression that goes wrong when asked to",
        paper="none",
        config=".config:FaultyConfig",
        method=".method:FaultyMethod",
        needs="points",
    ),
)
