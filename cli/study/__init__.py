"""The 2022 study of Arvid Falch run again: frame LSTMs by its protocol, beside networks that stream."""
