"""CDK entry: one stack per service file.

    cdk synth                                     every file of services/
    cdk synth -c service=influxdb                 one of them
    cdk deploy -c service=influxdb -c ami=ami-... with another AMI
    cdk synth -c services_dir=PATH                files (or the one file) elsewhere

Needs no AWS account and looks nothing up. A wrong service file ends in exit code 3; every finding is printed.
"""

import os
import sys
from pathlib import Path

import stacks  # noqa: F401  first: finds Node for the CDK

# isort: split
import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from services.findings import ServiceFileError
from services.load import load_services
from stacks.service_stack import ServiceStack


def main() -> None:
    """Synthesize every stack asked for."""
    app = cdk.App(outdir=os.environ.get("CDK_OUTDIR", "cdk.out"))
    services_dir = app.node.try_get_context("services_dir") or Path(__file__).with_name("services")
    try:
        services = load_services(
            Path(services_dir),
            only=app.node.try_get_context("service") or "",
            ami=app.node.try_get_context("ami") or "",
        )
    except ServiceFileError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    for service in services:
        ServiceStack(app, service=service)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()


if __name__ == "__main__":
    main()
