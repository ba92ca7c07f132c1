"""What makes a run the experiment that it is, known before it starts and without torch."""
