"""What happens around the steps of `fit`, whatever is trained."""
