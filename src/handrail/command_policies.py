"""The rights that handrail's commands need on RDS, as a CloudFormation template of managed policies.

One policy for each group of commands, so that a pipeline gets those of the snapshot and nobody's pipeline those of the
switch. Tags bound them: what is made must carry handrail's tag, and only what carries it is changed or deleted.
"""

from __future__ import annotations

from typing import Final

from handrail.pages import page

#: What the laboratory is asked for by each policy's commands; tagging is part of making something with tags.
RIGHTS: Final = {
    "Look": frozenset(
        {
            "rds:DescribeDBInstances",
            "rds:DescribeDBInstanceAutomatedBackups",
            "rds:DescribeDBSnapshots",
            "rds:DescribeAccountAttributes",
            "rds:DescribeExportTasks",
        }
    ),
    "TakeSnapshots": frozenset({"rds:CreateDBSnapshot", "rds:AddTagsToResource"}),
    "PruneSnapshots": frozenset({"rds:DeleteDBSnapshot", "rds:AddTagsToResource", "rds:RemoveTagsFromResource"}),
    "Restore": frozenset(
        {
            "rds:RestoreDBInstanceFromDBSnapshot",
            "rds:RestoreDBInstanceToPointInTime",
            "rds:AddTagsToResource",
            "rds:ModifyDBInstance",
            "rds:DeleteDBInstance",
        }
    ),
    "ChangeInstance": frozenset({"rds:ModifyDBInstance"}),
    "Export": frozenset({"rds:StartExportTask"}),
}


def policies(instance: str) -> str:
    """The template as YAML; `instance` is the default of its parameter, "" for none."""
    template = _TEMPLATE.replace("<<PAGE>>", page("lambda"))
    return template.replace("<<INSTANCE>>", f"\n    Default: {instance}" if instance else "")


_TEMPLATE: Final = """\
# Written by `handrail init --aws --policies`; it is yours now. Which command needs what: <<PAGE>>
AWSTemplateFormatVersion: "2010-09-09"
Description: The rights that handrail's commands need on RDS, one policy for each group of commands.

Parameters:
  Instance:
    Type: String<<INSTANCE>>
    AllowedPattern: ^[a-z][a-z0-9-]*$
    Description: The instance that handrail looks after.
  ExportRole:
    Type: String
    Default: ""
    Description: The ARN of the role that RDS exports with; without it there is no policy for exports.
  ExportKey:
    Type: String
    Default: ""
    Description: The ARN of the key that exports are encrypted with.

Conditions:
  Exports: !And
    - !Not [!Equals [!Ref ExportRole, ""]]
    - !Not [!Equals [!Ref ExportKey, ""]]

Resources:
  # Every command, doctor and cost; nothing is changed by it.
  Look:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action:
              - rds:DescribeDBInstances
              - rds:DescribeDBInstanceAutomatedBackups
              - rds:DescribeDBSnapshots
              - rds:DescribeAccountAttributes
              - rds:DescribeExportTasks
            Resource: "*"
          # By it doctor tells which rights are missing; without it, that it cannot tell.
          - Effect: Allow
            Action: iam:SimulatePrincipalPolicy
            Resource:
              - !Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:role/*
              - !Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:user/*

  # upgrade, deploy, backup create, rds snapshot
  TakeSnapshots:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: rds:CreateDBSnapshot
            Resource:
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:db:${Instance}
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:snapshot:*
            Condition:
              StringEquals:
                "aws:RequestTag/handrail:managed": "true"
          - Effect: Allow
            Action: rds:AddTagsToResource
            Resource: !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:snapshot:*
            Condition:
              StringEquals:
                "aws:RequestTag/handrail:managed": "true"
              ForAllValues:StringLike:
                aws:TagKeys: handrail:*

  # backup prune
  PruneSnapshots:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: rds:DeleteDBSnapshot
            Resource: !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:snapshot:*
            Condition:
              StringEquals:
                "aws:ResourceTag/handrail:managed": "true"
          - Effect: Allow
            Action:
              - rds:AddTagsToResource
              - rds:RemoveTagsFromResource
            Resource: !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:snapshot:*
            Condition:
              StringEquals:
                "aws:ResourceTag/handrail:managed": "true"
              ForAllValues:StringLike:
                aws:TagKeys: handrail:*

  # rds restore, rds pitr, backup restore, drill and rehearse on an instance: new instances; only temporary ones go
  Restore:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action:
              - rds:RestoreDBInstanceFromDBSnapshot
              - rds:RestoreDBInstanceToPointInTime
            Resource:
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:db:*
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:auto-backup:*
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:snapshot:*
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:pg:*
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:og:*
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:subgrp:*
            Condition:
              StringEquals:
                "aws:RequestTag/handrail:managed": "true"
          - Effect: Allow
            Action: rds:AddTagsToResource
            Resource: !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:db:${Instance}-*
            Condition:
              StringEquals:
                "aws:RequestTag/handrail:managed": "true"
          - Effect: Allow
            Action: rds:ModifyDBInstance
            Resource:
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:db:${Instance}-*
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:pg:*
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:og:*
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:secgrp:*
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:subgrp:*
          - Effect: Allow
            Action: rds:DeleteDBInstance
            Resource: !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:db:${Instance}-*
            Condition:
              StringEquals:
                "aws:ResourceTag/handrail:temporary": "true"

  # rds switch, rds automated: for people, in a role of its own
  ChangeInstance:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: rds:ModifyDBInstance
            Resource:
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:db:${Instance}
              - !Sub arn:${AWS::Partition}:rds:${AWS::Region}:${AWS::AccountId}:db:${Instance}-*

  # rds export
  Export:
    Type: AWS::IAM::ManagedPolicy
    Condition: Exports
    Properties:
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: rds:StartExportTask
            Resource: "*"
          - Effect: Allow
            Action: iam:PassRole
            Resource: !Ref ExportRole
            Condition:
              StringEquals:
                iam:PassedToService: export.rds.amazonaws.com
          - Effect: Allow
            Action:
              - kms:CreateGrant
              - kms:DescribeKey
            Resource: !Ref ExportKey

Outputs:
  Look:
    Value: !Ref Look
  TakeSnapshots:
    Value: !Ref TakeSnapshots
  PruneSnapshots:
    Value: !Ref PruneSnapshots
  Restore:
    Value: !Ref Restore
  ChangeInstance:
    Value: !Ref ChangeInstance
  Export:
    Condition: Exports
    Value: !Ref Export
"""
