"""The front door: the only place that composes stages. Every command imports what it needs when it is called."""
