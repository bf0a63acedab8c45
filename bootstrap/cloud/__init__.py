"""AWS as the agent sees it: metadata service, EC2, Auto Scaling, Route 53, parameters, topic.

Imports: base, boto3 and requests. One module per AWS service; each call is bounded and raises CloudError.
A newcomer comes here to add an AWS call. Decisions and loops live in the rooms above.
"""
