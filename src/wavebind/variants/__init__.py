"""What variants do to binding."""
