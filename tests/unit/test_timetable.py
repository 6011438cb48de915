"""What is printed for cron, systemd and Kubernetes, with names that all three read in their own ways."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail.backups.timetable import Job, Scheduler, text_of

JOB = Job(
    name="handrail-drill-production",
    program=("/srv/my app/bin/handrail",),
    words=("drill",),
    folder="/srv/my app/100%",
    environment="production",
    user="deploy",
    minute=17,
    hour=4,
    weekday=0,
    variables=("DATABASE_URL",),
)
FOLDERS = st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"]), min_size=1)
HOURLY = replace(JOB, hour=None, weekday=None, words=("backup", "run-due"), variables=())

CRON = """\
# handrail drill of production: add this to the crontab of deploy (crontab -e).
# cron sends by mail what a failed call says; a call that succeeds says nothing.
# Set DATABASE_URL in a file that only this user can read, and source it before the command.
17 4 * * 0 out=$('/srv/my app/bin/handrail' drill --project '/srv/my app/100\\%' --env production 2>&1) || echo "$out\""""
SYSTEMD = """\
# /etc/systemd/system/handrail-drill-production.service
[Unit]
Description=handrail drill of production

[Service]
Type=oneshot
User=deploy
WorkingDirectory=/srv/my app/100%%
# holds DATABASE_URL; mode 0600
EnvironmentFile=/etc/handrail/production.env
ExecStart="/srv/my app/bin/handrail" drill --project "/srv/my app/100%%" --env production

# /etc/systemd/system/handrail-drill-production.timer, then: systemctl enable --now handrail-drill-production.timer
[Unit]
Description=handrail drill of production

[Timer]
OnCalendar=Sun *-*-* 04:17:00
Persistent=true

[Install]
WantedBy=timers.target"""
KUBERNETES = """\
# handrail drill of production: kubectl apply -f this file.
apiVersion: batch/v1
kind: CronJob
metadata:
  name: "handrail-drill-production"
spec:
  schedule: "17 4 * * 0"
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: handrail
              # your application's image, with handrail and the database's tools in it
              image: "YOUR-IMAGE"
              # where the project lies in the image
              workingDir: "/srv/my app/100%"
              command: ["handrail", "drill", "--env", "production"]
              env:
                - name: "DATABASE_URL"
                  valueFrom:
                    secretKeyRef: {name: "handrail-production", key: "DATABASE_URL"}
              # backups and journal must outlive the pod
              volumeMounts:
                - {name: state, mountPath: "/srv/my app/100%/.handrail"}
          volumes:
            - name: state
              persistentVolumeClaim: {claimName: "handrail-state"}"""


@pytest.mark.parametrize(
    ("scheduler", "text"), [(Scheduler.CRON, CRON), (Scheduler.SYSTEMD, SYSTEMD), (Scheduler.KUBERNETES, KUBERNETES)]
)
def test_every_text(scheduler: Scheduler, text: str) -> None:
    assert text_of(JOB, scheduler) == text


def test_times() -> None:
    assert (JOB.cron, JOB.on_calendar) == ("17 4 * * 0", "Sun *-*-* 04:17:00")
    assert (HOURLY.cron, HOURLY.on_calendar) == ("17 * * * *", "*-*-* *:17:00")


def test_nothing_is_asked_for_where_no_variable_is_read() -> None:
    for scheduler in Scheduler:
        text = text_of(HOURLY, scheduler)
        assert not any(word in text for word in ("DATABASE_URL", "EnvironmentFile", "env:", "source it"))


@given(FOLDERS)
def test_a_shell_reads_the_words_that_were_meant(folder: str) -> None:
    line = text_of(replace(JOB, folder=folder), Scheduler.CRON).split("\n")[-1]
    command = line.replace("\\%", "%").partition("$(")[2].rpartition(" 2>&1)")[0]
    assert shlex.split(command) == [*JOB.program, "drill", "--project", folder, "--env", "production"]


@given(FOLDERS)
def test_json_strings_are_the_words_that_were_meant(folder: str) -> None:
    text = text_of(replace(JOB, folder=folder), Scheduler.KUBERNETES)
    line = next(line for line in text.split("\n") if "workingDir" in line)
    assert json.loads(line.partition(": ")[2]) == folder
