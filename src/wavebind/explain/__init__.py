"""Where the evidence for binding lies, and what a network has learnt."""
