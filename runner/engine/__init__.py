"""The one loop and what belongs to it: seeds, batches, updates, evaluation, checkpoints, artifacts, the journal."""
