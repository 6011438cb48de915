# One list of commands, called by people, hooks and CI alike. `make` shows it.
# Everything is set up on first use; PYTHON=/path/to/python3 chooses the interpreter, ARGS=... goes to pytest.

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-servers test-long test-matrix check format bench docs clean

# Where it is set, every process of the tests would compile handrail anew.
unexport PYTHONDONTWRITEBYTECODE

PY := .venv/bin/python
PYTEST := -m pytest -q
# What a statement locks is the server's doing, whatever the libraries are.
MATRIX := tests/unit tests/models tests/workflows tests/migrator --ignore=tests/migrator/test_rule_harm.py

help: ## list these verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

setup: ## install handrail and its tools into .venv (done by the others when needed)
	@scripts/setup.sh .venv newest

demo: setup ## play the guide's story on SQLite, and on PostgreSQL where its binaries are at hand
	@$(PY) scripts/demo.py

test: setup ## run the tests, PostgreSQL included, without the campaigns
	$(PY) $(PYTEST) -n 2 --dist loadfile -m "not long and not story" $(ARGS)

test-servers: setup ## run on older PostgreSQL servers what `make test` runs on the newest only, and long stories on the oldest and the newest
	HANDRAIL_SERVERS=older $(PY) $(PYTEST) -n 2 --dist loadfile -m "postgres and not long and not story" $(ARGS)
	HANDRAIL_SERVERS=ends $(PY) $(PYTEST) -n 3 --dist loadfile -m "story and not long" $(ARGS)

test-long: setup ## run the campaigns: kills at random moments, planted changes, large databases; stories on every server
	$(PY) $(PYTEST) -m long $(ARGS)
	HANDRAIL_SERVERS=every $(PY) $(PYTEST) -n 2 --dist loadfile -m "story and not long"
	HANDRAIL_TESTS=cold $(PY) $(PYTEST) -n 2 --dist loadfile -m "not long and not story" tests/e2e
	HANDRAIL_SERVERS=every $(PY) $(PYTEST) -m "not long" -k "rule or corpus or enum" tests/migrator
	$(PY) $(PYTEST) --hypothesis-profile=thorough -m "not long" tests/unit

test-matrix: setup ## run the unit, model, workflow and migrator tests on the oldest and the newest libraries and Python
	@scripts/setup.sh .venv-low oldest constraints/low.txt
	@echo "== oldest supported: $$(.venv-low/bin/python --version), constraints/low.txt"
	.venv-low/bin/python $(PYTEST) -n 2 --dist loadfile -m "not long and not story" $(MATRIX) $(ARGS)
	@scripts/setup.sh .venv-high highest
	@echo "== newest: $$(.venv-high/bin/python --version)"
	.venv-high/bin/python $(PYTEST) -n 2 --dist loadfile -m "not long and not story" $(MATRIX) $(ARGS)

check: setup ## format, lint, types, floors, budgets, pages: what must hold before a commit
	.venv/bin/ruff format --check --quiet .
	.venv/bin/ruff check --quiet .
	.venv/bin/mypy
	.venv/bin/lint-imports
	$(PY) scripts/budgets.py
	$(PY) scripts/docs.py --check

format: setup ## let ruff format and repair what it can
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

bench: setup ## measure against alembic, cp, zstd, pg_dump; ARGS=backups beside other backup tools; see bench/results/
	$(PY) bench/run.py $(ARGS)

docs: setup ## write the pages that come from the code
	$(PY) scripts/docs.py

clean: ## remove what the other verbs made, environments included
	rm -rf .venv .venv-low .venv-high .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
