"""Letters of fifteen scripts in the DejaVu faces, an embedded data set for few-shot learning."""
