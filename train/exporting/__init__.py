"""Networks of ours as files that others play: a writer per format, and one refusal of what a format cannot say."""
