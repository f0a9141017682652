"""Networks that others trained, out of their files: a reader per format, a run folder as the result.

A run folder is what training makes, so this is where one is made from a file as well; all stages after it see no
difference.
"""
