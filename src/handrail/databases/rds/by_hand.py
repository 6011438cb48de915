"""How a snapshot is restored with AWS's own program: the lines of a recovery sheet.

Names and settings stand in no command: they are in the artifact, as the very parameters that AWS takes.
"""

from __future__ import annotations

from handrail.backups.record import BackupRecord
from handrail.backups.sheet import ByHand

_READ = "import json, sys; print(json.dumps(json.load(open(sys.argv[1]))[sys.argv[2]][sys.argv[3]]).strip('\"'))"
_AWS = "aws rds"
_NAME = '--db-instance-identifier "$TARGET"'


def by_hand(record: BackupRecord) -> ByHand:
    """A new instance with the settings that were saved, deletion protection last."""
    counted = record.fingerprint.without(record.changed_meanwhile).tables
    apart = ", ".join(str(table) for table in record.changed_meanwhile)
    told = (f"Others wrote to these tables meanwhile, so their numbers differ: {apart}.",) if apart else ()
    return ByHand(
        programs=(
            "aws (AWS's command line, any version), with credentials of the account that the snapshot is in",
            "python3, which reads the settings from the unpacked file",
        ),
        remarks=(
            "The data is in a snapshot that Amazon RDS keeps; the file tells which one, and how its instance was set.",
            "TARGET becomes the name of a new instance; it is paid for until it is deleted.",
            "It has the users and passwords of then. Compare it by psql with the numbers below.",
            *told,
        ),
        target="handrail-restored",
        restore=(
            f'read_it() {{ python3 -c \'{_quoted(_READ)}\' "$DUMP" "$1" "$2"; }}',
            "AWS_DEFAULT_REGION=$(read_it rds-snapshot region); export AWS_DEFAULT_REGION",
            'read_it aws restore > "$WORK/restore.json"',
            'read_it aws modify > "$WORK/modify.json"',
            f'{_AWS} restore-db-instance-from-db-snapshot --cli-input-json "file://$WORK/restore.json" {_NAME}',
            f"{_AWS} wait db-instance-available {_NAME}",
            f'{_AWS} modify-db-instance --cli-input-json "file://$WORK/modify.json" {_NAME}',
            f"{_AWS} wait db-instance-available {_NAME}",
            f"{_AWS} describe-db-instances {_NAME} --query 'DBInstances[0].Endpoint.[Address,Port]' --output text",
        ),
        ask="",
        queries=(),
        expected=(*(f"revision|{one}" for one in record.revisions), *(f"{one.table}|{one.rows}" for one in counted)),
    )


def _quoted(text: str) -> str:
    """Within single quotes of a shell."""
    return text.replace("'", "'\"'\"'")
