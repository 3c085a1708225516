"""HTML and figures: draws what the other rooms return, computes nothing."""
