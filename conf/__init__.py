"""What is run with which numbers: YAML only; this file makes the folder a package so that it is installed."""
