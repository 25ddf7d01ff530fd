"""The published route: networks on images of scalograms, with published weights."""
