"""Route 53: change batches as documented."""
