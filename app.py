"""CDK entry: two stacks per service file, the service's own and what watches it.

    cdk synth                                           every file of services/
    cdk synth -c service=influxdb                       one of them
    cdk deploy --all -c service=influxdb -c ami=ami-... with another AMI
    cdk synth -c services_dir=PATH                      files (or the one file) elsewhere

Needs no AWS account and looks nothing up. A wrong service file ends in exit code 3; every finding is printed. The CDK
CLI ends with 1 all the same, so the code is also left in the file that SOLOIST_EXIT_CODE_FILE names (tools/cdk.py).
"""

import os
import sys
from pathlib import Path

# isort: off
try:
    import stacks  # noqa: F401  first: finds Node for the CDK
    import aws_cdk as cdk
    from cdk_nag import AwsSolutionsChecks
    from services.exposure import warnings
    from services.findings import ServiceFileError
    from services.load import load_services
    from stacks.service_stack import ServiceStack
    from stacks.watch_stack import WatchStack
except ModuleNotFoundError as error:
    print(f"app.py: {error.name} is not installed here: run `make prepare`, then `./cdk synth`", file=sys.stderr)
    sys.exit(4)
# isort: on

LARGEST_BODY_BYTES = 51_200  # of a template within a call (CloudFormation user guide, quotas)


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
        leave_exit_code(error.exit_code)
        sys.exit(error.exit_code)
    for service in services:
        for warning in warnings(service):
            print(f"{service.name}: warning: {warning}", file=sys.stderr)
        watched = ServiceStack(app, service=service)
        WatchStack(app, service=service).add_stack_dependency(watched)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    for stack in app.synth().stacks:
        size_bytes = Path(stack.template_full_path).stat().st_size
        if size_bytes > LARGEST_BODY_BYTES:
            print(
                f"{stack.stack_name}: warning: the template has {size_bytes} bytes, and a call takes "
                f"{LARGEST_BODY_BYTES}. `./cdk deploy` sends it through the bucket of `cdk bootstrap`; for other "
                "tools, list fewer ports, directories or zones",
                file=sys.stderr,
            )


def leave_exit_code(code: int) -> None:
    """For whoever started the CDK CLI."""
    if path := os.environ.get("SOLOIST_EXIT_CODE_FILE"):
        Path(path).write_text(str(code), encoding="utf-8")


if __name__ == "__main__":
    main()
