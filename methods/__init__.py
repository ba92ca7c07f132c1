"""What is run: one folder per paper, and `common` for what two papers truly share."""
