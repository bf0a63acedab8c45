"""The stack of what watches one service: composes alarms and dashboard, beside the service's own stack.

For: changing an alarm without touching the group, and templates that fit into one call (docs/decisions/017).
Guarantees: it refers to the service's stack by names alone, never by exports: an export in use blocks changes of the
stack that has it. It comes after that stack in every deployment, and may be deleted and made again at any time.
Does not: hold anything that the service needs to run or to heal.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from bootstrap.base import names
from services.spec import ServiceFile
from stacks.alarms import Alarm, alarms_of, watchdog_alarms
from stacks.dashboard import body
from stacks.parts import read_parts
from stacks.storage.kinds import watch_storage
from stacks.watchdog import Watchdog


class WatchStack(cdk.Stack):
    """Stack `soloist-NAME-watch`, in the Region of the service."""

    def __init__(self, scope: Construct, *, service: ServiceFile) -> None:
        super().__init__(
            scope,
            names.watch_stack_name(service.name),
            env=cdk.Environment(region=service.region),
            description=f"soloist: alarms and dashboard of {service.name}",
            suppress_template_indentation=True,
            synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
        )
        cdk.Tags.of(self).add(names.SERVICE_TAG, service.name)
        self._service = service
        self._topic_arn = self.format_arn(service="sns", resource=service.stack_name)
        parts = read_parts(self, service.name)
        storage = watch_storage(service=service, file_system_id=parts["storage"])
        wanted = [*alarms_of(service), *storage.alarms]
        if service.watchdog.settings().enabled:
            Watchdog(self, "Watchdog", service=service, parts=parts)
            wanted += watchdog_alarms(service)
        alarms = [self._alarm(alarm) for alarm in wanted]
        dashboard = body(service, alarm_arns=[alarm.attr_arn for alarm in alarms], further=[storage.widgets])
        cloudwatch.CfnDashboard(
            self, "Dashboard", dashboard_name=service.stack_name, dashboard_body=self.to_json_string(dashboard)
        )

    def _alarm(self, alarm: Alarm) -> cloudwatch.CfnAlarm:
        return cloudwatch.CfnAlarm(
            self,
            "".join(word.capitalize() for word in alarm.name.split("-")),
            alarm_name=f"{self._service.stack_name}-{alarm.name}",
            alarm_description=alarm.says,
            namespace=alarm.namespace,
            metric_name=alarm.metric,
            dimensions=[
                cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in alarm.dimensions
            ],
            statistic=alarm.statistic,
            comparison_operator=alarm.comparison,
            threshold=alarm.threshold,
            period=alarm.period_s,
            evaluation_periods=alarm.periods,
            datapoints_to_alarm=alarm.to_alarm,
            treat_missing_data=alarm.missing,
            alarm_actions=[self._topic_arn],
            ok_actions=[self._topic_arn] if alarm.ends else None,
        )
