"""The verbs besides running: each module has `main(words) -> exit code`."""
