"""What `doctor` looks at: the machine, what its user may do, and what is installed."""
