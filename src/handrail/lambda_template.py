"""The CloudFormation template that runs the clean-up function: its clock, its role, and who hears when it fails.

It is plain CloudFormation, so that cfn-lint reads every action and number in it. `<<TOKENS>>` are replaced by what the
configuration says; all of it can be changed at each deployment by parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from handrail.lambda_package import HANDLER
from handrail.pages import page
from handrail.retention.cleaning import BEFORE_A_MIGRATION, CAP, MONTHLY, WEEKLY
from handrail.retention.policy import FOREVER

#: The rights in the role that are about RDS.
ACTIONS: Final = (
    "rds:DescribeDBSnapshots",
    "rds:DescribeExportTasks",
    "rds:DeleteDBSnapshot",
    "rds:AddTagsToResource",
)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the parameters are unless a deployment says otherwise. `code_key` is where the zip is expected in the bucket
    that the deployment names."""

    code_key: str
    instances: str = ""
    weekly: timedelta = WEEKLY
    monthly: timedelta = MONTHLY
    yearly: timedelta = FOREVER
    pre_migration: timedelta = BEFORE_A_MIGRATION
    zone: str = "UTC"
    cap: int = CAP


def template(defaults: Defaults) -> str:
    """The template as YAML."""
    values = {
        "CODE_KEY": defaults.code_key,
        "INSTANCES": f"\n    Default: {defaults.instances}" if defaults.instances else "",
        "WEEKLY": _age(defaults.weekly),
        "MONTHLY": _age(defaults.monthly),
        "YEARLY": _age(defaults.yearly),
        "PRE_MIGRATION": _age(defaults.pre_migration),
        "ZONE": defaults.zone,
        "CAP": str(defaults.cap),
        "HANDLER": HANDLER,
        "PAGE": page("lambda"),
    }
    text = _TEMPLATE
    for name, value in values.items():
        text = text.replace(f"<<{name}>>", value)
    return text


def _age(time: timedelta) -> str:
    """As the function's variables are written: "30d", "36h", "forever"."""
    if time == FOREVER:
        return "forever"
    hours = round(time / timedelta(hours=1))
    return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"


