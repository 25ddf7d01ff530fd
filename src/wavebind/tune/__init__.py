"""A search for better settings on the validation split."""
