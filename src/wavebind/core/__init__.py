"""What every package needs and knows nothing of DNA: errors, settings, files, devices, processes."""
