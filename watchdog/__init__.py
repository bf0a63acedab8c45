"""The watchdog: looks at the instance from outside, has one replaced that is dead, and goes back from a bad image.

It runs as two Lambda functions. `look` runs in the VPC, asks the instance's state port and can reach no AWS API; so the
VPC needs neither NAT nor endpoints for it. `watch` runs outside of it, once a minute for most of the minute, and
decides. What lives here: `rules` (is this instance dead?), `breaker` (is this image bad?) and `memory` (what the next
run must know) are pure; `aws` is the adapter; `watch` and `look` are the entry points.
It may import the standard library, boto3, and of the agent `bootstrap.base.names` and `bootstrap.tell.message`, because
each function is one source text (stacks.inline_source puts it together) that ships within the template.
A newcomer changes `rules` for another sign of death, and `aws` for where it is read.
"""
