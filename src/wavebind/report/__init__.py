"""Everything drawn, and everything written as HTML."""
