"""The operator's side: promote a staged version, end the instance, go back."""
