"""The texts of GitHub's workflow files; `<<TOKENS>>` are replaced by `pipelines.github`, `${{ }}` are GitHub's.

What a person or a pull request can set comes into a command by its environment only, never by its text.
"""

from __future__ import annotations

from typing import Final

from handrail.pages import page

_HEAD: Final = f"""\
# Written by `handrail init --github`; it is yours now. What it does and needs: {page("deploy")}
"""

SETUP: Final = """\
- uses: <<CHECKOUT>>
  with:
    persist-credentials: false
- uses: <<SETUP_PYTHON>>
  with:
    python-version: "<<PYTHON>>"
- name: Install the project and handrail
  run: python -m pip install <<INSTALL>> "handrail[<<EXTRA>>]"
"""

#: Its session ends after an hour unless the role allows more (and the variable asks for it).
AWS: Final = """\
- uses: <<AWS_CREDENTIALS>>
  with:
    role-to-assume: <<ROLE>>
    aws-region: <<REGION>>
    role-duration-seconds: ${{ vars.HANDRAIL_ROLE_SECONDS || 3600 }}
"""

REVIEW: Final = (
    _HEAD
    + """\
name: handrail review

on:
  pull_request:

permissions: {}

concurrency:
  group: handrail-review-${{ github.ref }}
  cancel-in-progress: true

defaults:
  run:
    working-directory: <<FOLDER>>

jobs:
  lint:
    name: Review migration scripts
    runs-on: ubuntu-latest
    timeout-minutes: 10
    permissions:
      contents: read
      security-events: write # to show findings beside the lines
    steps:
      - uses: <<CHECKOUT>>
        with:
          fetch-depth: 0 # what has changed is told by the history
          persist-credentials: false
      - uses: <<SETUP_PYTHON>>
        with:
          python-version: "<<PYTHON>>"
      - name: Install handrail alone, as scripts are read and not run
        run: python -m pip install "handrail[<<EXTRA>>]"
      - name: Review the scripts that are new or changed
        env:
          BASE: ${{ github.event.pull_request.base.sha }}
        run: handrail lint --env <<ENVIRONMENT>> --base "$BASE" --format sarif > handrail.sarif
      - name: Show the findings
        # A pull request from a fork may not write them; its log has them all the same.
        if: ${{ !cancelled() && github.event.pull_request.head.repo.full_name == github.repository }}
        uses: <<UPLOAD_SARIF>>
        with:
          sarif_file: <<SARIF>>
          category: handrail
"""
)

DEPLOY: Final = (
    _HEAD
    + """\
name: handrail deploy

on:
  push:
    branches: [<<BRANCH>>]
  workflow_dispatch:

permissions: {}

# One at a time for this database, and none is cancelled half way; the newest push waits.
concurrency:
  group: handrail-database-<<ENVIRONMENT>>
  cancel-in-progress: false

defaults:
  run:
    working-directory: <<FOLDER>>

jobs:
  plan:
    name: Look what is pending
    # The database has to be reachable: a runner inside its network, named by this variable.
    runs-on: ${{ vars.HANDRAIL_RUNNER || 'ubuntu-latest' }}
    timeout-minutes: 15
    environment: <<PLAN_ENVIRONMENT>>
    permissions:
      contents: read
      <<ID_TOKEN>>
    outputs:
      pending: ${{ steps.plan.outputs.pending }}
    steps:
      <<SETUP>>
      <<AWS>>
      - name: Plan
        id: plan
        env:
          <<SECRETS>>
        run: |
          set -euo pipefail
          handrail plan --env <<ENVIRONMENT>> --json > plan.json
          handrail plan --env <<ENVIRONMENT>> --no-sql | sed 's/^/    /' >> "$GITHUB_STEP_SUMMARY"
          python - <<'READ' >> "$GITHUB_OUTPUT"
          import json, sys
          result = json.load(open("plan.json"))["result"]
          if result["refused"]:
              sys.exit("handrail refuses the pending scripts: " + "; ".join(result["refused"]))
          print("pending=" + str(bool(result["revisions"])).lower())
          READ
"""
)

SNAPSHOT: Final = """\

  # The deployment takes a snapshot of its own, at the very moment. This one is taken before anybody is asked to
  # approve; snapshots are incremental, so it makes the other one short.
  snapshot:
    name: Take a snapshot
    needs: plan
    if: ${{ needs.plan.outputs.pending == 'true' }}
    runs-on: ${{ vars.HANDRAIL_RUNNER || 'ubuntu-latest' }}
    timeout-minutes: 15
    environment: <<PLAN_ENVIRONMENT>>
    permissions:
      contents: read
      <<ID_TOKEN>>
    outputs:
      name: ${{ steps.take.outputs.name }}
    steps:
      <<SETUP>>
      <<AWS>>
      - name: Take it
        id: take
        env:
          <<SECRETS>>
        run: |
          set -euo pipefail
          name="before-deploy-$GITHUB_RUN_ID-$GITHUB_RUN_ATTEMPT"
          handrail rds snapshot --env <<ENVIRONMENT>> --name "$name" --tier pre-migration --no-wait
          echo "name=$name" >> "$GITHUB_OUTPUT"

  # A job of its own: it may last as long as its credentials, and when it does not suffice, "Re-run failed jobs" goes on
  # waiting with fresh ones.
  wait:
    name: Wait for the snapshot
    needs: snapshot
    runs-on: ${{ vars.HANDRAIL_RUNNER || 'ubuntu-latest' }}
    timeout-minutes: 60
    environment: <<PLAN_ENVIRONMENT>>
    permissions:
      contents: read
      <<ID_TOKEN>>
    steps:
      <<SETUP>>
      <<AWS>>
      - name: Wait
        env:
          SNAPSHOT: ${{ needs.snapshot.outputs.name }}
          <<SECRETS>>
        run: handrail rds wait "$SNAPSHOT" --env <<ENVIRONMENT>> --deadline 50min
"""

