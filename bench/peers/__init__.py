"""fastmlp beside its peers: the same training, in turns, verified, and never tuned down."""
