"""The side-by-side on a CPU: fastmlp, its peers, and the floor under all of them."""
