"""How good scores are, with intervals, and how probabilities are made of them."""
