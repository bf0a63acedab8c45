"""The second door: AWS inside a test's process, on a clock that the test moves.

Here: `strict_mock_aws` and the patches of moto's in-process stubber that record, limit and fault each call.
A newcomer changes this room only when moto changes how `mock_aws` intercepts botocore.
"""
