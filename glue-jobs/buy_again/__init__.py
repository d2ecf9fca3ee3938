"""What the buy-again jobs share: the one definition of the features."""
