"""A pedal's recording session: what is played into it, and what is made of what comes back."""
