"""`run -m`: many runs from one command, in processes of their own, with a ledger of what became of them.

Nothing is imported here: the process that attends to a job imports this package, and is to start at once.
"""
