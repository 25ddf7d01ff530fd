"""wavebind: transcription factor binding sites from wavelet scalograms of DNA."""
