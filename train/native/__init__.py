"""The training kernel in C, and what compiles and calls it."""
