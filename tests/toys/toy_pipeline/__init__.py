"""Four stages: pre-train, fine-tune, cache features, fit linear SVMs on them."""

from runner.api import MethodEntry

METHODS = (
    MethodEntry(
        name="toy_pipeline",
        summary="pre-train, fine-tune, cache features, fit linear SVMs",
        paper="after Girshick et al., CVPR 2014",
        config=".config:PipelineConfig",
        method=".method:PipelineMethod",
        needs="images",
        provides={"region_features": "features"},
    ),
)
