"""One file per library: the forms in which it trains the network of a `Problem`."""
