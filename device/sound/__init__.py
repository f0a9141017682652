"""What stands around a model in a preset: noise gate, tone stack, loudspeaker."""
