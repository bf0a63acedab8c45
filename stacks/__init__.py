"""The CDK constructs by what they are, and the one stack that composes them."""
