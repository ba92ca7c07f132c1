"""A small recurrent captioner that asks another method for features of the images."""

from runner.api import MethodEntry

METHODS = (
    MethodEntry(
        name="toy_captioner",
        summary="spells the name of a digit from features that another method makes",
        paper="after Vinyals et al., CVPR 2015",
        config=".config:CaptionerConfig",
        method=".method:CaptionerMethod",
        needs="images",
    ),
)