_DEPLOY_JOB: Final = """\
    runs-on: ${{ vars.HANDRAIL_RUNNER || 'ubuntu-latest' }}
    timeout-minutes: 120
    environment: <<CHANGE_ENVIRONMENT>> # its reviewers approve here
    permissions:
      contents: read
      <<ID_TOKEN>>
    steps:
      <<SETUP>>
      <<AWS>>
      # No --yes: where the policy says `ask`, nothing is restored over the live database by a machine.
      - name: Backup, code, upgrade, restart, health; brought back on trouble
        env:
          <<SECRETS>>
        run: handrail deploy --env <<ENVIRONMENT>>
      - name: Keep the journal, as `handrail recover` needs it when this runner is gone
        if: ${{ failure() || cancelled() }}
        uses: <<UPLOAD_ARTIFACT>>
        with:
          name: handrail-journal-${{ github.run_id }}-${{ github.run_attempt }}
          path: |
            <<STATE>>/journal/
            <<STATE>>/deploys/
          include-hidden-files: true
          if-no-files-found: ignore
          retention-days: 30
"""

DEPLOY_AFTER_WAIT: Final = (
    """\

  # With nothing pending the two jobs before it are skipped, and the code is deployed alone.
  deploy:
    name: Deploy
    needs: [plan, snapshot, wait]
    if: >-
      ${{ !cancelled() && needs.plan.result == 'success' &&
      (needs.wait.result == 'success' || needs.plan.outputs.pending == 'false') }}
"""
    + _DEPLOY_JOB
)

DEPLOY_AFTER_PLAN: Final = (
    """\

  deploy:
    name: Deploy
    needs: plan
"""
    + _DEPLOY_JOB
)

_RESTORE_HEAD: Final = (
    _HEAD
    + """\
name: handrail restore

# By hand and approved, never by another workflow: what was written since is not in what comes back. The live database
# is not touched; the last lines say how to switch.
on:
  workflow_dispatch:
    inputs:
"""
)

_RESTORE_JOB: Final = """\

permissions: {}

concurrency:
  group: handrail-database-<<ENVIRONMENT>>
  cancel-in-progress: false

defaults:
  run:
    working-directory: <<FOLDER>>

jobs:
  restore:
    name: Restore beside the live database
    runs-on: ${{ vars.HANDRAIL_RUNNER || 'ubuntu-latest' }}
    timeout-minutes: 180
    environment: <<CHANGE_ENVIRONMENT>>
    permissions:
      contents: read
      <<ID_TOKEN>>
    steps:
      <<SETUP>>
      <<AWS>>
"""

RESTORE_INSTANCE: Final = (
    _RESTORE_HEAD
    + """\
      snapshot:
        description: "A snapshot's name (handrail rds list); or give a moment instead"
        type: string
      moment:
        description: "A moment with its zone (2026-02-18T15:25+09:00), or newest"
        type: string
      instance:
        description: "Name of the new instance"
        type: string
        required: true
"""
    + _RESTORE_JOB
    + """\
      - name: Restore as a new instance
        env:
          SNAPSHOT: ${{ inputs.snapshot }}
          MOMENT: ${{ inputs.moment }}
          INSTANCE: ${{ inputs.instance }}
          <<SECRETS>>
        run: |
          set -euo pipefail
          if [ -n "$SNAPSHOT" ] && [ -z "$MOMENT" ]; then
            handrail rds restore "$SNAPSHOT" --as "$INSTANCE" --env <<ENVIRONMENT>>
          elif [ -n "$MOMENT" ] && [ -z "$SNAPSHOT" ]; then
            handrail rds pitr --to "$MOMENT" --as "$INSTANCE" --env <<ENVIRONMENT>>
          else
            echo "give a snapshot or a moment, not both and not neither" >&2
            exit 2
          fi
"""
)

RESTORE_BACKUP: Final = (
    _RESTORE_HEAD
    + """\
      backup:
        description: "A backup's id (handrail backup list), latest or verified"
        type: string
        required: true
      database:
        description: "Name of the new database"
        type: string
        required: true
"""
    + _RESTORE_JOB
    + """\
      - name: Restore as a new database
        env:
          BACKUP: ${{ inputs.backup }}
          DATABASE: ${{ inputs.database }}
          <<SECRETS>>
        run: handrail backup restore "$BACKUP" --into "$DATABASE" --env <<ENVIRONMENT>>
"""
)
