"""All rules, one file each."""

from __future__ import annotations

from typing import Final

from handrail.lint.rule import Rule
from handrail.lint.rules.application_import import ApplicationImport
from handrail.lint.rules.autostring import AutoStringInScript
from handrail.lint.rules.backfill_under_lock import BackfillUnderLock
from handrail.lint.rules.broken_history import BrokenHistory
from handrail.lint.rules.check_validated import CheckValidated
from handrail.lint.rules.check_violated import RowsAgainstCheck
from handrail.lint.rules.column_type_changed import ColumnTypeChanged
from handrail.lint.rules.concurrently_in_transaction import ConcurrentlyInTransaction
from handrail.lint.rules.domain_constraint import DomainConstraint
from handrail.lint.rules.drop_column import DropColumnLosesValues
from handrail.lint.rules.drop_table import DropTableLosesRows
from handrail.lint.rules.duplicates import DuplicatesBeforeUnique
from handrail.lint.rules.ends_transaction import EndsTransaction
from handrail.lint.rules.enum_default_unknown import EnumDefaultUnknown
from handrail.lint.rules.enum_not_created import EnumNotCreated
from handrail.lint.rules.enum_value_order import EnumValueOrder
from handrail.lint.rules.enum_value_used import EnumValueUsed
from handrail.lint.rules.exclusion_constraint import ExclusionConstraint
from handrail.lint.rules.foreign_key_validated import ForeignKeyValidated
from handrail.lint.rules.foreign_key_without_index import ForeignKeyWithoutIndex
from handrail.lint.rules.guarantee_dropped import GuaranteeDropped
from handrail.lint.rules.half_done import HalfDone
from handrail.lint.rules.index_dropped_not_concurrently import IndexDroppedNotConcurrently
from handrail.lint.rules.index_not_concurrent import IndexNotConcurrent
from handrail.lint.rules.json_not_jsonb import JsonNotJsonb
from handrail.lint.rules.locking_statement import LockingStatement
from handrail.lint.rules.long_name import LongName
from handrail.lint.rules.narrowed_type import NarrowedType
from handrail.lint.rules.new_cascade import NewCascade
from handrail.lint.rules.no_way_back import NoWayBack
from handrail.lint.rules.not_null_without_default import NotNullWithoutDefault
from handrail.lint.rules.nulls_before_not_null import NullsBeforeNotNull
from handrail.lint.rules.orphan_enum import OrphanEnum
from handrail.lint.rules.orphans import OrphansBeforeForeignKey
from handrail.lint.rules.partition_attached import PartitionAttached
from handrail.lint.rules.primary_key_added import PrimaryKeyAdded
from handrail.lint.rules.rename_as_drop import RenameAsDrop
from handrail.lint.rules.rename_breaks_code import RenameBreaksCode
from handrail.lint.rules.serial_column import SerialColumn
from handrail.lint.rules.set_not_null import SetNotNull
from handrail.lint.rules.several_heads import SeveralHeads
from handrail.lint.rules.several_passes import SeveralPasses
from handrail.lint.rules.sqlite_alter_outside_batch import SqliteAlterOutsideBatch
from handrail.lint.rules.sqlite_cast_changes_values import SqliteCastChangesValues
from handrail.lint.rules.sqlite_computed_default import SqliteComputedDefault
from handrail.lint.rules.sqlite_copy_loses_parts import SqliteCopyLosesParts
from handrail.lint.rules.sqlite_copy_of_a_parent import SqliteCopyOfAParent
from handrail.lint.rules.sqlite_copy_of_generated import SqliteCopyOfGenerated
from handrail.lint.rules.sqlite_copy_under_a_view import SqliteCopyUnderAView
from handrail.lint.rules.sqlite_drop_of_used_column import SqliteDropOfUsedColumn
from handrail.lint.rules.sqlite_leftover_copy import SqliteLeftoverCopy
from handrail.lint.rules.sqlite_several_copies import SqliteSeveralCopies
from handrail.lint.rules.stored_generated_column import StoredGeneratedColumn
from handrail.lint.rules.table_maintenance import TableMaintenance
from handrail.lint.rules.unique_constraint import UniqueConstraint
from handrail.lint.rules.unknown_revision import UnknownRevision
from handrail.lint.rules.unreadable_script import UnreadableScript
from handrail.lint.rules.unscoped_write import UnscopedWrite
from handrail.lint.rules.volatile_default import VolatileDefault
from handrail.lint.rules.work_under_a_lock import WorkUnderALock

RULES: Final[tuple[Rule, ...]] = (
    RenameBreaksCode(),
    GuaranteeDropped(),
    NotNullWithoutDefault(),
    VolatileDefault(),
    JsonNotJsonb(),
    DropColumnLosesValues(),
    DropTableLosesRows(),
    RenameAsDrop(),
    UnscopedWrite(),
    NewCascade(),
    EnumValueUsed(),
    EnumValueOrder(),
    OrphanEnum(),
    EnumNotCreated(),
    EnumDefaultUnknown(),
    IndexNotConcurrent(),
    SerialColumn(),
    StoredGeneratedColumn(),
    IndexDroppedNotConcurrently(),
    TableMaintenance(),
    SetNotNull(),
    ColumnTypeChanged(),
    ForeignKeyValidated(),
    CheckValidated(),
    UniqueConstraint(),
    PrimaryKeyAdded(),
    ExclusionConstraint(),
    WorkUnderALock(),
    SeveralPasses(),
    ForeignKeyWithoutIndex(),
    PartitionAttached(),
    LockingStatement(),
    DomainConstraint(),
    NullsBeforeNotNull(),
    DuplicatesBeforeUnique(),
    OrphansBeforeForeignKey(),
    RowsAgainstCheck(),
    NarrowedType(),
    SeveralHeads(),
    UnknownRevision(),
    UnreadableScript(),
    NoWayBack(),
    ApplicationImport(),
    AutoStringInScript(),
    LongName(),
    HalfDone(),
    BrokenHistory(),
    SqliteCopyOfAParent(),
    SqliteLeftoverCopy(),
    SqliteCopyLosesParts(),
    SqliteCopyUnderAView(),
    SqliteCopyOfGenerated(),
    SqliteCastChangesValues(),
    SqliteSeveralCopies(),
    SqliteAlterOutsideBatch(),
    SqliteComputedDefault(),
    SqliteDropOfUsedColumn(),
    ConcurrentlyInTransaction(),
    EndsTransaction(),
    BackfillUnderLock(),
)
