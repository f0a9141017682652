"""What is wrong with a dry and a wet recording, found before anybody trains on them."""
