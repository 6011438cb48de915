"""The guide's story through the command line, as tests that hold on either database (G2.2, G2.3, G3.2, G5.3, G6)."""

from __future__ import annotations

from support.story import FIRST, ROWS, SECOND, THIRD, Story

TOPICS = [(place, topic, description) for place, (topic, description, _) in enumerate(ROWS, 1)]


class Guided:
    """What must happen on either database; a subclass gives the `story` fixture, filled to the first revision."""

    def test_the_unsafe_script_is_refused_rehearsed_on_a_copy_and_never_applied(self, story: Story) -> None:
        refused = story.result("upgrade", "--yes", exits=3)["error"]
        assert (refused["code"], refused["exit_code"]) == ("HR300", 3)
        assert "bookings.attendance_status is NOT NULL without a server_default" in refused["why"]
        assert "server_default='SCHEDULED'" in refused["hint"]
        failed = story.result("upgrade", "--yes", "--no-lint", exits=6)["error"]
        assert failed["code"] == "HR601"
        assert (story.revision(), story.topics()) == (FIRST, TOPICS)

    def test_the_repaired_script_is_backed_up_rehearsed_applied_and_proven(self, story: Story) -> None:
        story.repaired()
        done = story.result("upgrade", "--yes")["result"]
        assert (done["start"], done["target"], done["warnings"]) == ([FIRST], [SECOND], [])
        assert done["rehearsal"]["downgrade_proven"] is True
        proofs = {
            proof["table"]["name"]: (proof["classification"], proof["method"]) for proof in done["proof"]["tables"]
        }
        assert proofs == {"bookings": ("changed as declared", "exact"), "users": ("unchanged", "exact")}
        assert story.query("SELECT id, topic, description, attendance_status FROM bookings ORDER BY id") == [
            (*row, "SCHEDULED") for row in TOPICS
        ]
        kept = story.result("backup", "list")["result"]["backups"]
        assert [backup["id"] for backup in kept] == [done["backup"]]
        assert kept[0]["verified_at"] is not None
        again = story.result("upgrade", "--yes")["result"]
        assert (again["run_id"], again["revisions"], again["target"]) == ("", [], [SECOND])
        back = story.result("downgrade", "-1", "--yes")["result"]
        assert (back["target"], story.revision(), story.topics()) == ([FIRST], FIRST, TOPICS)

    def test_what_no_script_declared_is_found_on_the_copy(self, story: Story) -> None:
        story.repaired()
        story.put("lossy_add_reminder.py")
        error = story.result("upgrade", "--yes", exits=6)["error"]
        assert error["code"] == "HR602"
        assert error["why"].startswith("bookings: changed though not declared (exact, 2 rows): values changed in")
        assert "# handrail: changes bookings.description" in error["hint"]
        assert (story.revision(), story.topics()) == (FIRST, TOPICS)
        script = story.folder / "alembic" / "versions" / "third.py"
        script.write_text(f"# handrail: changes bookings.description\n{script.read_text()}")
        assert story.result("upgrade", "--yes")["result"]["target"] == [THIRD]

    def test_an_application_that_is_not_well_brings_everything_back(self, story: Story) -> None:
        story.repaired()
        _unwell(story, 'restore = "auto"')
        error = story.result("upgrade", "--yes", exits=7)["error"]
        assert error["code"] == "HR701"
        assert "the downgrade that the rehearsal had proven was run; no write was lost" in error["why"]
        assert (story.revision(), story.topics()) == (FIRST, TOPICS)

    def test_without_a_downgrade_the_backup_is_restored_and_the_failed_one_kept(self, story: Story) -> None:
        story.repaired()
        _no_downgrade(story)
        _unwell(story, 'restore = "auto"')
        error = story.result("upgrade", "--yes", exits=7)["error"]
        assert "was restored; no table has gained or lost rows since; the failed database is" in error["why"]
        assert (story.revision(), story.topics()) == (FIRST, TOPICS)

    def test_a_withheld_restore_blocks_the_next_run_until_it_is_decided(self, story: Story) -> None:
        story.repaired()
        _no_downgrade(story)
        _unwell(story, 'restore = "never"')
        assert story.result("upgrade", "--yes", exits=8)["error"]["code"] == "HR801"
        assert story.revision() == SECOND
        assert story.result("downgrade", FIRST, "--yes", exits=11)["error"]["hint"] == "handrail recover"
        assert story.result("recover", exits=10)["error"]["exit_code"] == 10
        settled = story.result("recover", "--restore")["result"]["settled"]
        assert [item["result"] for item in settled] == ["restored"]
        assert (story.revision(), story.topics()) == (FIRST, TOPICS)
        assert story.result("recover")["result"]["settled"] == []

    def test_a_flipped_byte_in_the_backup_is_seen(self, story: Story) -> None:
        made = story.result("backup", "create")["result"]["id"]
        artifact = next((story.folder / ".handrail" / "store").rglob("artifact.zst"))
        data = bytearray(artifact.read_bytes())
        data[len(data) // 2] ^= 1
        artifact.write_bytes(data)
        error = story.result("backup", "verify", made, exits=5)["error"]
        assert error["code"] == "HR520"
        assert error["message"].endswith(f"{made}/artifact.zst is damaged")


def _unwell(story: Story, restore: str) -> None:
    config = story.folder / "pyproject.toml"
    health = f'{restore}\nhealth = {{command = "false", timeout = "0.1s"}}'
    config.write_text(config.read_text().replace('restore = "auto"', health))


def _no_downgrade(story: Story) -> None:
    script = next((story.folder / "alembic" / "versions").glob("8c2d*.py"))
    head, _, _ = script.read_text().partition("def downgrade")
    script.write_text(f"{head}def downgrade() -> None:\n    pass\n")
