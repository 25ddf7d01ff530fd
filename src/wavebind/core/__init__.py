"""What every package needs, and nothing of DNA: errors, settings, files, devices, processes."""