_TEMPLATE: Final = """\
# Written by `handrail init --aws`; it is yours now. What it does and needs: <<PAGE>>
AWSTemplateFormatVersion: "2010-09-09"
Description: Cleans RDS snapshots up by handrail's policy. It deletes only what is tagged as managed by handrail.

Parameters:
  CodeBucket:
    Type: String
    Description: The bucket, in this region, that the zip of `handrail lambda package` was copied to.
  CodeKey:
    Type: String
    Default: <<CODE_KEY>>
    Description: The zip's key there. Another zip needs another key, else nobody sees that it changed.
  Instances:
    Type: String<<INSTANCES>>
    AllowedPattern: ^(\\*|[A-Za-z][A-Za-z0-9-]*([ ,]+[A-Za-z][A-Za-z0-9-]*)*)$
    Description: The instances whose snapshots are looked after, by comma; * for all of the region.
  Apply:
    Type: String
    Default: "false"
    AllowedValues: ["true", "false"]
    Description: Whether snapshots are deleted. Else the function only tells what it would do.
  AdoptNamed:
    Type: String
    Default: "false"
    AllowedValues: ["true", "false"]
    Description: Whether snapshots called weekly-, monthly-, yearly- or before-migration- get the tags that this means.
  Cap:
    Type: Number
    Default: <<CAP>>
    MinValue: 0
    MaxValue: 1000
    Description: How many snapshots one run deletes or tags.
  Weekly:
    Type: String
    Default: <<WEEKLY>>
    AllowedPattern: ^([0-9]{1,6}[hdwy]|forever)$
  Monthly:
    Type: String
    Default: <<MONTHLY>>
    AllowedPattern: ^([0-9]{1,6}[hdwy]|forever)$
  Yearly:
    Type: String
    Default: <<YEARLY>>
    AllowedPattern: ^([0-9]{1,6}[hdwy]|forever)$
    Description: What it lets go is marked to be archived, never deleted.
  PreMigration:
    Type: String
    Default: <<PRE_MIGRATION>>
    AllowedPattern: ^([0-9]{1,6}[hdwy]|forever)$
  Schedule:
    Type: String
    Default: cron(0 5 * * ? *)
    Description: When it runs, as EventBridge Scheduler writes it.
  TimeZone:
    Type: String
    Default: <<ZONE>>
  FlexibleMinutes:
    Type: Number
    Default: 60
    MinValue: 1
    MaxValue: 1440
    Description: By how much AWS may be late.
  LogDays:
    Type: Number
    Default: 90
    AllowedValues: [7, 14, 30, 60, 90, 180, 365, 731]
  AlarmTopic:
    Type: String
    Default: ""
    Description: The ARN of an SNS topic that alarms are sent to; without one they are only seen in CloudWatch.
  Reserve:
    Type: String
    Default: "true"
    AllowedValues: ["true", "false"]
    Description: One run at a time. AWS refuses that to new accounts, which may run ten at once; "false" does no harm.

Conditions:
  Adopts: !Equals [!Ref AdoptNamed, "true"]
  Reserves: !Equals [!Ref Reserve, "true"]
  HasTopic: !Not [!Equals [!Ref AlarmTopic, ""]]

Resources:
  Log:
    Type: AWS::Logs::LogGroup
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties:
      LogGroupName: !Sub /handrail/${AWS::StackName}
      RetentionInDays: !Ref LogDays

  # What could not be run, or failed twice, with the error.
  DeadLetters:
    Type: AWS::SQS::Queue
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties:
      MessageRetentionPeriod: 1209600
      SqsManagedSseEnabled: true

  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal:
              Service: lambda.amazonaws.com
            Action: sts:AssumeRole
      Policies:
        - PolicyName: clean-snapshots
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Action:
                  - rds:DescribeDBSnapshots
                  - rds:DescribeExportTasks
                Resource: "*"
              - Effect: Allow
                Action: rds:DeleteDBSnapshot
                Resource: !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:snapshot:*
                Condition:
                  StringEquals:
                    "aws:ResourceTag/handrail:managed": "true"
              - Effect: Allow
                Action: rds:AddTagsToResource
                Resource: !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:snapshot:*
                Condition:
                  StringEquals:
                    "aws:ResourceTag/handrail:managed": "true"
                  ForAllValues:StringLike:
                    aws:TagKeys: handrail:*
              - Effect: Allow
                Action:
                  - logs:CreateLogStream
                  - logs:PutLogEvents
                Resource: !GetAtt Log.Arn
              - Effect: Allow
                Action: sqs:SendMessage
                Resource: !GetAtt DeadLetters.Arn

  AdoptByName:
    Type: AWS::IAM::Policy
    Condition: Adopts
    Properties:
      PolicyName: adopt-by-name
      Roles: [!Ref Role]
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: rds:AddTagsToResource
            Resource:
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:snapshot:weekly-*
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:snapshot:monthly-*
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:snapshot:yearly-*
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:snapshot:before-migration-*
            Condition:
              ForAllValues:StringLike:
                aws:TagKeys: handrail:*

  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Ref AWS::StackName
      Description: Cleans RDS snapshots up by handrail's policy.
      Runtime: python3.13
      Handler: <<HANDLER>>
      Code:
        S3Bucket: !Ref CodeBucket
        S3Key: !Ref CodeKey
      Role: !GetAtt Role.Arn
      Timeout: 600
      MemorySize: 256
      ReservedConcurrentExecutions: !If [Reserves, 1, !Ref AWS::NoValue]
      LoggingConfig:
        LogGroup: !Ref Log
        LogFormat: JSON
      Environment:
        Variables:
          HANDRAIL_INSTANCES: !Ref Instances
          HANDRAIL_APPLY: !Ref Apply
          HANDRAIL_ADOPT_NAMED: !Ref AdoptNamed
          HANDRAIL_CAP: !Sub ${Cap}
          HANDRAIL_WEEKLY: !Ref Weekly
          HANDRAIL_MONTHLY: !Ref Monthly
          HANDRAIL_YEARLY: !Ref Yearly
          HANDRAIL_PRE_MIGRATION: !Ref PreMigration

  Retries:
    Type: AWS::Lambda::EventInvokeConfig
    Properties:
      FunctionName: !Ref Function
      Qualifier: $LATEST
      MaximumRetryAttempts: 1
      MaximumEventAgeInSeconds: 21600
      DestinationConfig:
        OnFailure:
          Destination: !GetAtt DeadLetters.Arn

  ClockRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal:
              Service: scheduler.amazonaws.com
            Action: sts:AssumeRole
            Condition:
              StringEquals:
                aws:SourceAccount: !Ref AWS::AccountId
      Policies:
        - PolicyName: run-the-function
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Effect: Allow
                Action: lambda:InvokeFunction
                Resource: !GetAtt Function.Arn
              - Effect: Allow
                Action: sqs:SendMessage
                Resource: !GetAtt DeadLetters.Arn

  Clock:
    Type: AWS::Scheduler::Schedule
    Properties:
      Description: Runs the clean-up of RDS snapshots.
      ScheduleExpression: !Ref Schedule
      ScheduleExpressionTimezone: !Ref TimeZone
      FlexibleTimeWindow:
        Mode: FLEXIBLE
        MaximumWindowInMinutes: !Ref FlexibleMinutes
      Target:
        Arn: !GetAtt Function.Arn
        RoleArn: !GetAtt ClockRole.Arn
        Input: "{}"
        RetryPolicy:
          MaximumRetryAttempts: 5
          MaximumEventAgeInSeconds: 21600
        DeadLetterConfig:
          Arn: !GetAtt DeadLetters.Arn

  Failed:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmDescription: The clean-up of RDS snapshots failed, or could not do everything. Its log says what and why.
      Namespace: AWS/Lambda
      MetricName: Errors
      Dimensions:
        - Name: FunctionName
          Value: !Ref Function
      Statistic: Sum
      Period: 300
      EvaluationPeriods: 1
      Threshold: 1
      ComparisonOperator: GreaterThanOrEqualToThreshold
      TreatMissingData: notBreaching
      AlarmActions: !If [HasTopic, [!Ref AlarmTopic], !Ref AWS::NoValue]

  NotRun:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmDescription: A clean-up of RDS snapshots could not be run, or failed twice. The queue holds why.
      Namespace: AWS/SQS
      MetricName: ApproximateNumberOfMessagesVisible
      Dimensions:
        - Name: QueueName
          Value: !GetAtt DeadLetters.QueueName
      Statistic: Maximum
      Period: 300
      EvaluationPeriods: 1
      Threshold: 1
      ComparisonOperator: GreaterThanOrEqualToThreshold
      TreatMissingData: notBreaching
      AlarmActions: !If [HasTopic, [!Ref AlarmTopic], !Ref AWS::NoValue]

Outputs:
  Function:
    Value: !Ref Function
  Log:
    Value: !Ref Log
  DeadLetters:
    Value: !Ref DeadLetters
"""
